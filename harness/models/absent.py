"""No model: what stands in a model's place where answers were made elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

from harness.constraint import Constraint
from harness.models.engine import Capabilities, Completion, Conversation

__all__ = ["AbsentEngine", "AbsentModel"]


class AbsentEngine:
    """An engine that is never asked."""

    name = "none"
    capabilities = Capabilities(tunable=False, constrainable=False, log_probabilities=False)
    deterministic = True
    context: int | None = None

    def record(self) -> dict[str, Any]:
        """Nothing is known of whatever answered."""
        return dict.fromkeys(("weights", "dtype", "template", "parameters", "device"))

    def count(self, conversations: Sequence[Conversation]) -> list[int]:
        """0 each: it reads nothing."""
        return [0] * len(conversations)

    def count_answers(self, texts: Sequence[str]) -> list[int]:
        """0 each: it writes nothing."""
        return [0] * len(texts)

    def answer(
        self,
        conversations: Sequence[Conversation],
        max_tokens: int,
        constraint: Constraint | Sequence[Constraint] | None = None,
    ) -> Iterator[Completion]:
        self._never()

    def log_probabilities(
        self,
        conversations: Sequence[Conversation],
        answers: Sequence[Sequence[str]],
        *,
        ended: bool = True,
    ) -> list[list[float]]:
        self._never()

    def text_log_probabilities(self, texts: Sequence[str], max_tokens: int) -> list[list[float]]:
        self._never()

    def distributions(self, conversation: Conversation, answer: str) -> Any:
        self._never()

    def _never(self) -> NoReturn:
        raise RuntimeError("there is no model to ask: the answers were made elsewhere")


class AbsentModel:
    """The model of a rung whose answers were made elsewhere."""

    name: str | None = None
    licence: str | None = None
    gated = False

    def identity(self) -> None:
        """Nothing: no model determines the answers."""

    def load(self) -> AbsentEngine:
        return AbsentEngine()
