"""What the benchmarks end in: one table, each line a ratio measured in one run on one machine."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from rich.console import Console
from rich.table import Table

from harness.record.provenance import machine

__all__ = ["Row", "show"]

HEADINGS = ("what", "unit", "harness", "against", "its own", "ratio", "aim", "output")


@dataclass(frozen=True)
class Row:
    """harness and one other way, at the same work."""

    what: str
    """The work."""
    unit: str
    """`s` (less is better), or a rate (more is better)."""
    ours: float | None
    other: str
    """The other way, and how it was set."""
    theirs: float | None
    """None if one did not run; `output` then says why."""
    aim: float | None = None
    """The ratio that is aimed at."""
    output: str = ""
    """How what the two gave out compares; for answers, how many are letter for letter those of
    transformers' `generate`."""

    @property
    def ratio(self) -> float | None:
        """How many times as fast harness is."""
        if self.ours is None or self.theirs is None:
            return None
        return self.theirs / self.ours if self.unit == "s" else self.ours / self.theirs

    def cells(self) -> tuple[str, ...]:
        """The line as text, in the order of HEADINGS."""
        return (
            self.what,
            self.unit,
            _number(self.ours),
            self.other,
            _number(self.theirs),
            _number(self.ratio),
            "" if self.aim is None else f"≥ {self.aim:g}",
            self.output,
        )


def show(rows: Iterable[Row]) -> None:
    """Print the table, and on which machine it was measured."""
    about = machine()
    threads = f"{about['cores']} cores, {torch.get_num_threads()} threads"
    table = Table(caption=f"{about['processor']}, {threads}")
    for heading in HEADINGS:
        numeric = heading in ("harness", "its own", "ratio", "aim")
        table.add_column(heading, justify="right" if numeric else "left")
    for row in rows:
        table.add_row(*row.cells())
    console = Console()
    # Written to a file, a table must not be cut at 80 columns.
    Console(width=console.width if console.is_terminal else 180).print(table)


def _number(value: float | None) -> str:
    """Three significant digits."""
    if value is None:
        return "–"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
