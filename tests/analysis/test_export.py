"""Findings as plain data: strict JSON with every number that is shown."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.analysis.ablation import ablation
from harness.analysis.export import as_json, record
from harness.analysis.findings import Findings, findings
from harness.analysis.runs import read_ladder
from harness.evidence.statistics import Interval
from tests.conftest import ROOT
from tests.factorial import additive, cells, world
from tests.record.conftest import TRAINING, complete_run

Record = dict[str, Any]


def test_rungs_and_their_controls_stand_with_their_intervals(five: Findings) -> None:
    told = record(five)
    assert [rung["label"] for rung in told["rungs"]] == [
        "prompt", "few_shot", "rag", "lora*", "rag_lora*",
    ]  # fmt: skip
    lora, primary = told["rungs"][3], five.rungs[3].primary
    assert lora["metrics"]["accuracy"]["value"] == primary.value
    assert lora["slices"]["odd=True"]["accuracy"]["n"] == 30
    assert (lora["seeds"], lora["tuned"], len(lora["runs"])) == (1, True, 1)
    majority = told["controls"][0]
    assert (majority["kind"], majority["judges"], majority["rung"]) == (
        "majority",
        True,
        "rag_lora",
    )
    assert majority["difference"]["value"] == pytest.approx(0.5)
    assert "verdict" not in majority["contrast"], "no control is in a corrected family"
    assert told["plan"]["choices"][0]["best"] == "rag"
    assert (told["groups"], told["effective_groups"]) == (60, 60.0)
    assert told["ledger"] == {"configurations": 5, "optimism": five.optimism}


def test_a_contrast_says_its_family_its_level_and_the_confidence_of_its_interval(
    five: Findings,
) -> None:
    told = record(five)["contrasts"]
    first = told[0]
    assert (first["family"], first["simultaneous"]) == (3, False)
    assert [c["confidence"] for c in told] == [1 - c.step for c in five.contrasts]
    assert first["level"] == pytest.approx(0.05 / 3)
    assert first["detectable"] == five.contrasts[0].detectable


def test_what_json_has_no_number_for_is_null_or_a_word(tmp_path: Path) -> None:
    nan = {"bleu/bleu": Interval(float("nan"), None, None, 4, "none")}
    one_group = {f"eval-{i}": "red" for i in range(4)}
    folders = [
        complete_run(tmp_path, "prompt", more=nan),
        complete_run(tmp_path, "lora", one_group, training=TRAINING),
    ]
    for folder in folders:
        lines = folder.table("scores.jsonl").assign(group="the same").to_dict("records")
        folder.write("scores.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
    told = json.loads(as_json(record(findings(read_ladder(folders)))))
    assert told["rungs"][0]["metrics"]["bleu/bleu"]["value"] is None
    assert told["contrasts"][0]["detectable"] == "inf"
    assert float(told["contrasts"][0]["detectable"]) == float("inf")


def paths(record: Any) -> set[str]:
    """Names of all fields, but not those under which users' own names stand."""
    if isinstance(record, dict):
        return set(record) | {name for value in record.values() for name in paths(value)}
    if isinstance(record, list):
        return {name for value in record for name in paths(value)}
    return set()


def test_every_field_is_documented(five: Findings) -> None:
    value = additive(0.1, constraint=0.2, tuning=0.3)
    five = replace(five, ablation=ablation(world(value, cells(["constraint", "tuning"]))))
    text = (ROOT / "docs" / "findings.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"`([^`]+)`", text))
    own = {rung.key for rung in five.rungs} | {m for run in five.runs for m in run.metrics}
    own |= {tag for run in five.runs for tag in run.slices}
    assert paths(record(five)) - documented - own == set()
