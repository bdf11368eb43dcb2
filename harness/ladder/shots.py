"""Which worked examples a prompt shows."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import ClassVar, Protocol

from harness.errors import ConfigError
from harness.models.embedder import Embedder
from harness.task import Example, Question

__all__ = ["FixedShots", "NearestShots", "Shots"]


class Shots(Protocol):
    """A way to choose worked examples out of train."""

    random: ClassVar[bool]
    """Whether the seed makes a difference."""
    embeds: ClassVar[bool]
    """Whether an embedder takes part."""

    def choose(
        self,
        train: Sequence[Example],
        questions: Sequence[Question],
        seed: int,
        embedder: Embedder,
    ) -> list[tuple[Example, ...]]:
        """The shots of each question. An example is never among its own shots."""

    def pool(self, train: Sequence[Example]) -> int:
        """How many labelled examples must be there to choose from."""


@dataclass(frozen=True)
class FixedShots:
    """The same k examples for everybody, drawn by seed: a prefix that is computed once."""

    random: ClassVar[bool] = True
    embeds: ClassVar[bool] = False
    k: int

    def choose(
        self,
        train: Sequence[Example],
        questions: Sequence[Question],
        seed: int,
        embedder: Embedder,
    ) -> list[tuple[Example, ...]]:
        _check(self.k, train)
        # One to spare, for questions that are shots themselves.
        drawn = random.Random(seed).sample(list(train), min(self.k + 1, len(train)))
        return [tuple([e for e in drawn if e.id != q.id][: self.k]) for q in questions]

    def pool(self, train: Sequence[Example]) -> int:
        return self.k


@dataclass(frozen=True)
class NearestShots:
    """For each question the k examples whose inputs are most like it, the nearest last."""

    random: ClassVar[bool] = False
    embeds: ClassVar[bool] = True
    k: int

    def choose(
        self,
        train: Sequence[Example],
        questions: Sequence[Question],
        seed: int,
        embedder: Embedder,
    ) -> list[tuple[Example, ...]]:
        _check(self.k, train)
        pool = embedder.encode([e.input for e in train])
        asked = embedder.encode([q.input for q in questions])
        chosen: list[tuple[Example, ...]] = []
        for q, scores in zip(questions, asked @ pool.T, strict=True):
            ranked = (train[i] for i in (-scores).argsort(kind="stable"))
            best = list(islice((e for e in ranked if e.id != q.id), self.k))
            chosen.append(tuple(reversed(best)))
        return chosen

    def pool(self, train: Sequence[Example]) -> int:
        return len(train)


def _check(k: int, train: Sequence[Example]) -> None:
    if not 1 <= k <= len(train):
        raise ConfigError(f"rung.shots.k={k}: must be from 1 to the {len(train)} train examples")
