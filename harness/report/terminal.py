"""The ladder in a terminal: the essence in one screen, or all tables."""

from __future__ import annotations

import os

import rich.table
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.text import Text

from harness.analysis.findings import Findings
from harness.analysis.runs import RunResult
from harness.report import knowledge_update
from harness.report.advice import advice, rule
from harness.report.columns import Part, parts
from harness.report.essence import essence
from harness.report.formatting import Table
from harness.report.tables import failed_badges, tables
from harness.report.verdicts import Verdict, verdicts

__all__ = ["print_table", "show"]

PIPE_WIDTH = 120
"""Columns when the output goes into a file or another program."""

COLOURS = {"better": "green", "worse": "red"}


def show(found: Findings, console: Console | None = None, *, full: bool = False) -> None:
    """Print one ladder: warnings, the recommendation, the verdicts and what they rest on.

    `full` prints all tables.
    """
    console = console or Console()
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = max(console.width, PIPE_WIDTH)
    _head(found, console)
    for warning in found.warnings:
        console.print(Text(f"! {warning}", style="bold red"))
    for place, advised in enumerate(advice(found)):
        console.print(Text(advised, style="" if place else "bold"))
    if said := rule(found):
        console.print(Text(said, style="dim"))
    for verdict in verdicts(found):
        console.print(_line(verdict))
    if said := knowledge_update.sentence(found):
        console.print(Text(f"• {said}"))
    for table in tables(found) if full else essence(found):
        print_table(console, table, found.primary)
        for note in table.notes:
            console.print(Text(note, style="dim"))
    failed = [] if full else failed_badges(found)  # the table of badges says it too
    if failed:
        console.print()
    for line in failed:
        console.print(Text(line, style="yellow"))


def print_table(console: Console, table: Table, bold: str) -> None:
    """Print a table, in several parts if it is too wide; the column headed `bold` stands out."""
    console.print()
    console.print(Text(table.title, style="italic"))
    for place, part in enumerate(parts(table, console.width)):
        if place:
            console.print()
        console.print(_drawn(part, table, bold))


def _head(found: Findings, console: Console) -> None:
    first = found.manifest
    models = dict.fromkeys(_model(run) for run in found.runs if run.manifest["model"])
    answered = f"  model {', '.join(models)}" if models else ""
    console.print()
    console.print(
        f"[bold]{first['task']}[/bold]  n={first['n']}  eval {found.ladder.eval_set[:8]}{answered}",
        highlight=False,
    )
    if len({run.manifest["variant"] for run in found.runs}) == 1 and first["variant"]:
        console.print(f"with {first['variant']}", highlight=False, markup=False)


def _line(verdict: Verdict) -> Text:
    """One declared contrast, and why it is not to be acted on."""
    colour = COLOURS.get(verdict.contrast.verdict, "")
    line = Text(f"• {verdict.text}", style="" if verdict.blocked else colour)
    if verdict.blocked:
        line.append(f"; blocked: {verdict.blocked}", style="bold yellow")
    return line


def _drawn(part: Part, table: Table, bold: str) -> rich.table.Table:
    drawn = rich.table.Table(
        box=SIMPLE_HEAD, show_edge=False, pad_edge=False, collapse_padding=True
    )
    for place, heading in enumerate(part.headings):
        drawn.add_column(
            Text(heading),
            width=part.widths[place],
            justify="left" if place == 0 or heading in table.prose else "right",
            overflow="fold",
            style="bold" if heading == bold else "",
        )
    for line in part.lines:
        drawn.add_row(*(Text(cell) for cell in line))
    return drawn


def _model(run: RunResult) -> str:
    m = run.manifest
    return f"{m['model']} ({m['licences']['model']}, {m['dtype']})"
