"""Distillation: a teacher's answers to train inputs in the place of their targets.

The student learns what the teacher writes (Kim and Rush 2016, "Sequence-Level Knowledge
Distillation", arXiv:1606.07947); answers that are known to be poor are left out (Yuan et al. 2023,
arXiv:2308.01825, call it rejection sampling).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from harness.errors import ConfigError, RungUnavailableError
from harness.ladder.room import within_data
from harness.ladder.rung import Rung
from harness.ladder.transform import TrainTransform
from harness.task import Materials
from harness.values import Instance, Share, settings

__all__ = ["ANSWERS", "Distilled", "Graded", "Spent", "Teaching"]

ANSWERS = "answers"
"""What the isolation check calls recorded answers, beside train, dev and corpus."""

Fate = Literal["kept", "unparsed", "below", "leaked"]


@dataclass(frozen=True)
class Graded:
    """A teacher's answer to one train input."""

    target: str | None
    """As a model should write it; None if it cannot be read, was cut off or is too long."""
    score: float | None
    """The primary metric, 0 to 1, against the target of train; None if single answers have none."""


@dataclass(frozen=True)
class Spent:
    """What all answers of a teacher took; None for what recorded ones do not tell."""

    prompt_tokens: int | None
    """As sent."""
    computed_tokens: int | None
    """After prefixes that prompts share were computed once."""
    completion_tokens: int | None
    seconds: float | None
    """Of answering, and of fitting the teacher: its index, its training."""
    cost: float | None = None
    """What a file of recorded answers says that they cost: they are not paid by our prices."""
    elsewhere: bool = False
    """Whether they were recorded."""


@dataclass(frozen=True)
class Teaching:
    """What a teacher answered to train."""

    answers: Mapping[str, Graded]
    """By the id of the example."""
    spent: Spent


@settings("rung.transform")
class Distilled(TrainTransform):
    """Train inputs with a teacher's answers, without those that cannot be read or score too low.

    `teacher` is another rung, which answers as the ladder asks it and with the seed 0; `answers`, a
    file of recorded answers (JSONL or CSV: id, text), takes its place.
    """

    teacher: Instance[Rung] | None
    answers: str | None
    min_score: Share | None
    """The least that an answer must score by the task's primary metric against the target of train;
    None asks for no target, and keeps whatever can be read."""
    targets: Literal["teacher", "gold"]
    """Whose targets the student learns: `gold` are those of train, of the very examples whose
    answers were kept, for comparison."""
    sha256: str | None = None
    """Of the file of answers."""
    leaked: Sequence[str] = ()
    """Ids of recorded answers that hold something of eval and are left out: `harness.distill` fills
    it in before anything else."""
    teaching: Instance[Teaching] | None = None
    """What was answered: `harness.distill` fills it in before the rung is fitted."""

    def __post_init__(self) -> None:
        teacher = self.teacher
        if (teacher is None) == (self.answers is None):
            raise ConfigError(
                "rung.transform.teacher: name an untransformed rung such as few_shot, or give "
                "recorded answers: rung.transform.answers=FILE"
            )
        if teacher and (teacher.transform or teacher.baseline):
            raise ConfigError(
                f"rung.transform.teacher={teacher.name}: it learns from a train that is changed "
                "itself; name a rung without a transform, such as few_shot"
            )
        if teacher and teacher.search:
            raise ConfigError(
                f"rung.transform.teacher={teacher.name}: its prompt is searched for, which is "
                "not done for a teacher; name a rung whose prompt is given, such as few_shot"
            )

    @property
    def name(self) -> str:
        """Of the teacher: a rung, or a file."""
        return self.teacher.name if self.teacher else str(self.answers)

    @property
    def reads(self) -> Collection[str]:
        """Train, and what its teacher reads."""
        return {"train", *(self.teacher.reads if self.teacher else (ANSWERS,))}

    @property
    def embeds(self) -> bool:
        return self.teacher is not None and self.teacher.embeds

    @property
    def reads_targets(self) -> bool:
        """Not if all that can be read is kept, and learned as the teacher wrote it."""
        return self.targets == "gold" or self.min_score is not None

    def labelled(self, materials: Materials) -> int:
        own = len(materials.train) if self.reads_targets else 0
        return max(own, self.teacher.labelled(materials) if self.teacher else 0)

    def check(self, materials: Materials) -> None:
        if self.teacher is None:
            return
        try:
            within_data(self.teacher, materials)[0].check(materials)
        except RungUnavailableError as error:
            raise RungUnavailableError(
                f"its teacher {self.name} is not to be had: {error}"
            ) from error

    def apply(self, materials: Materials, seed: int) -> Materials:
        answers, fates = self._found.answers, self.fates
        train = [e for e in materials.train if fates.get(e.id) == "kept"]
        if self.targets == "teacher":
            train = [replace(e, target=str(answers[e.id].target)) for e in train]
        return replace(materials, train=tuple(train))

    def record(self, materials: Materials, seed: int) -> dict[str, Any]:
        dropped = {i: fate for i, fate in self.fates.items() if fate != "kept"}
        scores = {i: answer.score for i, answer in self._found.answers.items()}
        return {"teacher": self.told(materials), "left_out": dropped, "scores": scores}

    def told(self, materials: Materials) -> dict[str, Any]:
        """What a manifest says of the teacher: how many of its answers were kept, and what they
        took."""
        fates = list(self.fates.values())
        return {
            "name": self.name,
            "targets": self.targets,
            "min_score": self.min_score,
            "asked": len(materials.train),
            "answered": len(fates),
            **{fate: fates.count(fate) for fate in ("unparsed", "below", "leaked", "kept")},
            **asdict(self._found.spent),
        }

    @property
    def fates(self) -> dict[str, Fate]:
        """By id, whether an answer was kept, and otherwise why not."""
        return {i: self._fate(i, answer) for i, answer in self._found.answers.items()}

    def _fate(self, name: str, answer: Graded) -> Fate:
        if name in self.leaked:
            return "leaked"
        if answer.target is None:
            return "unparsed"
        if self.min_score is not None and (answer.score or 0.0) < self.min_score:
            return "below"
        return "kept"

    @property
    def _found(self) -> Teaching:
        assert self.teaching is not None, "the teacher answers before the rung is fitted"
        return self.teaching
