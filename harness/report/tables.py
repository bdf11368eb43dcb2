"""What a report says in tables: the same for the terminal, for HTML and for MLflow."""

from __future__ import annotations

from collections.abc import Sequence

from harness.evidence.contrasts import Contrast
from harness.report.costs import costs
from harness.report.ladder import Row
from harness.report.table import Table, percent, with_interval

__all__ = ["tables"]

SCORES = (
    "exact", "accuracy", "macro_f1", "token_f1", "contains", "rouge_l", "valid",
    "kind/format", "kind/behaviour", "kind/knowledge", "kind/action",
)  # fmt: skip
"""Metrics beside the primary one that the first table shows, as far as a task has them."""

KNOWLEDGE = "kind/knowledge"


def tables(rows: Sequence[Row], found: Sequence[Contrast]) -> list[Table]:
    """All tables of one ladder; `found` are its contrasts."""
    made = [_scores(rows)]
    if found:
        made.append(_contrasts(found))
    if any(row.slices for row in rows):
        made.append(_slices(rows))
    return [*made, _answers(rows), *costs(rows, found)]


def _scores(rows: Sequence[Row]) -> Table:
    primary = rows[0].manifest["primary"]
    others = [m for m in SCORES if m != primary and any(m in r.metrics for r in rows)]
    return Table(
        "scores, % (95% interval)",
        ["rung", "n", primary, *(name.removeprefix("kind/") for name in others)],
        [
            [
                row.label,
                str(row.manifest["n"]),
                with_interval(row.primary),
                *(percent(row.metrics[m].value) if m in row.metrics else "" for m in others),
            ]
            for row in rows
        ],
    )


def _contrasts(found: Sequence[Contrast]) -> Table:
    """Whether the differences are real."""
    return Table(
        f"declared contrasts: {found[0].metric}, paired by question, points (95% interval)",
        ["rung – baseline", "difference", "p (Holm)", "detectable", "better on", "worse on",
         "verdict"],
        [
            [
                c.name,
                with_interval(c.delta),
                f"{c.p_adjusted:.4f}" if c.p_adjusted >= 0.0001 else "<0.0001",
                "" if c.identical else percent(c.detectable),
                str(len(c.improved)),
                str(len(c.worsened)),
                c.verdict,
            ]
            for c in found
        ],
    )  # fmt: skip


def _slices(rows: Sequence[Row]) -> Table:
    primary = rows[0].manifest["primary"]
    lines = []
    for tag in dict.fromkeys(tag for row in rows for tag in row.slices):
        for metric in (primary, KNOWLEDGE):
            cells = [row.slices.get(tag, {}).get(metric) for row in rows]
            known = [c for c in cells if c is not None]
            if known:
                name = tag if metric == primary else "  its knowledge fields"
                values = [with_interval(c) if c else "" for c in cells]
                lines.append([name, str(known[0].n), *values])
    headings = ["slice", "n", *(row.label for row in rows)]
    return Table(f"slices: {primary}, % (95% interval)", headings, lines)


def _answers(rows: Sequence[Row]) -> Table:
    """How answers ended, and whether they could be read at all."""
    recalls = sorted({m for r in rows for m in r.metrics if m.startswith("recall_at_")})
    lines = []
    for row in rows:
        m, n = row.metrics, row.manifest["n"]
        lines.append(
            [
                row.label,
                percent(m["stopped"].value),
                str(round(m["truncated"].value * n)),
                str(round((1 - m["readable"].value) * n)),
                str(round(m["failed"].value * n)),
                *(with_interval(m[name]) if name in m else "" for name in recalls),
            ]
        )
    headings = ["rung", "stopped by itself, %", "cut off", "unreadable", "failed", *recalls]
    return Table("answers (counts)", headings, lines)
