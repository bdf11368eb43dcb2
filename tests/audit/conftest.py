"""Small train and dev sets, as lists of rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.answer import Answer, Label, Text
from harness.task import Example, Materials

Row = Sequence[str]
"""Input and target, and a group if it is not the row's own."""


def examples(split: str, rows: Sequence[Row]) -> tuple[Example, ...]:
    return tuple(
        Example(f"{split}-{n}", row[0], row[1], row[2] if len(row) > 2 else f"{split}-{n}", (), {},
                f"{split}.jsonl:{n}")
        for n, row in enumerate(rows, start=1)
    )  # fmt: skip


def materials(train: Sequence[Row], dev: Sequence[Row] = (), answer: Any = None) -> Materials:
    """Of free text, unless an answer format is given."""
    format_: Answer = answer or Text()
    return Materials(
        examples("train", train), examples("dev", dev), (), {"full": "", "short": ""}, "{input}",
        format_, 32,
    )  # fmt: skip


def labelled(
    train: Sequence[Row], dev: Sequence[Row] = (), labels: Sequence[str] = ()
) -> Materials:
    known = labels or sorted({row[1] for row in [*train, *dev]})
    return materials(train, dev, Label(known))
