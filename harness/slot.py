"""What every slot of a rung says of itself."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from harness.task import Materials, Question

__all__ = ["Slot"]


class Slot:
    """One thing that a rung changes. `Rung` asks each of its slots, and knows none by name.

    What a slot does not say otherwise: it reads nothing, the seed makes no difference, no embedder
    takes part, it needs no labelled example, the ladder's decoding holds, and every task will do.
    """

    @property
    def reads(self) -> Collection[str]:
        """Which materials it reads: of `train`, `dev`, `corpus`, `variants` (further instructions)
        and `tools`. Their content determines the result, so that it is part of the identity of a
        run."""
        return ()

    @property
    def random(self) -> bool:
        """Whether the seed makes a difference."""
        return False

    @property
    def embeds(self) -> bool:
        """Whether an embedder takes part."""
        return False

    @property
    def free(self) -> bool:
        """Whether answers are decoded freely where those of other rungs are constrained."""
        return False

    def labelled(self, materials: Materials) -> int:
        """How many labelled examples it needs."""
        return 0

    def check(self, materials: Materials) -> None:
        """Raise what is known before a model is loaded: RungUnavailableError, ConfigError."""

    def check_questions(self, asked: Sequence[Question], beyond: Collection[str]) -> None:
        """Raise what is known before a question of eval is asked: TaskError. `beyond` are the ids
        of those that `limit` leaves out."""
