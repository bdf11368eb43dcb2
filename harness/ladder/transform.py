"""What is done to the materials before anything else of a rung reads them."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Collection
from dataclasses import dataclass, replace

from harness.slot import Slot
from harness.task import Materials

__all__ = ["ShuffledTargets", "Transform"]


class Transform(Slot, ABC):
    """A slot that makes what the others read: other targets, other instructions."""

    @abstractmethod
    def apply(self, materials: Materials, seed: int) -> Materials:
        """The materials as the other slots read them. Eval is not among them."""


@dataclass(frozen=True)
class ShuffledTargets(Transform):
    """A control: the same train inputs, each with another's target.

    Whatever a tuned rung gains by these is not learned from the pairing of input and target.

    >>> ShuffledTargets().reads
    ('train',)
    """

    @property
    def reads(self) -> Collection[str]:
        return ("train",)

    @property
    def random(self) -> bool:
        return True

    def labelled(self, materials: Materials) -> int:
        return len(materials.train)

    def apply(self, materials: Materials, seed: int) -> Materials:
        order = list(range(len(materials.train)))
        random.Random(seed).shuffle(order)
        # Each gets the target of the next in a random circle, so that none keeps its own.
        giver = dict(zip(order, order[1:] + order[:1], strict=True))
        train = tuple(
            replace(example, target=materials.train[giver[i]].target)
            for i, example in enumerate(materials.train)
        )
        return replace(materials, train=train)
