"""What would fix what fails, in words and tables, each number of which stands in findings.json."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from harness.analysis.export import as_json, record
from harness.analysis.findings import Findings
from harness.report.diagnosis import examples, hint, sentences, tables, telling
from harness.report.essence import essence
from harness.report.formatting import percent
from harness.report.page import page
from tests.repaired import RAG, RAG_LORA, World
from tests.report.test_page import ISOLATION


@pytest.fixture
def found(tmp_path: Path) -> Findings:
    """Of 16 errors the constraint repairs 6, passages 3, tuning 2, both 1; placebos 1 of each."""
    world = World(tmp_path)
    shared = {"found": range(15), "isolation": ISOLATION}
    world.run("rag", range(10), RAG, **shared)
    world.control("unconstrained", "rag", range(4), RAG, decoding="free", found=range(15))
    world.control("oracle_passages", "rag", {10, 15, 16, 17}, RAG)
    world.control("random_passages", "rag", {14}, RAG)
    world.run("rag_lora", {17, 18, 19}, RAG_LORA, isolation=ISOLATION)
    world.control("shuffled_targets", "rag_lora", {19}, RAG_LORA)
    for folder in world.folders:
        manifest = folder.read("manifest.json") | {"isolation": ISOLATION}
        folder.write("manifest.json", json.dumps(manifest))
    return world.findings({10: "odd"})


@pytest.fixture
def little(tmp_path: Path) -> Findings:
    """A ladder on which tuning alone was tried."""
    world = World(tmp_path)
    world.run("rag", range(10), RAG)
    world.run("rag_lora", range(12), RAG_LORA)
    return world.findings()


def test_a_row_for_each_thing_that_repairs_and_its_net_share(found: Findings) -> None:
    table = tables(found)[0]
    assert (
        "rag without the constraint gets wrong" in table.title
        and "16 wrong questions of 20" in table.title
    )
    assert [line[0] for line in table.lines] == [
        "format: the constraint",
        "knowledge: the right passages",
        "· knowledge: missed by retrieval",
        "· knowledge: retrieved, not read",
        "behaviour: tuning",
        "more than one of these",
        "none of these",
    ]
    shown = {line[0]: line[1:4] for line in table.lines}
    assert shown["format: the constraint"][:2] == ["37.5", ""], "no placebo, nothing subtracted"
    assert shown["behaviour: tuning"][:2] == ["12.5", percent(1 / 16)]


def test_what_must_be_known_to_read_it_stands_below(found: Findings) -> None:
    notes = " ".join(tables(found)[0].notes)
    assert "rag is the best untuned rung, chosen on dev" in notes
    assert "Tried under the constraint only: the right passages, tuning" in notes
    assert "also differs: instructions full → short, without shots" in notes
    assert "nothing was subtracted for the constraint" in notes
    assert "Not measured" not in notes


def test_each_kind_has_a_sentence_about_the_rung_as_it_is_used(found: Findings) -> None:
    said = sentences(found.diagnosis) if found.diagnosis else []
    assert said[0].startswith("37.5% (")
    assert said[0].endswith(
        "of the errors of rag without the constraint vanish with the constraint alone"
    )
    assert any(
        s.startswith("20.0%")
        and s.endswith("of the errors of rag are passages that were not found")
        for s in said
    )


def test_every_number_of_sentences_and_tables_stands_in_findings(found: Findings) -> None:
    told = json.loads(as_json(record(found)))["diagnosis"]
    numbers = {
        percent(value)
        for split in (told["whole"], told["usual"], *told["others"])
        for share in split["shares"]
        for repair in (share["alone"], share["reach"])
        if repair
        for value in (repair["gross"], repair["chance"], *bounds(repair["net"]))
        if value is not None
    }
    assert found.diagnosis is not None
    cells = [cell for table in tables(found) for line in table.lines for cell in line[1:]]
    shown = re.findall(r"-?\d+\.\d", " ".join([*cells, *sentences(found.diagnosis)]))
    assert len(shown) > 40
    assert set(shown) <= numbers


def bounds(net: dict[str, float]) -> list[float]:
    return [net["value"], net["low"], net["high"]]


def test_slices_have_a_line_each(found: Findings) -> None:
    table = tables(found)[-1]
    lines = {line[0]: line[1:] for line in table.lines}
    assert lines["tag=odd"] == ["1", "0.0", "0.0", "100.0", "0.0", "0.0", "0.0"]


def test_a_few_errors_of_each_kind_can_be_read(found: Findings) -> None:
    shown = examples(found)
    assert [one.case.id for one in shown[:3]] == ["q004", "q005", "q006"]
    assert (shown[0].input, shown[0].wrong, shown[0].right) == ("ticket 4?", "blue", "red")
    unrepaired = [one for one in shown if one.what == "none of these"]
    assert len(unrepaired) == 3 and all(one.right is None for one in unrepaired)


def test_of_a_json_answer_only_the_field_is_shown(tmp_path: Path) -> None:
    world = World(tmp_path, 10)
    world.run("rag", (), RAG, fields={"code": range(5)})
    world.control("oracle_passages", "rag", (), RAG, fields={"code": range(6)})
    world.run("rag_lora", (), RAG_LORA, fields={"code": range(8)})
    for folder, code in zip(world.folders, ("C1", "C2", "C3"), strict=True):
        lines = folder.table("predictions.jsonl").to_dict("records")
        for line in lines:
            line["text"] = f'Sure: {{"code": "{code}", "note": "long"}}'
        folder.write("predictions.jsonl", "".join(json.dumps(one) + "\n" for one in lines))
    first = examples(world.findings())[0]
    assert (first.wrong, first.right) == ("C1", "C3")


def test_with_one_kind_of_change_there_is_one_line_with_the_command(little: Findings) -> None:
    assert not telling(little.diagnosis) and tables(little) == [] and examples(little) == []
    said = (
        "What would fix what rag gets wrong: python -m harness +task=tickets +experiment=diagnosis"
    )
    assert hint(little) == said
    assert said in essence(little)[0].notes


def test_where_it_is_told_no_command_is(found: Findings) -> None:
    assert hint(found) == ""


def test_the_page_has_it_right_below_the_verdict(found: Findings) -> None:
    text = page(found)
    assert re.findall(r'<h2 id="(\w+)"', text)[:3] == ["recommendation", "verdict", "diagnosis"]
    section = text[text.index('id="diagnosis"') : text.index('id="ladder"')]
    assert "<svg" in section and "passages that were not found" in section
    assert "ticket 4?" in section
    assert found.path("diagnosis", "jsonl").name in section
