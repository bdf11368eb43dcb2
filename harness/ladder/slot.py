"""What every slot of a rung says of itself."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from harness.task import Materials

__all__ = ["Slot"]


class Slot(Protocol):
    """One thing that a rung changes. `Rung` asks each of its slots, and knows none by name."""

    @property
    def reads(self) -> Collection[str]:
        """Which materials it reads: of `train`, `dev` and `corpus`. Their content determines the
        result, so that it is part of the identity of a run."""

    @property
    def random(self) -> bool:
        """Whether the seed makes a difference."""

    @property
    def embeds(self) -> bool:
        """Whether an embedder takes part."""

    def labelled(self, materials: Materials) -> int:
        """How many labelled examples it needs."""

    def check(self, materials: Materials) -> None:
        """Raise what is known before a model is loaded: RungUnavailableError, ConfigError."""
