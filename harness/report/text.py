"""What a report is made of: numbers as text, and tables of them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from harness.evidence.statistics import Interval

__all__ = ["Table", "percent", "with_interval"]


@dataclass(frozen=True)
class Table:
    """Text in rows; the first column names them."""

    title: str
    headings: Sequence[str]
    lines: Sequence[Sequence[str]]
    prose: Collection[str] = ()
    """Headings of the columns that hold words and may be broken into lines."""
    notes: Sequence[str] = ()
    """What must be read with it, one sentence each."""


def with_interval(interval: Interval) -> str:
    """A share in percent with its 95% interval: 33.2 (31.2–35.6)."""
    if interval.low is None or interval.high is None:
        return percent(interval.value)
    dash = "–" if interval.low >= 0 else " to "
    return f"{percent(interval.value)} ({percent(interval.low)}{dash}{percent(interval.high)})"


def percent(value: float) -> str:
    """A share in percent, without the sign."""
    return f"{100 * value:.1f}"
