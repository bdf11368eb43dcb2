"""What MLflow shows of a ladder, made before a store is asked for anything."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

import pandas as pd

from harness.report.formatting import seeds
from harness.report.mlflow_run import times

if TYPE_CHECKING:
    from harness.analysis.findings import Findings
    from harness.analysis.rungs import RungResult

__all__ = ["Ladder"]

LONGEST_NOTE = 8000
"""MLflow would cut a longer description off, wherever that is."""


@dataclass(frozen=True)
class Ladder:
    """What the parent run of a sweep shows."""

    task: str
    ended: int
    """Milliseconds."""
    values: list[tuple[str, float]]
    texts: dict[str, str]
    """By the names of the artifacts."""
    note: str
    pictures: list[Path]

    @classmethod
    def of(cls, found: Findings, scratch: Path) -> Ladder:
        from harness.analysis.export import as_json, record
        from harness.report.figures import ladder_chart, save
        from harness.report.markdown import GAP, fitting, markdown
        from harness.report.page import page
        from harness.report.pareto_figure import pareto_chart

        # Numbered as the ladder is, so that the UI sorts them; the same in every sweep.
        names = [f"ladder/{r.manifest['place']:02d} {r.key}" for r in found.rungs]
        table = pd.DataFrame([_summary(rung) for rung in found.rungs])
        parts = markdown(found)
        charts = {
            "ladder.png": ladder_chart(found.rungs) if found.rungs else None,
            "pareto.png": pareto_chart(found),
        }
        for name, chart in charts.items():
            if chart is not None:
                save(chart, scratch / name)
        return cls(
            task=found.manifest["task"],
            ended=max(times(run.folder)[1] for run in found.runs),
            values=list(zip(names, (rung.primary.value for rung in found.rungs), strict=True)),
            texts={
                "ladder.json": table.to_json(orient="split"),
                "findings.json": as_json(record(found)),
                "ladder.md": GAP.join(parts),
                "report.html": page(found),
            },
            note=fitting(parts, LONGEST_NOTE, "The rest is in the artifact ladder.md."),
            pictures=[scratch / name for name, chart in charts.items() if chart is not None],
        )


def _summary(rung: RungResult) -> dict[str, Any]:
    """One rung as a row: every metric but those of single fields, and what a question took."""
    known = {name: rung.metric(name) for name in rung.metrics if not name.startswith("field/")}
    counts = ("prompt_tokens", "completion_tokens", "seconds")
    return {
        "rung": rung.label,
        "n": rung.manifest["n"],
        "seeds": seeds(rung),
        **{name: value.value for name, value in known.items() if value},
        "low": rung.primary.low,
        "high": rung.primary.high,
        **{count: _mean(run.per_question(count) for run in rung.runs) for count in counts},
    }


def _mean(values: Iterable[float | None]) -> float | None:
    """None if one is not known."""
    found = list(values)
    return None if None in found else fmean(value or 0.0 for value in found)
