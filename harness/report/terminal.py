"""The ladder in a terminal."""

from __future__ import annotations

import os
from collections.abc import Sequence

import rich.table
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.text import Text

from harness.report.findings import Findings, Verdict
from harness.report.ladder import Row, warnings
from harness.report.tables import tables
from harness.report.text import Table

__all__ = ["print_table", "show"]

PIPE_WIDTH = 120
"""Columns when the output goes into a file or another program."""

WIDE = 1000
"""Columns in which any table has room, to measure how many it wants."""

COLOURS = {"better": "green", "worse": "red"}


def show(rows: Sequence[Row], found: Findings, console: Console | None = None) -> None:
    """Print one ladder: warnings, the verdict, and what it rests on."""
    console = console or Console()
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = max(console.width, PIPE_WIDTH)
    first = rows[0].manifest
    console.print()
    console.print(
        f"[bold]{first['task']}[/bold]  n={first['n']}  "
        f"eval {first['fingerprints']['eval'][:8]}  "
        f"model {', '.join(dict.fromkeys(_model(r) for r in rows if r.manifest['model']))}",
        highlight=False,
    )
    if len({row.manifest["variant"] for row in rows}) == 1 and first["variant"]:
        console.print(f"with {first['variant']}", highlight=False, markup=False)
    for warning in warnings(rows):
        console.print(Text(f"! {warning}", style="bold red"))
    for verdict in found.verdicts:
        console.print(_line(verdict))
    for table in tables(found):
        print_table(console, table, first["primary"])
        for note in table.notes:
            console.print(Text(note, style="dim"))


def print_table(console: Console, table: Table, bold: str) -> None:
    """Print a table; where it is too wide, headings are broken between words, not inside one."""
    drawn = _drawn(table, bold)
    if console.measure(drawn, options=console.options.update(width=WIDE)).maximum > console.width:
        drawn = _drawn(table, bold, tight=True)
    console.print(drawn)


def _line(verdict: Verdict) -> Text:
    """One declared contrast, and why it is not to be acted on."""
    colour = COLOURS.get(verdict.contrast.verdict, "")
    line = Text(f"• {verdict.text}", style="" if verdict.blocked else colour)
    if verdict.blocked:
        line.append(f"; blocked: {verdict.blocked}", style="bold yellow")
    return line


def _drawn(table: Table, bold: str, *, tight: bool = False) -> rich.table.Table:
    drawn = rich.table.Table(
        title=table.title,
        title_justify="left",
        box=SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=tight,
    )
    for place, heading in enumerate(table.headings):
        drawn.add_column(
            heading if heading in table.prose else heading.replace(" ", "\n" if tight else " "),
            justify="left" if place == 0 or heading in table.prose else "right",
            overflow="fold",
            style="bold" if heading == bold else "",
        )
    for line in table.lines:
        drawn.add_row(*(Text(cell) for cell in line))
    return drawn


def _model(row: Row) -> str:
    m = row.manifest
    return f"{m['model']} ({m['licences']['model']}, {m['dtype']})"
