"""Slices: a row for each rung, a column for each slice."""

from __future__ import annotations

import json
from pathlib import Path

from harness.analysis.findings import Findings, findings
from harness.analysis.runs import read_ladder
from harness.report.slice_tables import WIDEST, slices
from tests.ladders import kinds
from tests.record.conftest import complete_run


def test_each_tag_is_a_table_with_a_row_for_each_rung(tmp_path: Path) -> None:
    folders = [complete_run(tmp_path, rung) for rung in ("prompt", "rag")]
    (table,) = slices(findings(read_ladder(folders)))
    assert table.title == "by odd: accuracy, % (95% interval)"
    assert list(table.headings) == ["rung", "False (n=2)", "True (n=2)"]
    assert table.lines == [
        ["prompt", "100.0 (34.2–100.0)", "50.0 (9.5–90.5)"],
        ["rag", "100.0 (34.2–100.0)", "50.0 (9.5–90.5)"],
    ]


def test_kinds_of_field_are_a_table_over_all_questions(five: Findings) -> None:
    table = slices(five)[0]
    assert table.title == "kinds of field, % (95% interval)"
    names = ["format fields (n=60)", "behaviour fields (n=60)", "knowledge fields (n=60)"]
    assert list(table.headings) == ["rung", *names]


def test_knowledge_by_tag_is_a_table_of_its_own(tmp_path: Path) -> None:
    folder = complete_run(tmp_path)
    numbers = folder.read("metrics.json")
    numbers["slices"]["odd=True"] |= {"kind/knowledge": numbers["slices"]["odd=True"]["accuracy"]}
    folder.write("metrics.json", json.dumps(numbers))
    _, knowledge = slices(findings(read_ladder([folder])))
    assert knowledge.title == "by odd: knowledge fields, % (95% interval)"
    assert knowledge.headings == ["rung", "True (n=2)"]


def test_many_values_of_a_tag_become_several_tables(tmp_path: Path) -> None:
    folder = complete_run(tmp_path, more=kinds(0.5))
    numbers = folder.read("metrics.json")
    numbers["slices"] = {f"city={i}": numbers["slices"]["odd=True"] for i in range(2 * WIDEST + 1)}
    folder.write("metrics.json", json.dumps(numbers))
    tables = [t for t in slices(findings(read_ladder([folder]))) if t.title.startswith("by city")]
    assert [len(table.headings) - 1 for table in tables] == [WIDEST, WIDEST, 1]
    assert tables[1].title == "by city: accuracy, % (95% interval), 2 of 3"
