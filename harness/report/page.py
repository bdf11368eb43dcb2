"""The report as one HTML file that needs no network to be read."""

from __future__ import annotations

import io
import re
from base64 import b64encode
from collections.abc import Iterator, Sequence
from hashlib import sha256
from importlib import resources
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from harness.analysis.declared_contrasts import changes
from harness.analysis.findings import Findings
from harness.analysis.labels import shared_words
from harness.analysis.runs import RunResult
from harness.inert import visible
from harness.report import diagnosis
from harness.report.ablation_figure import waterfall_chart
from harness.report.advice import advice
from harness.report.control_sentences import sentence
from harness.report.data_quality_figure import noise_chart
from harness.report.diagnosis_figure import diagnosis_chart
from harness.report.figures import ladder_chart, training_chart
from harness.report.formatting import footnote, percent
from harness.report.knowledge_update import facts_known, update_chart
from harness.report.knowledge_update import sentence as update_sentence
from harness.report.learning_curve import sentences
from harness.report.learning_curve_figure import learning_curve_chart
from harness.report.pareto_figure import pareto_chart
from harness.report.probe_figures import risk_charts
from harness.report.tables import sections
from harness.report.verdicts import verdicts

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["page"]

DRAWN_STYLE = re.compile(r'<style type="text/css">\*\{[^<]*\}</style>')
"""What matplotlib puts into each drawing."""
SHOWN = 400
"""Changed questions in the page; all of them are in the file beside it."""


def page(found: Findings) -> str:
    """The report of one ladder."""
    first = found.manifest
    environment = Environment(
        loader=PackageLoader("harness.report", ""),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_seen,
    )
    environment.filters["breakable"] = _breakable
    style, script = (Markup(_beside(name)) for name in ("page.css", "page.js"))
    return environment.get_template("page.html.jinja").render(
        style=style,
        script=script,
        policy=_policy(style, script),
        task=first["task"],
        n=first["n"],
        eval=found.ladder.eval_set,
        warnings=found.warnings,
        advice=[_marked(sentence) for sentence in advice(found)],
        verdicts=verdicts(found),
        controls=[(one.control.label, sentence(one)) for one in found.controls],
        update_sentence=update_sentence(found),
        checks=found.checks,
        footnote=footnote(found.rungs),
        forgetting=found.forgetting,
        labels=found.labels,
        sections=sections(found),
        certificates=_certificates(found.runs),
        runs=[_origin(run) for run in found.runs],
        licences={k: v for run in found.runs for k, v in run.manifest["licences"].items()},
        versions=first["versions"],
        machine=first["machine"],
        numbers_file=found.path("findings", "json").name,
        **_about(found.runs),
        **_pictures(found),
        **_changed(found),
        **_diagnosed(found),
    )


def _seen(value: Any) -> Any:
    """What a template writes, with what a reader would not see in its text as escapes."""
    if isinstance(value, Markup):
        return Markup(visible(str(value), lines=True))
    return visible(value, lines=True) if isinstance(value, str) else value


def _breakable(label: str) -> Markup:
    """A label that may be broken into lines behind `=` and `_`."""
    return Markup(re.sub("(?<=[=_])", "<wbr>", str(escape(label))))


def _beside(name: str) -> str:
    """A file that stands beside the template."""
    return resources.files("harness.report").joinpath(name).read_text(encoding="utf-8")


def _policy(style: str, script: str) -> str:
    """The page's content-security policy: its own style and script, known by their hashes, and
    nothing else: no request, no frame, no form. Drawings have style attributes."""
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src {_hash(script)}",
            "style-src 'unsafe-inline'",  # for browsers that do not know the next two
            f"style-src-elem {_hash(style)}",
            "style-src-attr 'unsafe-inline'",
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )


def _hash(content: str) -> str:
    """How a content-security policy names the content of an element."""
    return f"'sha256-{b64encode(sha256(content.encode()).digest()).decode()}'"


