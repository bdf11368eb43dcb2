"""What looks the same and counts as two, or the other way round: said when a task is loaded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from unicodedata import normalize

from harness.progress import say_once
from harness.task import Example

__all__ = ["warn_of_twins"]


def warn_of_twins(
    examples: Sequence[Example], sealed: Sequence[Example], labels: Iterable[str]
) -> None:
    """Say the first ids of all examples that differ in Unicode normalization alone, the first
    labels that differ in case alone, and the first questions of eval that are the same and have
    different targets."""
    if ids := _alike((e.id for e in examples), lambda name: normalize("NFC", name)):
        here, there = (next(e.where for e in examples if e.id == name) for name in ids)
        say_once(
            f"warning: {here} and {there}: ids {ids[0]!a} and {ids[1]!a} look the same and are "
            "two; write them alike if they are one"
        )
    if pair := _alike(labels, str.casefold):
        say_once(
            f"warning: labels {pair[0]!r} and {pair[1]!r} differ in case alone and are two; write "
            "them alike if they are one"
        )
    first: dict[str, Example] = {}
    for e in sealed:
        other = first.setdefault(e.input, e)
        if (e.target, e.accepted) != (other.target, other.accepted):
            say_once(
                f"warning: {other.where} and {e.where}: the same input with different targets; no "
                "answer is right for both: fix or delete one"
            )
            return


def _alike(names: Iterable[str], plain: Callable[[str], str]) -> tuple[str, str] | None:
    """The first two names that differ, and not as `plain` writes them."""
    seen: dict[str, str] = {}
    for name in names:
        first = seen.setdefault(plain(name), name)
        if first != name:
            return first, name
    return None
