"""What can be known of a job before its model is loaded, so that no answer is given in vain."""

from __future__ import annotations

from collections.abc import Callable

from harness.constraint import Constraint
from harness.evidence import scoring
from harness.evidence.isolation import Certificate
from harness.job import Job
from harness.ladder.room import within_data
from harness.models.grammar import check_constraint, check_targets
from harness.models.layout import check_layout
from harness.models.local import ModelSpec
from harness.models.vetting import check_model
from harness.models.weights import Folder
from harness.task import Task

__all__ = ["Preflight", "check", "check_written"]


class Preflight:
    """Checks the jobs of one sweep; what several share is checked once."""

    def __init__(self, certify: Callable[[Job], tuple[Task, Certificate]]) -> None:
        self._certify = certify
        self._done: set[object] = set()

    def check(self, job: Job) -> None:
        """Raise what is known of a job: HarnessError, RungUnavailableError if its task lacks what
        its rung needs."""
        check(job)
        if isinstance(job.model, ModelSpec) and self._first(job.model, id(job.task)):
            _check_model(job.model, job.task)
        if job.rung.embeds and isinstance(job.embedder.weights, Folder):
            job.embedder.weights.resolve()
        task, _ = self._certify(job)
        if job.constraint and self._first("written", id(task)):
            check_written(job.constraint, task)

    def _first(self, *what: object) -> bool:
        """Whether this is asked for the first time."""
        new = what not in self._done
        self._done.add(what)
        return new


def check(job: Job) -> None:
    """Raise what can be known of the rung and the metrics before anything is compared or loaded."""
    for candidate in job.candidates:
        rung, _ = within_data(candidate.rung, job.task.materials)
        rung.check(job.task.materials)
        for slot in rung.slots:
            slot.check_questions(job.task.questions, job.task.beyond)
    scoring.check(job.task)


def check_written(constraint: Constraint | None, task: Task) -> None:
    """Raise TaskError for a target that the constraint would not let a model write."""
    if constraint:
        m = task.materials
        check_constraint(constraint)
        check_targets(constraint, (*m.train, *m.dev, *task.eval))


def _check_model(model: ModelSpec, task: Task) -> None:
    """Raise WeightsError for a folder that is no model. What is to be fetched is checked then."""
    if isinstance(model.weights, Folder):
        folder = model.weights.resolve()
        check_model(folder)  # first: what else reads the folder trusts its sizes
        check_layout(folder, task)
