"""What a sweep over sizes of train will take, said before it starts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean

from harness.errors import RungUnavailableError
from harness.job import Job, identity
from harness.record.results import COMPLETE, RunFolder
from harness.run import Shared
from harness.task import Task

__all__ = ["Forecast", "forecast"]


@dataclass(frozen=True)
class Forecast:
    """Of one task; controls without a language model take next to nothing and are not counted."""

    task: str
    sizes: Sequence[int]
    """Train examples, the fewest first."""
    runs: int
    """That differ from each other, finished ones among them."""
    left: int
    """Not finished yet."""
    trainings: int
    """Of those, with the trials of settings."""
    examples: int
    """Training examples of all of them together, in one epoch."""
    seconds: float
    """As finished runs of the same rungs and model took."""
    unknown: Sequence[str]
    """Rungs of which no finished run tells how long they take; they are not in `seconds`."""

    def __str__(self) -> str:
        sizes = ", ".join(f"{size:,}" for size in self.sizes)
        took = f"about {_duration(self.seconds)} as finished runs took" if self.seconds else ""
        unknown = ", ".join(self.unknown)
        parts = [
            f"{self.task}: {sizes} train examples: {self.left} of {self.runs} runs to do",
            f"{self.trainings} trainings over {self.examples:,} examples an epoch",
            took,
            f"no finished run tells how long {unknown} takes" if unknown else "",
        ]
        return "; ".join(filter(None, parts))


def forecast(jobs: Sequence[Job], shared: Shared) -> list[Forecast]:
    """One for each task; rungs that a task cannot have are left out. Raises HarnessError."""
    return [
        _of_task(name, [job for job in jobs if job.task.name == name], shared)
        for name in dict.fromkeys(job.task.name for job in jobs)
    ]


def _of_task(name: str, jobs: Sequence[Job], shared: Shared) -> Forecast:
    tasks = [shared.certify(job)[0] for job in jobs]
    once: dict[str, tuple[Job, Task, RunFolder]] = {}
    for job, task in zip(jobs, tasks, strict=True):
        try:
            job.rung.check(task.materials)
        except RungUnavailableError:
            continue
        determining = identity(job, task.fingerprints())
        folder = RunFolder.of(job.root, name, job.rung.name, determining)
        once.setdefault(str(folder.path), (job, task, folder))
    left = [(job, task) for job, task, folder in once.values() if job.force or not folder.complete]
    trainings = [
        (len(job.candidates) if job.seed == 0 else 1, len(task.materials.train))
        for job, task in left
        if job.rung.tuning
    ]
    known = [(job.rung.name, _seconds(job, task)) for job, task in left]
    return Forecast(
        task=name,
        sizes=sorted({len(task.materials.train) for task in tasks}),
        runs=len(once),
        left=len(left),
        trainings=sum(count for count, _ in trainings),
        examples=sum(count * size for count, size in trainings),
        seconds=sum(seconds for _, seconds in known if seconds is not None),
        unknown=list(dict.fromkeys(rung for rung, seconds in known if seconds is None)),
    )


def _seconds(job: Job, task: Task) -> float | None:
    """How long one run will take: training by its examples, answering by its questions, as in
    finished runs; None without any."""
    finished = list(_finished(job))
    if not finished:
        return None
    training = fmean(per_example for per_example, _ in finished) * len(task.materials.train)
    trained = len(job.candidates) if job.seed == 0 else 1
    return trained * training + fmean(each for _, each in finished) * len(task.eval)


def _finished(job: Job) -> Iterator[tuple[float, float]]:
    """Of each finished run of a job's rung and model: seconds of training for one example, and of
    everything else for one question."""
    for mark in sorted((job.root / job.task.name / job.rung.name).glob(f"*/{COMPLETE}")):
        m = RunFolder(mark.parent).manifest()
        if m["model"] != job.model.name:
            continue
        took, training = m["seconds"], m["training"]
        rest = took["total"] - took["fit"] - took.get("trials", 0.0)
        trained = training["seconds"] / m["train_size"] if training else 0.0
        yield trained, rest / m["n"]


def _duration(seconds: float) -> str:
    return f"{seconds / 3600:.1f} h" if seconds >= 5400 else f"{max(1, round(seconds / 60))} min"
