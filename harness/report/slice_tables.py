"""Kinds of field and slices by tag: a row for each rung, a column for each slice."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from harness.analysis.findings import Findings
from harness.evidence.statistics import Interval
from harness.report.formatting import Table, with_interval

__all__ = ["slices"]

KIND = "kind/"
KNOWLEDGE = "kind/knowledge"
MEASURE = "% (95% interval)"
WIDEST = 6
"""Columns of one table beside the rung's: more do not fit a page."""

Column = tuple[str, Sequence[Interval | None]]
"""A heading, and a cell for each rung."""


def slices(found: Findings) -> list[Table]:
    """The kinds of field over all questions; then by each tag the primary metric, and knowledge."""
    kinds = [name for name in found.measures if name.startswith(KIND)]
    columns = [_column(f"{_kind(kind)} fields", kind, "", found) for kind in kinds]
    tables = _tables(f"kinds of field, {MEASURE}", columns, found)
    tags = dict.fromkeys(tag for rung in found.rungs for tag in rung.slices)
    for name, of_name in groupby(tags, key=lambda tag: tag.partition("=")[0]):
        values = {tag: tag.removeprefix(f"{name}=") for tag in of_name}
        for metric, what in {
            found.primary: found.primary,
            KNOWLEDGE: f"{_kind(KNOWLEDGE)} fields",
        }.items():
            columns = [_column(value, metric, tag, found) for tag, value in values.items()]
            tables += _tables(f"by {name}: {what}, {MEASURE}", columns, found)
    return tables


def _kind(metric: str) -> str:
    return metric.removeprefix(KIND)


def _column(heading: str, metric: str, tag: str, found: Findings) -> Column:
    cells = [rung.metric(metric, tag) for rung in found.rungs]
    n = next((cell.n for cell in cells if cell), 0)
    return f"{heading} (n={n})", cells


def _tables(title: str, columns: Sequence[Column], found: Findings) -> list[Table]:
    """As many tables as the columns need; those in which nothing stands are left out."""
    known = [column for column in columns if any(column[1])]
    parts = [known[start : start + WIDEST] for start in range(0, len(known), WIDEST)]
    return [
        Table(
            title if len(parts) == 1 else f"{title}, {place} of {len(parts)}",
            ["rung", *(heading for heading, _ in part)],
            [
                [rung.label, *(with_interval(cell) if cell else "" for cell in cells)]
                for rung, *cells in zip(found.rungs, *(cells for _, cells in part), strict=True)
            ],
        )
        for place, part in enumerate(parts, start=1)
    ]
