"""Controls: runs that cost little and expose an experiment that proves less than it seems to.

What each is for: an answer that needs no model (majority, the nearest training example's, a linear
classifier on embeddings) is what any rung must beat; passages at random show what retrieval adds,
the right ones its ceiling; and targets that were shuffled show what tuning gains without the
pairing of input and target (format and priors; compare Zhang et al. 2017, "Understanding deep
learning requires rethinking generalization").
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from harness.ladder.retrieval import Retrieval, Search
from harness.ladder.rung import Rung
from harness.ladder.stand_ins import LinearClassifier, Majority, NearestAnswer, StandIn
from harness.models.embedder import Embedder
from harness.task import Example, Passage, Question, Task

__all__ = ["Control", "OraclePassages", "RandomPassages", "controls"]


@dataclass(frozen=True)
class Control:
    """A rung that is run beside the ladder."""

    kind: str
    rung: Rung
    of: str | None
    """The rung that it is a control of; None if of all."""

    def record(self) -> dict[str, Any]:
        return {"kind": self.kind, "of": self.of}


@dataclass(frozen=True)
class RandomPassages:
    """As many passages as retrieval shows, the same for all questions, drawn from the corpus."""

    k: int
    embeds: ClassVar[bool] = False
    told: ClassVar[bool] = False

    def check(self, corpus: Sequence[Passage]) -> None:
        """The rung that it is a control of has been checked."""

    def index(self, corpus: Sequence[Passage], embedder: Embedder) -> Search:
        drawn = tuple(random.Random(0).sample(list(corpus), self.k))
        return _Given({}, drawn)


@dataclass(frozen=True)
class OraclePassages:
    """The passages that hold the answer, as the task names them."""

    embeds: ClassVar[bool] = False
    told: ClassVar[bool] = True

    def check(self, corpus: Sequence[Passage]) -> None:
        """The rung that it is a control of has been checked."""

    def index(self, corpus: Sequence[Passage], embedder: Embedder) -> Search:
        return _Given({p.id: p for p in corpus}, ())


@dataclass(frozen=True)
class _Given:
    """Passages without a search."""

    corpus: dict[str, Passage]
    """By id, of those that are named in a question; empty if it is told none."""
    always: tuple[Passage, ...]
    seconds: float = 0.0
    megabytes: float = 0.0

    def search(self, questions: Sequence[Question]) -> list[tuple[Passage, ...]]:
        return [(*self.always, *(self.corpus[i] for i in q.sources)) for q in questions]

    def illustrate(self, examples: Sequence[Example]) -> list[tuple[Passage, ...]]:
        """As for a question: the same for all, or those that hold the example's answer."""
        return self.search([e.told if self.corpus else e.question for e in examples])


def controls(rung: Rung, task: Task, wanted: bool | None) -> Iterator[Control]:
    """The controls that belong beside a rung on a task.

    `wanted` is True for all, False for none, and None for those that need no language model: the
    others cost as much as the rung that they are a control of.
    """
    if wanted is False:
        return
    stand_ins: list[StandIn] = [Majority(), NearestAnswer()]
    if task.materials.answer.labels is not None:
        stand_ins.append(LinearClassifier())
    for one in stand_ins:
        yield Control(one.kind, Rung(one.kind, rung.instructions, stand_in=one), None)
    if not wanted:
        return
    if isinstance(rung.retrieval, Retrieval):
        yield _beside(rung, "random_passages", retrieval=RandomPassages(rung.retrieval.k))
        if any(e.sources for e in task.eval):
            yield _beside(rung, "oracle_passages", retrieval=OraclePassages())
    if rung.adapter:
        yield _beside(rung, "shuffled_targets", adapter=replace(rung.adapter, shuffle_targets=True))


def _beside(rung: Rung, kind: str, **slots: Any) -> Control:
    return Control(kind, replace(rung, name=f"{rung.name}_{kind}", **slots), rung.name)
