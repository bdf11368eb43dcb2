"""The report as one HTML file that needs no network to be read."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from harness.evidence.contrasts import Contrast
from harness.report.contrasts import changes, changes_path
from harness.report.entries import footnote
from harness.report.figures import ladder_chart, training_chart
from harness.report.findings import Findings
from harness.report.ladder import Row, warnings
from harness.report.tables import sections
from harness.report.text import percent

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["page", "write_page"]

SHOWN = 400
"""Changed questions in the page; all of them are in the file beside it."""


def write_page(rows: Sequence[Row], found: Findings) -> Path:
    """Write `report-<eval>.html` beside the rungs' folders; returns its path."""
    name = f"report-{rows[0].manifest['fingerprints']['eval'][:8]}.html"
    path = rows[0].folder.path.parents[1] / name
    path.write_text(page(rows, found), encoding="utf-8")
    return path


def page(rows: Sequence[Row], found: Findings) -> str:
    """The report of one ladder and what was found on it."""
    first = rows[0].manifest
    environment = Environment(
        loader=PackageLoader("harness.report", ""), autoescape=True, undefined=StrictUndefined
    )
    return environment.get_template("page.html.jinja").render(
        task=first["task"],
        n=first["n"],
        eval=first["fingerprints"]["eval"],
        warnings=warnings(rows),
        found=found,
        verdicts=found.verdicts,
        footnote=footnote(found.ladder),
        sections=sections(found),
        certificates=_certificates(rows),
        runs=[_origin(row) for row in rows],
        licences={what: licence for r in rows for what, licence in r.manifest["licences"].items()},
        versions=first["versions"],
        machine=first["machine"],
        **_about(rows),
        **_pictures(found),
        **_changed(rows, found.contrasts),
    )


def _about(rows: Sequence[Row]) -> dict[str, Any]:
    """Which models answered, and what all runs were started with."""
    variants = {row.manifest["variant"] for row in rows}
    models = [f"{m['model']} ({m['dtype']})" for row in rows if (m := row.manifest)["model"]]
    return {
        "models": list(dict.fromkeys(models)),
        "variant": rows[0].manifest["variant"] if len(variants) == 1 else "",
    }


def _pictures(found: Findings) -> dict[str, Any]:
    tuned = [entry for entry in found.ladder if entry.tuned]
    return {
        "chart": _svg(ladder_chart(found.ladder)) if found.ladder else "",
        "curves": [_svg(training_chart(entry)) for entry in tuned],
    }


def _changed(rows: Sequence[Row], contrasts: Sequence[Contrast]) -> dict[str, Any]:
    changed = list(_changes(rows, contrasts))
    return {
        "changes": changed[:SHOWN],
        "left_out": max(0, len(changed) - SHOWN),
        "changes_file": changes_path(rows).name,
    }


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
