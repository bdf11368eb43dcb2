"""The ladder in a terminal: the essence in one screen, or all tables."""

from __future__ import annotations

import os

import rich.table
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.text import Text

from harness.analysis.findings import Findings
from harness.analysis.labels import shared_words
from harness.analysis.runs import RunResult
from harness.inert import visible
from harness.report import knowledge_update
from harness.report.advice import advice, rule
from harness.report.columns import Part, parts
from harness.report.essence import essence
from harness.report.formatting import Table, written
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
        console.print(_text(f"! {warning}", "bold red"))
    for place, advised in enumerate(advice(found)):
        console.print(_text(advised, "" if place else "bold"))
    if said := rule(found):
        console.print(_text(said, "dim"))
    for verdict in verdicts(found):
        console.print(_line(verdict))
    if said := knowledge_update.sentence(found):
        console.print(_text(f"• {said}"))
    for table in tables(found) if full else essence(found):
        print_table(console, table, found.primary)
        for note in table.notes:
            console.print(_text(note, "dim"))
    failed = [] if full else failed_badges(found)  # the table of badges says it too
    if failed:
        console.print()
    for line in failed:
        console.print(_text(line, "yellow"))


def print_table(console: Console, table: Table, bold: str) -> None:
    """Print a table, in several parts if it is too wide; the column headed `bold` stands out."""
    console.print()
    console.print(_text(table.title, "italic"))
    shown = written(table, visible)
    for place, part in enumerate(parts(shown, console.width)):
        if place:
            console.print()
        console.print(_drawn(part, shown, bold))


def _head(found: Findings, console: Console) -> None:
    first = found.manifest
    models = dict.fromkeys(_model(run) for run in found.runs if run.manifest["model"])
    answered = f"  model {', '.join(models)}" if models else ""
    console.print()
    about = f"  n={first['n']}  eval {found.ladder.eval_set[:8]}{answered}"
    console.print(_text(first["task"], "bold").append(visible(about), style="not bold"))
    if words := shared_words([run.manifest for run in found.runs]):
        console.print(_text(f"with {' '.join(words)}"))


def _line(verdict: Verdict) -> Text:
    """One declared contrast, and why it is not to be acted on."""
    colour = COLOURS.get(verdict.contrast.verdict, "")
    line = _text(f"• {verdict.text}", "" if verdict.blocked else colour)
    if verdict.blocked:
        line.append(visible(f"; blocked: {verdict.blocked}"), style="bold yellow")
    return line


def _text(said: str, style: str = "") -> Text:
    """What is said as letters: neither rich's markup nor a terminal's codes in it count."""
    return Text(visible(said), style=style)


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
