"""What a trial of reliability is given, and what it says.

A trial is a module `bench/soak/<name>.py` with `PROMISE: str` and `run(place) -> list[Outcome]`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["Outcome", "Place"]


@dataclass(frozen=True)
class Place:
    """Where a trial runs, and how much of it."""

    folder: Path
    """Fresh and empty; all that a trial writes goes here."""
    seed: int
    """Of whatever is drawn: the same seed draws the same moments, offsets and levels."""
    quick: bool
    """A few cases in seconds, for the tests; else all of them."""


@dataclass(frozen=True)
class Outcome:
    """How often one promise was held in one trial."""

    promise: str
    trial: str
    """What was done, in a few words."""
    tried: int
    held: int
    figure: str
    """What the table says: counts, seconds, bytes."""
    failures: tuple[str, ...] = ()
    """One line for each that was not held; names the moment and the seed."""

    @property
    def kept(self) -> bool:
        """Whether it was held every time, and tried at all."""
        return self.tried > 0 and self.held == self.tried
