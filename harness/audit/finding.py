"""One thing that an audit found, and what the checks are called."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["CHECKS", "Finding", "quote"]

CHECKS = {
    "contradiction": "the same input with different targets",
    "near contradiction": "nearly the same input with different targets",
    "copy": "the same input and target again",
    "near copy": "nearly the same input with the same target",
    "shared group": "groups that stand in train and in dev",
    "leak": "inputs of dev that stand in train, word for word or nearly",
    "drift": "what differs between train and dev",
    "imbalance": "values that train hardly shows, or shows all the time",
    "not in input": "values that others copy from their inputs, and that do not stand in this one",
    "cut off": "targets that seem to end early",
    "length": "inputs and targets of unusual length",
}
"""What each check looks for, in the order in which it is told."""


@dataclass(frozen=True)
class Finding:
    """One thing that was found."""

    check: str
    """One of CHECKS."""
    where: Sequence[str]
    """`file:line` of the examples that it is about, the one to look at first; none if it is about
    a whole split."""
    text: str
    """What was seen, in one line."""


def quote(text: str, most: int = 60) -> str:
    """The beginning of a text, in quotes and on one line."""
    line = " ".join(text.split())
    return f'"{line}"' if len(line) <= most else f'"{line[: most - 1]}…"'
