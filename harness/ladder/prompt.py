"""What is said to the model. Pure: the same things in, the same messages out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.models.engine import Message
from harness.task import Example, Passage

__all__ = ["render"]


def render(
    instructions: str,
    question: str,
    input: str,
    shots: Sequence[tuple[Example, Sequence[Passage]]] = (),
    passages: Sequence[Passage] = (),
    role: str = "system",
    worked: Mapping[str, Sequence[Message]] | None = None,
) -> list[Message]:
    """The conversation up to the model's turn.

    `question` is how an input is put, with {input} in its place. Each shot comes with the passages
    that it shows; `worked` has, by its id, the turns before its answer. `role` says in whose turn
    the instructions stand: `system`, or `user`, above the first thing that the user says. What many
    questions share comes first, so that it can be
    computed once. An adapter trains on exactly these messages; there is no second template.
    """
    messages: list[Message] = []
    for shot, shown in shots:
        messages.append({"role": "user", "content": _put(question, shot.input, shown)})
        messages += (worked or {}).get(shot.id, ())
        messages.append({"role": "assistant", "content": shot.target})
    messages.append({"role": "user", "content": _put(question, input, passages)})
    if role == "system":
        return [{"role": "system", "content": instructions}, *messages]
    first = {"role": "user", "content": f"{instructions}\n\n{messages[0]['content']}"}
    return [first, *messages[1:]]


def _put(question: str, input: str, passages: Sequence[Passage]) -> str:
    """One user turn: passages, then the question."""
    return "\n\n".join([*map(str, passages), question.replace("{input}", input)])
