"""Every number of the tables of contrasts and costs stands in findings.json."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from harness.analysis.export import as_json, record
from harness.analysis.findings import Findings
from harness.evidence.cost import BreakEven
from harness.evidence.statistics import Interval
from harness.report.formatting import percent, short, with_interval
from harness.report.tables import sections

Record = dict[str, Any]


def blank(value: Any, shown: Callable[[Any], str]) -> str:
    return shown(value) if value else ""


def detectable(c: Record) -> str:
    return percent(float(c["detectable"])) if c["improved"] or c["worsened"] else ""


def requests(b: Record) -> str:
    volumes = [None if b[name] is None else float(b[name]) for name in ("requests", "low", "high")]
    reached = str(BreakEven(b["extra"], Interval(**b["saving"]), *volumes))  # type: ignore[arg-type]
    points = percent(abs(b["contrast"]["difference"]["value"]))
    return (
        f"no: scores lower by {points} points" if b["contrast"]["verdict"] == "worse" else reached
    )


def quality(b: Record) -> str:
    points = percent(abs(b["contrast"]["difference"]["value"]))
    verdict = str(b["contrast"]["verdict"])
    return f"better by {points} points" if verdict == "better" else verdict


SHOWN: dict[str, dict[str, Callable[[Record], str]]] = {
    "declared contrasts": {
        "difference": lambda c: with_interval(Interval(**c["difference"])),
        "p (Holm)": lambda c: f"{c['p_adjusted']:.4f}" if c["p_adjusted"] >= 1e-4 else "<0.0001",
        "detectable": detectable,
        "better on": lambda c: str(len(c["improved"])),
        "worse on": lambda c: str(len(c["worsened"])),
        "verdict": lambda c: c["verdict"] + (", blocked" if c["blocked"] else ""),
    },
    "cost of answering": {
        "prompt tok": lambda r: f"{r['answering']['prompt_tokens']:.0f}",
        "computed": lambda r: f"{r['answering']['computed_tokens']:.0f}",
        "answer tok": lambda r: f"{r['answering']['completion_tokens']:.0f}",
        "s median": lambda r: f"{r['answering']['seconds_median']:.3f}",
        "s p95": lambda r: f"{r['answering']['seconds_p95']:.3f}",
        "GFLOP as sent": lambda r: short(r["answering"]["flop_sent"] / 1e9),
        "as computed": lambda r: short(r["answering"]["flop_computed"] / 1e9),
    },
    "cost of training": {
        "train s": lambda r: f"{r['tuning']['seconds']:.0f}",
        "tokens": lambda r: f"{r['tuning']['tokens']:,.0f}",
        "trainable": lambda r: f"{r['tuning']['trainable']:,.0f}",
        "parameters": lambda r: f"{r['tuning']['parameters']:,.0f}",
        "TFLOP": lambda r: short(r["tuning"]["flop"] / 1e12),
        "disk MB": lambda r: f"{r['tuning']['megabytes']:.1f}",
        "weights MB": lambda r: f"{r['tuning']['weights_megabytes']:.0f}",
        "peak MB": lambda r: f"{r['tuning']['peak_megabytes']:.0f}",
        "answers with": lambda r: r["tuning"]["answering"] or "",
    },
    "cost of a run": {
        "labelled": lambda r: f"{r['labelled']:.0f}",
        "index s": lambda r: blank(r["indexing"], lambda i: f"{i['seconds']:.1f}"),
        "index MB": lambda r: blank(r["indexing"], lambda i: f"{i['megabytes']:.2f}"),
        "peak MB": lambda r: f"{r['peak_memory_megabytes']:.0f}",
        "run s": lambda r: f"{r['seconds']:.0f}",
    },
    "money": {
        "1,000 answers": lambda r: short(1000 * r["money"]["request"]),
        "training, indexing": lambda r: blank(r["money"]["machine"], short),
        "labelled examples": lambda r: blank(r["money"]["labels"], short),
    },
    "break-even": {
        "more once": lambda b: short(b["extra"]),
        "less per 1,000": lambda b: short(1000 * b["saving"]["value"]),
        "requests": requests,
        "verdict": quality,
    },
}
"""How each column of the tables follows from a record of the JSON."""


@pytest.mark.parametrize("ladder", ["five", "sixteen"])
def test_every_number_of_the_contrasts_and_costs_stands_in_the_json(
    ladder: str, request: pytest.FixtureRequest
) -> None:
    found: Findings = request.getfixturevalue(ladder)
    made = {
        re.split("[,:]", table.title)[0]: table
        for part in ("contrasts", "cost")
        for table in sections(found)[part]
    }
    assert made.keys() == SHOWN.keys()
    told = json.loads(as_json(record(found)))
    rungs = told["costs"]["rungs"]
    records = dict.fromkeys(SHOWN, rungs) | {
        "declared contrasts": told["contrasts"],
        "cost of training": [rung for rung in rungs if rung["tuning"]],
        "break-even": told["break_even"],
    }
    for title, table in made.items():
        for line, one in zip(table.lines, records[title], strict=True):
            cells = dict(zip(table.headings[1:], line[1:], strict=True))
            assert cells == {name: SHOWN[title][name](one) for name in cells}, (title, line[0])
