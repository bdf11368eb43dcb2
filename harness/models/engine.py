"""What answers: one interface for a model on this machine and for one behind a server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from harness.constraint import Constraint

__all__ = [
    "Capabilities",
    "Completion",
    "Conversation",
    "Engine",
    "Message",
    "ModelSource",
    "Usage",
]

Message = Mapping[str, str]
"""`{"role": "system" | "user" | "assistant" | "tool", "content": …}`; `tool` where capabilities
say so."""

Conversation = Sequence[Message]
"""Messages up to the model's turn."""


@dataclass(frozen=True)
class Usage:
    """What one answer took.

    >>> Usage(prompt_tokens=90, computed_tokens=65, completion_tokens=61, seconds=0.2).batch
    1
    """

    prompt_tokens: int
    """As sent."""
    computed_tokens: int
    """Prompt tokens that had to be computed, after sharing prefixes."""
    completion_tokens: int
    seconds: float
    """This answer's share of the answering time."""
    batch: int = 1
    """How many sequences there was room for side by side; memory decides, never the text."""


@dataclass(frozen=True)
class Completion:
    """One answer."""

    index: int
    """Of its conversation among those that were asked."""
    text: str
    finish: str
    """`stop` or `length` (cut off at the token budget)."""
    usage: Usage


@dataclass(frozen=True)
class Capabilities:
    """What can be done with an engine."""

    tunable: bool
    """Its weights are here and can be trained."""
    constrainable: bool
    log_probabilities: bool
    """It can say how probable a given answer is."""
    tool_turns: bool = False
    """Its chat template has a place for what a tool found."""


@runtime_checkable
class ModelSource(Protocol):
    """A model as the configuration names it; nothing is loaded yet."""

    @property
    def name(self) -> str | None:
        """As reports call it; None for what was answered elsewhere."""

    @property
    def licence(self) -> str | None:
        """SPDX identifier, or its name; None for what was answered elsewhere."""

    @property
    def gated(self) -> bool:
        """Whether its licence must be accepted before it can be fetched."""

    def identity(self) -> Any:
        """All that determines its answers, as JSON: part of the hash of a run."""

    def load(self) -> Engine:
        """What answers."""


class Engine(Protocol):
    """A language model that answers conversations."""

    @property
    def name(self) -> str:
        """As reports call it."""

    @property
    def capabilities(self) -> Capabilities:
        """What can be done with it."""

    @property
    def deterministic(self) -> bool:
        """Whether the same conversation always gets the same answer."""

    @property
    def context(self) -> int | None:
        """Tokens of prompt and answer together that the model was made for, if it says so."""

    def record(self) -> dict[str, Any]:
        """What a result says of it, as far as it is known: `weights` (SHA-256 or commit), `dtype`,
        `template` (SHA-256), `parameters` and `device`."""

    def count(self, conversations: Sequence[Conversation]) -> list[int]:
        """Prompt tokens of each conversation."""

    def count_answers(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text as an answer, with the one that ends it."""

    def answer(
        self,
        conversations: Sequence[Conversation],
        max_tokens: int,
        constraint: Constraint | Sequence[Constraint] | None = None,
    ) -> Iterator[Completion]:
        """Answers in the order in which they are done, held to one constraint or each to its own.

        Raises ConfigError for a constraint that this engine cannot hold an answer to.
        """

    def log_probabilities(
        self,
        conversations: Sequence[Conversation],
        answers: Sequence[Sequence[str]],
        *,
        ended: bool = True,
    ) -> list[list[float]]:
        """ln P(answer and its end | conversation) of each of a conversation's answers, in nats;
        without `ended` of an answer that may go on."""

    def text_log_probabilities(self, texts: Sequence[str], max_tokens: int) -> list[list[float]]:
        """ln P of each token of a text behind those before it, in nats, without a chat template;
        of the first `max_tokens` tokens of each text, and none for the first one."""

    def distributions(self, conversation: Conversation, answer: str) -> npt.NDArray[np.float32]:
        """ln P of every token of the vocabulary at each token of an answer, its end among them:
        [tokens, vocabulary]."""
