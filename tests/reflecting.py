"""A reflector that always proposes the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from harness.constraint import Constraint
from harness.models.engine import Completion, Conversation, Usage


class FakeReflector:
    """A model source and its engine in one."""

    name, licence, gated = "fake", "CC0-1.0", False

    def __init__(self, text: str, context: int | None = None) -> None:
        self.text, self.context = text, context
        self.asked: list[str] = []

    def identity(self) -> Any:
        return self.text

    def load(self) -> Any:
        return self

    def count(self, conversations: Sequence[Conversation]) -> list[int]:
        return [len(c[-1]["content"].split()) for c in conversations]

    def answer(
        self,
        conversations: Sequence[Conversation],
        max_tokens: int,
        constraint: Constraint | None = None,
    ) -> Iterator[Completion]:
        for place, conversation in enumerate(conversations):
            self.asked.append(conversation[-1]["content"])
            yield Completion(place, self.text, "stop", Usage(50, 50, 7, 0.5))
