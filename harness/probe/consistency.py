"""Does a rung answer the same when a question is put otherwise?

Whatever leaves the target alone should leave the answer alone (compare the invariance tests of
Ribeiro et al. 2020, "Beyond Accuracy: Behavioral Testing of NLP models with CheckList").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

from harness.answer import Answer
from harness.evidence import scoring
from harness.ladder.rung import Rung
from harness.probe.perturb import ALL, Perturbation, applicable, perturbed, reordered
from harness.probe.probe import FittedRun, Probe
from harness.sampling import sample
from harness.task import Prediction, Question, Task
from harness.values import AtLeastOne, Seed, settings

__all__ = ["Consistency"]


@settings("probes.consistency")
class Consistency(Probe):
    """Answers to perturbed questions beside those to the questions themselves.

    It costs about as much as answering eval, so that it must be asked for.
    """

    name: ClassVar[str] = "consistency"

    enabled: bool | None
    questions: AtLeastOne
    """Of eval, the same ones for all rungs; each is asked once for each perturbation."""
    perturbations: Sequence[Perturbation] | None
    """Which; null: all. A task whose targets depend on one (case, say) names the others in its
    YAML: `perturbations: [typos, blank_lines]`."""
    seed: Seed
    """Of the typos."""

    def applies(self, rung: Rung, task: Task) -> bool:
        return any(applicable(one, rung) for one in self._all)

    def measure(self, run: FittedRun) -> dict[str, Any]:
        """`perturbations`: for each that the rung can have, of each question that it changes `id`,
        whether the answer `changed` and by how much (`extent`, from 0 to 1), and the primary metric
        `before` and `after` (null where a single question has none)."""
        rung = run.predictor.rung
        asked = sample(run.conditions.task.questions, self.questions)
        return {
            "perturbations": {
                one: self._asked(one, asked, run) for one in self._all if applicable(one, rung)
            }
        }

    @property
    def _all(self) -> Sequence[Perturbation]:
        return ALL if self.perturbations is None else self.perturbations

    def _asked(
        self, perturbation: Perturbation, asked: Sequence[Question], run: FittedRun
    ) -> list[dict[str, Any]]:
        questions = perturbed(perturbation, asked, self.seed)
        predictor = reordered(perturbation, run.predictor)
        kept = self.answers(perturbation)
        done = run.conditions.answer(predictor, questions, run.folder, kept)
        new = {p.id: p for p in done}
        before, after = (
            _values(run.conditions.task, [answers[q.id] for q in questions])
            for answers in (run.answered, new)
        )
        answer, primary = run.conditions.task.materials.answer, run.conditions.task.primary
        return [
            {
                "id": q.id,
                **_differences(answer, primary, run.answered[q.id].text, new[q.id].text),
                "before": before.get(q.id),
                "after": after.get(q.id),
            }
            for q in questions
        ]


def _values(task: Task, predictions: Sequence[Prediction]) -> dict[str, float]:
    """The primary metric of each question that has one of its own."""
    ids = {p.id for p in predictions}
    part = replace(task, eval=tuple(e for e in task.eval if e.id in ids))
    scores = scoring.score(part, predictions)
    return {s.id: s.values[task.primary] for s in scores if task.primary in s.values}


def _differences(answer: Answer, primary: str, before: str, after: str) -> dict[str, Any]:
    """How far the new answer is from the old one, by the task's own measure: the old one stands in
    the target's place, so that what is not scored (the words of a summary, say) may differ."""
    old = answer.parse(before).value
    try:
        known = old is not None
        agreement = answer.scorer().each(after, answer.write(old)).get(primary) if known else None
    except ValueError:  # no answer that could be a target
        agreement = None
    if agreement is None:  # what cannot be read is compared as it stands
        agreement = float(before.strip() == after.strip())
    return {"changed": agreement < 1.0, "extent": 1.0 - agreement}
