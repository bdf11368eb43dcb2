"""What is said to the model. Pure: the same things in, the same messages out."""

from __future__ import annotations

from collections.abc import Sequence

from harness.models.local import Message
from harness.task import Example, Passage

__all__ = ["render"]


def render(
    instructions: str,
    question: str,
    input: str,
    shots: Sequence[Example] = (),
    passages: Sequence[Passage] = (),
) -> list[Message]:
    """The conversation up to the model's turn.

    `question` is how an input is put, with {input} in its place. What many questions share comes
    first (instructions, shots, passages), so that it can be computed once. An adapter trains on
    exactly these messages; there is no second template.
    """
    messages: list[Message] = [{"role": "system", "content": instructions}]
    for shot in shots:
        messages.append({"role": "user", "content": _put(question, shot.input)})
        messages.append({"role": "assistant", "content": shot.target})
    asked = _put(question, input)
    if passages:
        asked = "\n\n".join([*map(str, passages), asked])
    return [*messages, {"role": "user", "content": asked}]


def _put(question: str, input: str) -> str:
    return question.replace("{input}", input)
