"""The ladder as Markdown: warnings, the verdict, the tables."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from harness import inert
from harness.analysis.findings import Findings
from harness.report.advice import advice, rule
from harness.report.formatting import Table, footnote, written
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
        blocked = f" **Blocked: {inert.markdown(v.blocked)}.**" if v.blocked else ""
        told = "; ".join(filter(None, [v.text, v.detail]))
        lines.append(f"- {inert.markdown(told)}.{blocked}")
    if said := sentence(found):
        lines.append(f"- {inert.markdown(said)}.")
    lines += [f"- {inert.markdown(said)}" for said in sentences(found)]
    advised, ruled = inert.markdown(" ".join(advice(found))), inert.markdown(rule(found))
    return [
        *(f"**{inert.markdown(warning)}**" for warning in found.warnings),
        *filter(None, [advised, ruled, "\n".join(lines), inert.markdown(footnote(found.rungs))]),
        *(_drawn(written(table, inert.markdown)) for table in tables(found)),
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
    return GAP.join([f"**{table.title}**", drawn, *table.notes])
