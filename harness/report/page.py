"""The report as one HTML file that needs no network to be read."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from harness.evidence.contrasts import Contrast
from harness.report.contrasts import changes, changes_path, reading
from harness.report.figures import ladder_chart, training_chart
from harness.report.ladder import Row, warnings
from harness.report.table import percent, with_interval
from harness.report.tables import tables

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["page", "write_page"]

SHOWN = 400
"""Changed questions in the page; all of them are in the file beside it."""


def write_page(rows: Sequence[Row], found: Sequence[Contrast]) -> Path:
    """Write `report-<eval>.html` beside the rungs' folders; returns its path."""
    name = f"report-{rows[0].manifest['fingerprints']['eval'][:8]}.html"
    path = rows[0].folder.path.parents[1] / name
    path.write_text(page(rows, found), encoding="utf-8")
    return path


def page(rows: Sequence[Row], found: Sequence[Contrast]) -> str:
    """The report of one ladder and its contrasts."""
    first = rows[0].manifest
    changed = list(_changes(rows, found))
    tuned = [row for row in rows if row.manifest["training"]]
    environment = Environment(
        loader=PackageLoader("harness.report", ""), autoescape=True, undefined=StrictUndefined
    )
    return environment.get_template("page.html.jinja").render(
        task=first["task"],
        n=first["n"],
        eval=first["fingerprints"]["eval"],
        models=list(dict.fromkeys(f"{r.manifest['model']} ({r.manifest['dtype']})" for r in rows)),
        variant=first["variant"] if len({r.manifest["variant"] for r in rows}) == 1 else "",
        warnings=warnings(rows),
        verdicts=[{"name": c.name, "verdict": c.verdict, "text": _sentence(c)} for c in found],
        reading=reading(found) if found else "",
        chart=_svg(ladder_chart(rows)),
        tables=tables(rows, found),
        curves=_svg(training_chart(tuned)) if tuned else "",
        changes=changed[:SHOWN],
        left_out=max(0, len(changed) - SHOWN),
        changes_file=changes_path(rows).name,
        certificates=_certificates(rows),
        runs=[_origin(row) for row in rows],
        licences={what: licence for r in rows for what, licence in r.manifest["licences"].items()},
        versions=first["versions"],
        machine=first["machine"],
    )


def _sentence(c: Contrast) -> str:
    """A contrast in words."""
    if c.identical:
        return f"{c.rung} and {c.baseline} scored the same on every question."
    difference = f"{with_interval(c.delta)} points of {c.metric}"
    match c.verdict:
        case "better" | "worse":
            return f"{c.rung} is {c.verdict} than {c.baseline}: {difference}."
        case "equivalent":
            return (
                f"{c.rung} and {c.baseline} are equivalent within the stated margin: {difference}."
            )
        case _:
            return (
                f"No detectable difference between {c.rung} and {c.baseline}: {difference}; a true "
                f"difference of {percent(c.detectable)} points would have been found 4 times in 5."
            )


def _changes(rows: Sequence[Row], found: Sequence[Contrast]) -> Iterator[dict[str, Any]]:
    """The changed questions with their texts, largest change first."""
    path = rows[0].folder.eval_path(rows[0].manifest["fingerprints"]["eval"])
    asked = _asked(path)
    names = {(c.rung, c.baseline): c.name for c in found}
    lines = changes(rows, found)
    for line in sorted(lines, key=lambda one: -abs(one["values"][1] - one["values"][0])):
        yield line | {
            "name": names[line["rung"], line["baseline"]],
            **asked.get(line["id"], {"input": "", "target": ""}),
            "before": percent(line["values"][0]),
            "after": percent(line["values"][1]),
        }


def _asked(path: Path) -> dict[str, dict[str, str]]:
    """Input and target of each sealed question; nothing if the runs' folder was moved alone."""
    if not path.exists():
        return {}
    lines = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    return {line["id"]: {"input": line["input"], "target": line["target"]} for line in lines}


def _certificates(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Each certificate once, with the rungs that ran under it."""
    seen: dict[str, dict[str, Any]] = {}
    for row in rows:
        certificate = row.manifest["isolation"]
        same = seen.setdefault(repr(certificate), {**certificate, "labels": []})
        same["labels"].append(row.label)
    return [{**c, "rungs": ", ".join(c["labels"])} for c in seen.values()]


def _origin(row: Row) -> dict[str, Any]:
    m = row.manifest
    return {
        "label": row.label,
        "command": m["command"],
        "run": m["run"],
        "git": m["git"],
        "weights": m["weights"],
        "dtype": m["dtype"],
        "adapter": m["training"]["sha256"] if m["training"] else None,
    }


def _svg(figure: Figure) -> str:
    import matplotlib

    drawn = io.StringIO()
    # Letters stay letters, and the same figure is the same text.
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "harness"}):
        figure.savefig(drawn, format="svg", metadata={"Date": None})
    return drawn.getvalue().partition("<!DOCTYPE")[2].partition(">")[2]