def _about(runs: Sequence[RunResult]) -> dict[str, Any]:
    """Which models answered, and what all runs were started with."""
    models = [f"{m['model']} ({m['dtype']})" for run in runs if (m := run.manifest)["model"]]
    return {
        "models": list(dict.fromkeys(models)),
        "variant": " ".join(shared_words([run.manifest for run in runs])),
    }


def _pictures(found: Findings) -> dict[str, Any]:
    tuned = [rung for rung in found.rungs if rung.tuned and any(run.curve for run in rung.runs)]
    pareto = pareto_chart(found)
    quality = found.data_quality
    return {
        "pareto": _svg(pareto) if pareto else "",
        "chart": _svg(ladder_chart(found.rungs)) if found.rungs else "",
        "waterfall": _svg(waterfall_chart(found)) if found.ablation and found.ablation.gain else "",
        "curves": [_svg(training_chart(rung)) for rung in tuned],
        "update_chart": _svg(update_chart(found)) if facts_known(found) else "",
        "amount_chart": _svg(learning_curve_chart(found)) if found.curve else "",
        "amount_said": sentences(found),
        "noise": _svg(noise_chart(quality, found.primary)) if quality.cells else "",
        "risks": [_svg(chart) for chart in risk_charts(found.calibration, found.labels)],
    }


def _diagnosed(found: Findings) -> dict[str, Any]:
    """What would fix what fails, if there is enough to tell."""
    told = found.diagnosis if diagnosis.telling(found.diagnosis) else None
    return {
        "repairs": _svg(diagnosis_chart(told)) if told else "",
        "repaired": diagnosis.sentences(told) if told else [],
        "cases": diagnosis.examples(found),
        "cases_file": found.path("diagnosis", "jsonl").name,
        "hint": diagnosis.hint(found),
    }


def _changed(found: Findings) -> dict[str, Any]:
    changed = list(_changes(found))
    return {
        "changes": changed[:SHOWN],
        "left_out": max(0, len(changed) - SHOWN),
        "changes_file": found.path("contrasts", "jsonl").name,
    }


def _changes(found: Findings) -> Iterator[dict[str, Any]]:
    """The changed questions with their texts, largest change first."""
    names = {(c.rung, c.baseline): c.name for c in found.contrasts}
    lines = changes(found.rungs, found.contrasts)
    for line in sorted(lines, key=lambda one: -abs(one["values"][1] - one["values"][0])):
        question = found.ladder.questions.get(line["id"], {})
        yield line | {
            "name": names[line["rung"], line["baseline"]],
            "input": question.get("input", ""),
            "target": question.get("target", ""),
            "before": percent(line["values"][0]),
            "after": percent(line["values"][1]),
        }


def _certificates(runs: Sequence[RunResult]) -> list[dict[str, Any]]:
    """Each certificate once, with the rungs that ran under it."""
    seen: dict[str, dict[str, Any]] = {}
    for run in runs:
        certificate = run.manifest["isolation"]
        same = seen.setdefault(repr(certificate), {**certificate, "labels": []})
        same["labels"].append(run.label)
    return [{**c, "rungs": ", ".join(c["labels"])} for c in seen.values()]


def _origin(run: RunResult) -> dict[str, Any]:
    m = run.manifest
    return {
        "label": run.label,
        "command": m["command"],
        "run": m["run"],
        "git": m["git"],
        "weights": m["weights"],
        "dtype": m["dtype"],
        "adapter": m["training"]["sha256"] if m["training"] else None,
    }


def _marked(sentence: str) -> Markup:
    """What stands between backticks is code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(sentence))))


def _svg(figure: Figure) -> str:
    import matplotlib

    drawn = io.StringIO()
    # Letters stay letters, and the same figure is the same text.
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "harness"}):
        figure.savefig(drawn, format="svg", metadata={"Date": None})
    svg = drawn.getvalue().partition("<!DOCTYPE")[2].partition(">")[2]
    return DRAWN_STYLE.sub("", svg, count=1)  # page.css has it: the policy knows no other
