"""The ladder as Markdown: warnings, the verdict, the tables."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from harness.analysis.findings import Findings
from harness.report.advice import advice, rule
from harness.report.formatting import Table, footnote
from harness.report.knowledge_update import sentence
from harness.report.learning_curve import sentences
from harness.report.tables import tables
from harness.report.verdicts import verdicts

__all__ = ["GAP", "fitting", "markdown"]

GAP = "\n\n"


def markdown(found: Findings) -> list[str]:
    """The report in parts, the most important first."""
    lines = []
    for v in verdicts(found):
        blocked = f" **Blocked: {v.blocked}.**" if v.blocked else ""
        lines.append(f"- {'; '.join(filter(None, [v.text, v.detail]))}.{blocked}")
    if said := sentence(found):
        lines.append(f"- {said}.")
    lines += [f"- {said}" for said in sentences(found)]
    return [
        *(f"**{warning}**" for warning in found.warnings),
        *filter(
            None,
            [" ".join(advice(found)), rule(found), "\n".join(lines), _plain(footnote(found.rungs))],
        ),
        *(_drawn(table) for table in tables(found)),
    ]


def fitting(parts: Sequence[str], longest: int, rest: str) -> str:
    """As many whole parts as `longest` characters hold, and `rest` if some are left out."""
    text = GAP.join(parts)
    kept = list(parts)
    while kept and len(text) > longest:
        kept.pop()
        text = GAP.join([*kept, rest])
    return text


def _drawn(table: Table) -> str:
    frame = pd.DataFrame(table.lines, columns=list(table.headings))
    drawn = frame.to_markdown(index=False, disable_numparse=True)
    return GAP.join([f"**{table.title}**", drawn, *map(_plain, table.notes)])


def _plain(note: str) -> str:
    """A star in front is the mark of a footnote, and no bullet."""
    return f"\\{note}" if note.startswith("*") else note
