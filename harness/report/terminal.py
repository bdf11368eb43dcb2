"""The ladder in a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.evidence.statistics import Interval
from harness.report.ladder import Row

__all__ = ["show"]

PREFERRED = (
    "exact", "valid", "kind/format", "kind/behaviour", "kind/knowledge", "kind/action",
    "macro_f1", "contains", "rouge_l", "readable",
)  # fmt: skip
"""Metrics beside the primary one that a table shows, as far as a task has them."""


def show(rows: Sequence[Row], console: Console | None = None) -> None:
    """Print one ladder: scores, slices, cost, and whatever the reader must be warned of."""
    console = console or Console()
    first = rows[0].manifest
    console.print()
    console.print(
        f"[bold]{first['task']}[/bold]  n={first['n']}  "
        f"eval {first['fingerprints']['eval'][:8]}  "
        f"model {', '.join(dict.fromkeys(_model(r) for r in rows))}"
    )
    for warning in warnings(rows):
        console.print(Text(f"! {warning}", style="bold red"))
    console.print(_scores(rows))
    if any(row.slices for row in rows):
        console.print(_slices(rows))
    console.print(_costs(rows))


def warnings(rows: Sequence[Row]) -> list[str]:
    """What must be said loudly about these runs."""
    said: dict[str, None] = {}
    for row in rows:
        m = row.manifest
        if m["limit"] is not None:
            said[f"limit={m['limit']}: only the first {m['n']} eval examples were asked"] = None
        leaks = len(m["isolation"]["leaks"])
        if m["isolation"]["decision"] == "allowed":
            said[f"NOT ISOLATED: {leaks} leaks into eval were allowed; scores are inflated"] = None
        if m["isolation"]["decision"] == "dropped":
            said[f"{leaks} leaks into eval were found and taken out of what rungs learn from"] = (
                None
            )
        if row.metrics["failed"].value:
            count = round(row.metrics["failed"].value * m["n"])
            said[f"{row.label}: {count} predictions failed and count as wrong"] = None
    return list(said)


def _scores(rows: Sequence[Row]) -> Table:
    primary = rows[0].manifest["primary"]
    others = [m for m in PREFERRED if m != primary and any(m in r.metrics for r in rows)]
    others += sorted({m for r in rows for m in r.metrics if m.startswith("recall_at_")})
    table = Table(title="scores, % (95% interval)", title_justify="left")
    table.add_column("rung", no_wrap=True)
    table.add_column("n", justify="right")
    table.add_column(primary, justify="right", style="bold", no_wrap=True)
    for name in others:
        table.add_column(name.removeprefix("kind/"), justify="right")
    for column in ("unread.", "cut off", "stopped", "failed"):
        table.add_column(column, justify="right")
    for row in rows:
        m, n = row.metrics, row.manifest["n"]
        table.add_row(
            row.label,
            str(n),
            _interval(row.primary),
            *(_percent(m[name].value) if name in m else "" for name in others),
            str(round((1 - m["readable"].value) * n)),
            str(round(m["truncated"].value * n)),
            _percent(m["stopped"].value),
            str(round(m["failed"].value * n)),
        )
    return table


def _slices(rows: Sequence[Row]) -> Table:
    primary = rows[0].manifest["primary"]
    knowledge = "kind/knowledge"
    table = Table(title=f"slices: {primary}, % (95% interval)", title_justify="left")
    table.add_column("slice", no_wrap=True)
    table.add_column("n", justify="right")
    for row in rows:
        table.add_column(row.label, justify="right")
    for tag in dict.fromkeys(tag for row in rows for tag in row.slices):
        for metric in (primary, knowledge):
            cells = [row.slices.get(tag, {}).get(metric) for row in rows]
            known = [c for c in cells if c is not None]
            if known:
                name = tag if metric == primary else f"{tag} · knowledge"
                table.add_row(name, str(known[0].n), *(_interval(c) if c else "" for c in cells))
    return table


def _costs(rows: Sequence[Row]) -> Table:
    table = Table(title="cost", title_justify="left")
    table.add_column("rung", no_wrap=True)
    for column in (
        "prompt tok/q", "answer tok/q", "s/q", "training s", "trainable", "peak MB", "total s"
    ):  # fmt: skip
        table.add_column(column, justify="right")
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


def _interval(interval: Interval) -> str:
    if interval.low is None or interval.high is None:
        return _percent(interval.value)
    return f"{_percent(interval.value)} ({_percent(interval.low)}–{_percent(interval.high)})"


def _percent(value: float) -> str:
    return f"{100 * value:.1f}"
