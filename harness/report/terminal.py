"""The ladder in a terminal."""

from __future__ import annotations

import os
from collections.abc import Sequence

import rich.table
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.text import Text

from harness.evidence.contrasts import Contrast
from harness.report.contrasts import reading
from harness.report.ladder import Row, warnings
from harness.report.table import Table
from harness.report.tables import tables

__all__ = ["show"]

PIPE_WIDTH = 120
"""Columns when the output goes into a file or another program."""


def show(rows: Sequence[Row], found: Sequence[Contrast], console: Console | None = None) -> None:
    """Print one ladder and its contrasts, and whatever the reader must be warned of."""
    console = console or Console()
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = max(console.width, PIPE_WIDTH)
    first = rows[0].manifest
    console.print()
    console.print(
        f"[bold]{first['task']}[/bold]  n={first['n']}  "
        f"eval {first['fingerprints']['eval'][:8]}  "
        f"model {', '.join(dict.fromkeys(_model(r) for r in rows))}",
        highlight=False,
    )
    if len({row.manifest["variant"] for row in rows}) == 1 and first["variant"]:
        console.print(f"with {first['variant']}", highlight=False, markup=False)
    for warning in warnings(rows):
        console.print(Text(f"! {warning}", style="bold red"))
    for table in tables(rows, found):
        console.print(_drawn(table, bold=first["primary"]))
        if table.note:
            console.print(Text(f"{table.note}\n", style="dim"))
    if found:
        console.print(Text(reading(found), style="dim"))


def _drawn(table: Table, bold: str) -> rich.table.Table:
    drawn = rich.table.Table(
        title=table.title,
        title_justify="left",
        box=SIMPLE_HEAD,
        pad_edge=False,
    )
    for place, heading in enumerate(table.headings):
        drawn.add_column(
            heading,
            justify="left" if place == 0 or heading == "verdict" else "right",
            overflow="fold",
            style="bold" if heading == bold else "",
        )
    for line in table.lines:
        drawn.add_row(*(Text(cell) for cell in line))
    return drawn


def _model(row: Row) -> str:
    m = row.manifest
    return f"{m['model']} ({m['licences']['model']}, {m['dtype']})"
