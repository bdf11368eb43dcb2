"""Which worked examples a prompt shows."""

from __future__ import annotations

import random
from collections.abc import Collection, Sequence
from itertools import chain
from typing import Literal

import numpy as np

from harness.errors import ConfigError, RungUnavailableError
from harness.models.embedder import Embedder, Vectors
from harness.slot import Slot
from harness.task import Example, Materials, Question
from harness.values import AtLeastOne, Share, settings

__all__ = ["Shots"]

Choice = Literal["similar", "fixed"]
Order = Literal["nearest_last", "shared"]

BLOCK = 1 << 26
"""Similarities of questions to examples that are held at a time: a quarter of a gigabyte."""
POOL = 8
"""Times k: the nearest examples among which diversity chooses."""


@settings("rung.shots")
class Shots(Slot):
    """k worked examples out of train for each question.

    >>> Shots(k=4, choice="similar", diversity=0.0, order="nearest_last").random
    False
    """

    k: AtLeastOne
    choice: Choice
    """`similar`: the examples whose inputs are most like the question (Liu et al. 2022, "What Makes
    Good In-Context Examples for GPT-3?", arXiv:2101.06804). `fixed`: the same for all questions,
    drawn by seed: a prefix that is computed once."""
    diversity: Share
    """Of similar examples, from 0 to 1: the weight of being unlike those chosen already (maximal
    marginal relevance, Carbonell and Goldstein 1998); 0 takes the nearest."""
    order: Order
    """Of similar examples. `nearest_last`: the nearest stands next to the question. `shared`: those
    that are near to many inputs come first, so that prompts have more in common; it depends on
    train alone, so that no prompt depends on the other questions."""
    in_training: bool = True
    """Whether a rung that tunes trains on prompts with examples too; if not, it shows them only
    when it answers, and what it learns does not depend on them."""

    @property
    def reads(self) -> Collection[str]:
        return ("train",)

    @property
    def random(self) -> bool:
        """Whether the seed makes a difference."""
        return self.choice == "fixed"

    @property
    def embeds(self) -> bool:
        """Whether an embedder takes part."""
        return self.choice == "similar"

    def labelled(self, materials: Materials) -> int:
        """Labelled examples that must be there to choose from."""
        return self.k if self.choice == "fixed" else len(materials.train)

    def check(self, materials: Materials) -> None:
        """Raise RungUnavailableError if there is no train, ConfigError if it has fewer than k."""
        have = len(materials.train)
        if not have:
            raise RungUnavailableError(f"it shows worked examples, but {materials.no_train}")
        if self.k > have:
            raise ConfigError(f"rung.shots.k={self.k}: must be from 1 to the {have} train examples")

    def choose(
        self,
        train: Sequence[Example],
        questions: Sequence[Question],
        seed: int,
        embedder: Embedder,
    ) -> list[tuple[Example, ...]]:
        """The shots of each question, first to last. An example is never among its own shots."""
        if self.choice == "fixed":
            # One to spare, for questions that are shots themselves.
            drawn = random.Random(seed).sample(list(train), min(self.k + 1, len(train)))
            return [tuple([e for e in drawn if e.id != q.id][: self.k]) for q in questions]
        return self._similar(train, questions, embedder)

    def _similar(
        self, train: Sequence[Example], questions: Sequence[Question], embedder: Embedder
    ) -> list[tuple[Example, ...]]:
        pool = embedder.encode([e.input for e in train])
        asked = embedder.encode([q.input for q in questions])
        central = pool @ pool.mean(0)
        chosen: list[tuple[Example, ...]] = []
        rows = max(1, BLOCK // len(train))
        blocks = (asked[start : start + rows] @ pool.T for start in range(0, len(asked), rows))
        for question, relevance in zip(questions, chain.from_iterable(blocks), strict=True):
            # One to spare, for a question that stands in train itself.
            nearest = _highest(relevance, self.k * POOL + 1)
            ranked = [i for i in nearest if train[i].id != question.id]
            best = self._diverse(ranked[: self.k * POOL], relevance, pool)
            if self.order == "shared":
                best.sort(key=lambda i: (-central[i], i))
            else:
                best.reverse()
            chosen.append(tuple(train[i] for i in best))
        return chosen

    def _diverse(self, ranked: list[int], relevance: Vectors, pool: Vectors) -> list[int]:
        """Up to k of the ranked examples, nearest first, by maximal marginal relevance."""
        if self.diversity == 0:
            return ranked[: self.k]
        chosen = ranked[:1]
        rest = ranked[1:]
        while rest and len(chosen) < self.k:
            repeated = (pool[rest] @ pool[chosen].T).max(1)
            marginal = (1 - self.diversity) * relevance[rest] - self.diversity * repeated
            chosen.append(rest.pop(int(np.argmax(marginal))))
        return sorted(chosen, key=ranked.index)


def _highest(values: Vectors, count: int) -> list[int]:
    """The places of the `count` highest of values [n], highest first; of equals the first one."""
    places = np.arange(len(values))
    if count < len(values):
        places = np.flatnonzero(values >= np.partition(values, -count)[-count])
    order = (-values[places]).argsort(kind="stable")
    return [int(i) for i in places[order][:count]]
