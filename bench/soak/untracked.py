"""The tiny task without a tracking store: nothing but results/ is written."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bench.soak.tiny import SIZES, Tiny, write

__all__ = ["Untracked"]


class Untracked(Tiny):
    """The same folder, and command lines with `tracking=none`."""

    @classmethod
    def write(cls, folder: Path, sizes: Mapping[str, int] = SIZES) -> Untracked:
        return cls(write(folder, sizes).folder)

    @property
    def words(self) -> tuple[str, ...]:
        own = (word for word in super().words if not word.startswith("tracking."))
        return (*own, "tracking=none")
