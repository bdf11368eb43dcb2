"""The ladder in a terminal."""

from __future__ import annotations

import os
from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.report.ladder import Row, percent, warnings, with_interval

__all__ = ["show"]

SCORES = (
    "exact", "accuracy", "macro_f1", "token_f1", "contains", "rouge_l", "valid",
    "kind/format", "kind/behaviour", "kind/knowledge", "kind/action",
)  # fmt: skip
"""Metrics beside the primary one that the first table shows, as far as a task has them."""

PIPE_WIDTH = 120
"""Columns when the output goes into a file or another program."""


def show(rows: Sequence[Row], console: Console | None = None) -> None:
    """Print one ladder: scores, slices, how answers ended, cost, and what to be warned of."""
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
    console.print(_scores(rows))
    if any(row.slices for row in rows):
        console.print(_slices(rows))
    console.print(_answers(rows))
    console.print(_costs(rows))


def _table(title: str, columns: Sequence[str], first: str = "rung") -> Table:
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column(first, overflow="fold")
    for column in columns:
        table.add_column(column, justify="right")
    return table


def _scores(rows: Sequence[Row]) -> Table:
    primary = rows[0].manifest["primary"]
    others = [m for m in SCORES if m != primary and any(m in r.metrics for r in rows)]
    headings = ["n", f"[bold]{primary}[/bold]", *(name.removeprefix("kind/") for name in others)]
    table = _table("scores, % (95% interval)", headings)
    for row in rows:
        table.add_row(
            row.label,
            str(row.manifest["n"]),
            f"[bold]{with_interval(row.primary)}[/bold]",
            *(percent(row.metrics[m].value) if m in row.metrics else "" for m in others),
        )
    return table


def _slices(rows: Sequence[Row]) -> Table:
    primary = rows[0].manifest["primary"]
    knowledge = "kind/knowledge"
    title = f"slices: {primary}, % (95% interval)"
    table = _table(title, ["n", *(row.label for row in rows)], first="slice")
    for tag in dict.fromkeys(tag for row in rows for tag in row.slices):
        for metric in (primary, knowledge):
            cells = [row.slices.get(tag, {}).get(metric) for row in rows]
            known = [c for c in cells if c is not None]
            if known:
                name = tag if metric == primary else "  its knowledge fields"
                table.add_row(
                    name, str(known[0].n), *(with_interval(c) if c else "" for c in cells)
                )
    return table


def _answers(rows: Sequence[Row]) -> Table:
    """How answers ended, and whether they could be read at all."""
    recalls = sorted({m for r in rows for m in r.metrics if m.startswith("recall_at_")})
    headings = ["stopped by itself, %", "cut off", "unreadable", "failed", *recalls]
    table = _table("answers (counts)", headings)
    for row in rows:
        m, n = row.metrics, row.manifest["n"]
        table.add_row(
            row.label,
            percent(m["stopped"].value),
            str(round(m["truncated"].value * n)),
            str(round((1 - m["readable"].value) * n)),
            str(round(m["failed"].value * n)),
            *(with_interval(m[name]) if name in m else "" for name in recalls),
        )
    return table


def _costs(rows: Sequence[Row]) -> Table:
    table = _table(
        "cost (tokens and seconds per question; the rest per run)",
        ["prompt tok", "answer tok", "seconds", "train s", "trainable", "peak MB",
         "run s"],
    )  # fmt: skip
    for row in rows:
        training = row.manifest["training"]
        table.add_row(
            row.label,
            f"{row.prompt_tokens:.0f}",
            f"{row.completion_tokens:.0f}",
            f"{row.seconds:.3f}",
            f"{training['seconds']:.0f}" if training else "",
            f"{training['trainable']:,}" if training else "0",
            f"{row.manifest['peak_memory_mb']:.0f}",
            f"{row.manifest['seconds']['total']:.0f}",
        )
    return table


def _model(row: Row) -> str:
    m = row.manifest
    return f"{m['model']} ({m['licences']['model']}, {m['dtype']})"
