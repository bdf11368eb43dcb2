"""What a report is made of: numbers as text, and tables of them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

from harness.analysis.rungs import MARK, RungResult
from harness.evidence.statistics import Interval

__all__ = [
    "DASH",
    "FOOTNOTE",
    "Table",
    "footnote",
    "known",
    "percent",
    "seeds",
    "short",
    "with_interval",
    "written",
]

DASH = "–"
"""What is not known."""

FOOTNOTE = f"{MARK} one seed: the noise of training or of drawing is not measured"


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


def written(table: Table, write: Callable[[str], str]) -> Table:
    """The table with all its text as `write` writes it for where it goes."""
    return Table(
        title=write(table.title),
        headings=[write(heading) for heading in table.headings],
        lines=[[write(cell) for cell in line] for line in table.lines],
        prose=[write(heading) for heading in table.prose],
        notes=[write(note) for note in table.notes],
    )


def with_interval(interval: Interval) -> str:
    """A share in percent with its 95% interval: 33.2 (31.2–35.6)."""
    if interval.low is None or interval.high is None:
        return percent(interval.value)
    dash = "–" if interval.low >= 0 else " to "
    return f"{percent(interval.value)} ({percent(interval.low)}{dash}{percent(interval.high)})"


def percent(value: float) -> str:
    """A share in percent, without the sign."""
    return f"{100 * value:.1f}"


def short(value: float) -> str:
    """A number in three figures at least: 0.0123, 4.56, 789, 12,346; or <0.001."""
    if 0 < value < 0.001:
        return "<0.001"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def known(value: float | None, decimals: int = 0) -> str:
    """A number with so many decimals; a dash if it is not known."""
    return DASH if value is None else f"{value:.{decimals}f}"


def seeds(rung: RungResult) -> str:
    """How many seeds; "-" where nothing is random."""
    return "-" if rung.seeds is None else str(rung.seeds)


def footnote(shown: Iterable[RungResult]) -> str:
    """What the mark behind a label means; nothing if none is marked."""
    return FOOTNOTE if any(rung.label != rung.key for rung in shown) else ""
