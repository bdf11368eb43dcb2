"""What is done to the materials before anything else of a rung reads them."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from harness.errors import ConfigError, RungUnavailableError
from harness.slot import Slot
from harness.task import Example, Materials
from harness.values import Instance, Share, settings

__all__ = [
    "Judge",
    "PlantedErrors",
    "ShuffledTargets",
    "Suspects",
    "Transform",
    "WithoutSuspects",
    "data_quality",
]

Judge = Literal["classifier", "losses"]
"""What ranks suspects: classifiers that did not see the example, or its losses in training."""
DRAWS = 100


class Transform(Slot, ABC):
    """A slot that makes what the others read: other targets, other instructions."""

    @property
    def reads_targets(self) -> bool:
        """Whether targets of train are needed for what it makes."""
        return True

    @abstractmethod
    def apply(self, materials: Materials, seed: int) -> Materials:
        """The materials as the other slots read them. Eval is not among them."""

    def record(self, materials: Materials, seed: int) -> dict[str, Any]:
        """What it did to which examples, as JSON: `transform.json` of a run, unless empty."""
        return {}


class TrainTransform(Transform):
    """A transform that reads the examples of train, all of them, and changes nothing else."""

    @property
    def reads(self) -> Collection[str]:
        return ("train",)

    def labelled(self, materials: Materials) -> int:
        return len(materials.train)


@dataclass(frozen=True)
class ShuffledTargets(TrainTransform):
    """A control: the same train inputs, each with another's target.

    Whatever a tuned rung gains by these is not learned from the pairing of input and target.

    >>> ShuffledTargets().reads
    ('train',)
    """

    @property
    def random(self) -> bool:
        return True

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


@settings("rung.transform")
class PlantedErrors(TrainTransform):
    """Wrong targets on purpose: a share of train gets targets of other examples, which are valid.

    What is planted at a small share is planted at every larger one too, by the same seed.

    >>> PlantedErrors(0.1).random
    True
    """

    planted: Share
    """Of the examples of train."""

    @property
    def random(self) -> bool:
        return True

    def check(self, materials: Materials) -> None:
        if len({example.target for example in materials.train}) < 2:
            raise RungUnavailableError("train has one target alone: none of another would be wrong")

    def apply(self, materials: Materials, seed: int) -> Materials:
        givers = self.givers(materials, seed)
        train = tuple(
            replace(example, target=givers[example.id].target) if example.id in givers else example
            for example in materials.train
        )
        return replace(materials, train=train)

    def record(self, materials: Materials, seed: int) -> dict[str, Any]:
        return {"planted": {i: giver.id for i, giver in self.givers(materials, seed).items()}}

    def givers(self, materials: Materials, seed: int) -> dict[str, Example]:
        """By the id of each example that gets a wrong target: the example whose target it gets."""
        train = list(materials.train)
        chance = random.Random(seed)
        order = chance.sample(train, len(train))
        chosen = order[: round(self.planted * len(train))]
        return {example.id: _giver(example, train, chance) for example in chosen}


def _giver(example: Example, train: list[Example], chance: random.Random) -> Example:
    """An example with another target, of another group if a few draws find one."""
    for _ in range(DRAWS):
        drawn = chance.choice(train)
        if drawn.target != example.target and drawn.group != example.group:
            return drawn
    return next(other for other in train if other.target != example.target)


@dataclass(frozen=True)
class Suspects:
    """What an audit thinks of the examples of train."""

    doubt: Mapping[str, float]
    """By id, higher is more doubtful; an example that could not be judged is not in it."""
    flagged: Collection[str]
    """Ids of those that the audit itself calls wrong; none if it only ranks."""
    why: Mapping[str, str] = field(default_factory=dict)
    """By id, what speaks against the target, in words."""
    only_ranked: int = 0
    """How many could not have been flagged, whatever speaks against them."""

    def worst(self, share: float | None, of: int) -> list[str]:
        """Ids of the most doubtful `share` of so many examples, or (None) of the flagged ones."""
        if share is None:
            return [i for i in self.doubt if i in set(self.flagged)]
        ranked = sorted(self.doubt, key=lambda i: -self.doubt[i])
        return ranked[: round(share * of)]


@settings("rung.transform")
class WithoutSuspects(TrainTransform):
    """Train without what an audit of this very train doubts; what was planted it does not know."""

    without: Judge
    dropped: Share | None
    """Of the examples of train, the most doubtful first; None drops what the audit flags."""
    planted: Instance[PlantedErrors] | None
    """What was done to train before."""
    suspects: Instance[Suspects] | None = None
    """What the audit found: `harness.audit.dropping` fills it in before the rung is fitted."""

    def __post_init__(self) -> None:
        if self.without == "losses" and self.dropped is None:
            raise ConfigError(
                "rung.transform.dropped=null: losses rank examples and flag none; say which share "
                "to drop, for instance rung.transform.dropped=0.1"
            )

    @property
    def random(self) -> bool:
        return self.planted is not None or self.without == "losses"

    @property
    def embeds(self) -> bool:
        return self.without == "classifier"

    def check(self, materials: Materials) -> None:
        if self.planted:
            self.planted.check(materials)

    def audited(self, materials: Materials, seed: int) -> Materials:
        """The materials that the audit sees."""
        return self.planted.apply(materials, seed) if self.planted else materials

    def apply(self, materials: Materials, seed: int) -> Materials:
        materials = self.audited(materials, seed)
        gone = set(self._gone(materials))
        return replace(materials, train=tuple(e for e in materials.train if e.id not in gone))

    def record(self, materials: Materials, seed: int) -> dict[str, Any]:
        before = self.planted.record(materials, seed) if self.planted else {}
        doubt = dict(self._found.doubt)
        return before | {"without": self.without, "dropped": self._gone(materials), "doubt": doubt}

    def _gone(self, materials: Materials) -> list[str]:
        return self._found.worst(self.dropped, len(materials.train))

    @property
    def _found(self) -> Suspects:
        assert self.suspects is not None, "the suspects are found before the rung is fitted"
        return self.suspects


def data_quality(
    planted: float, without: Judge | None = None, dropped: float | None = None
) -> Transform | None:
    """What `+experiment=data_quality` does to train; None where it does nothing.

    `planted` is the share of wrong targets, `without` says which audit's suspects are then left
    out, and `dropped` how many of them. Raises ConfigError.

    >>> data_quality(planted=0.0) is None
    True
    """
    errors = PlantedErrors(planted) if planted else None
    if without is None:
        return errors
    return WithoutSuspects(without, dropped, errors)
