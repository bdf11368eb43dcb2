"""Controls: runs that cost little and expose an experiment that proves less than it seems to.

What each is for: an answer that needs no model (majority, the nearest training example's, a linear
classifier on embeddings) is what any rung must beat; answers without the constraint show what the
grammar brings; passages at random show what retrieval adds, the right ones its ceiling; and targets
that were shuffled show what tuning gains without the pairing of input and target (format and
priors; compare Zhang et al. 2017, "Understanding deep learning requires rethinking
generalization").
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from harness.ladder.baselines import Baseline, LinearClassifier, Majority, NearestAnswer
from harness.ladder.retrieval import Index, Retrieval, Retriever
from harness.ladder.rung import Rung
from harness.ladder.transform import ShuffledTargets
from harness.models.embedder import Embedder
from harness.task import Example, Passage, Question, Task

__all__ = ["KINDS", "Control", "OraclePassages", "RandomPassages", "Wanted", "controls"]

KINDS = (
    "majority", "nearest_answer", "linear_classifier", "unconstrained", "random_passages",
    "oracle_passages", "shuffled_targets",
)  # fmt: skip
UNCONSTRAINED = "unconstrained"

Wanted = bool | Sequence[str] | None
"""Which controls run: all (True), none (False), those that need no language model (None), or those
of these names: a kind, or RUNG_KIND for that of one rung."""

GoldPassages = Mapping[str, tuple[str, ...]]
"""By the id of a question of any split, the ids of the passages that hold its answer."""


@dataclass(frozen=True)
class Control:
    """A rung that is run beside the ladder."""

    kind: str
    rung: Rung
    of: str | None
    """The rung that it is a control of; None if of all."""
    shows: str = ""
    """What it does, for readers of a report."""
    judges: bool = False
    """Whether a tuned rung must be above it, or its training taught it nothing of the task."""

    @property
    def free(self) -> bool:
        """Whether it answers without the constraint that its rung is held to."""
        return self.kind == UNCONSTRAINED

    def record(self) -> dict[str, Any]:
        return {"kind": self.kind, "of": self.of, "shows": self.shows, "judges": self.judges}


@dataclass(frozen=True)
class RandomPassages(Retriever):
    """As many passages as retrieval shows, the same for all questions, drawn from the corpus."""

    k: int
    in_training: bool = True

    def index(self, corpus: Sequence[Passage], embedder: Embedder) -> Index:
        return _Drawn(tuple(random.Random(0).sample(list(corpus), self.k)))


@dataclass(frozen=True)
class OraclePassages(Retriever):
    """The passages that hold the answer, as the task names them: no rung of the ladder knows.

    A rung that is tuned on prompts with passages is tuned on prompts with the right ones: retrieval
    is perfect in training too."""

    gold: GoldPassages
    in_training: bool = True

    def index(self, corpus: Sequence[Passage], embedder: Embedder) -> Index:
        return _Given({p.id: p for p in corpus}, self.gold)


@dataclass(frozen=True)
class _Drawn:
    """The same passages whatever is asked."""

    passages: tuple[Passage, ...]
    seconds: float = 0.0
    megabytes: float = 0.0

    def search(self, questions: Sequence[Question]) -> list[tuple[Passage, ...]]:
        return [self.passages] * len(questions)

    def illustrate(self, examples: Sequence[Example]) -> list[tuple[Passage, ...]]:
        return [self.passages] * len(examples)


@dataclass(frozen=True)
class _Given:
    """For each question the passages that it was given."""

    corpus: Mapping[str, Passage]
    gold: GoldPassages
    seconds: float = 0.0
    megabytes: float = 0.0

    def search(self, questions: Sequence[Question]) -> list[tuple[Passage, ...]]:
        return [tuple(self.corpus[i] for i in self.gold.get(q.id, ())) for q in questions]

    def illustrate(self, examples: Sequence[Example]) -> list[tuple[Passage, ...]]:
        return [tuple(self.corpus[i] for i in e.gold_passages) for e in examples]


def controls(rung: Rung, task: Task, wanted: Wanted) -> Iterator[Control]:
    """The wanted ones of the controls that belong beside a rung on a task."""
    for control in _every(rung, task):
        match wanted:
            case None:
                run = control.rung.baseline is not None
            case bool():
                run = wanted
            case _:
                run = control.kind in wanted or control.rung.name in wanted
        if run:
            yield control


def _every(rung: Rung, task: Task) -> Iterator[Control]:
    baselines: list[Baseline] = [Majority(), NearestAnswer()]
    if task.materials.answer.labels is not None:
        baselines.append(LinearClassifier())
    # They say nothing to a model: any of the task's own, as what a search found is none of them.
    instructions = next(iter(task.materials.instructions), rung.instructions)
    for one in baselines:
        alone = Rung(one.kind, instructions, baseline=one)
        yield Control(one.kind, alone, None, one.shows, one.judges)
    if not rung.tuning and task.materials.answer.constraint is not None:
        yield _of(rung, UNCONSTRAINED, "the same without the constraint")
    if isinstance(rung.retrieval, Retrieval):
        drawn = RandomPassages(rung.retrieval.k, rung.retrieval.in_training)
        yield _of(rung, "random_passages", "passages at random", retrieval=drawn)
        if any(e.gold_passages for e in task.eval):
            m = task.materials
            gold = {e.id: e.gold_passages for e in (*m.train, *m.dev, *task.eval)}
            right = OraclePassages(gold, rung.retrieval.in_training)
            ceiling = "the right passages, which perfect retrieval would find (ceiling)"
            yield _of(rung, "oracle_passages", ceiling, retrieval=right)
    if rung.tuning:
        shows = "trained on other examples' targets"
        shuffled = _of(rung, "shuffled_targets", shows, transform=ShuffledTargets())
        yield replace(shuffled, judges=True)


def _of(rung: Rung, kind: str, shows: str, **slots: Any) -> Control:
    changed = replace(rung, name=f"{rung.name}_{kind}", **slots)
    return Control(kind, changed, rung.name, shows)
