"""What would fix what fails: when there is an answer, by slice, and error by error."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from harness.analysis.diagnosis import Diagnosis
from harness.analysis.export import record
from harness.evidence.statistics import Interval
from harness.record.doubted import keep_doubted
from harness.report.conclude import write_reports
from tests.analysis.test_export import paths
from tests.conftest import ROOT
from tests.repaired import RAG, RAG_LORA, RETRIEVAL, SHOTS, World


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Of 20 questions rag gets ten right; passages repair 10 and 15, tuning 15 and 16."""
    world = World(tmp_path)
    world.run("rag", range(10), RAG, found=range(15))
    world.control("oracle_passages", "rag", {10, 15}, RAG)
    world.run("rag_lora", {15, 16}, RAG_LORA)
    world.control("shuffled_targets", "rag_lora", {16, 19}, RAG_LORA)
    return world


def told(world: World) -> Diagnosis:
    diagnosis = world.findings({16: "odd", 17: "odd"}).diagnosis
    assert diagnosis is not None
    return diagnosis


def test_there_is_none_without_an_untuned_rung_or_without_a_change(tmp_path: Path) -> None:
    alone = World(tmp_path / "tuned")
    alone.run("rag_lora", range(5), RAG_LORA)
    assert alone.findings().diagnosis is None
    same = World(tmp_path / "untuned")
    same.run("few_shot", range(5), SHOTS)
    same.run("bare_rag", range(5), RETRIEVAL)
    assert same.findings().diagnosis is None


def test_there_is_none_where_nothing_fails(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.run("rag", range(20), RAG)
    world.run("rag_lora", range(20), RAG_LORA)
    assert world.findings().diagnosis is None


def test_every_error_is_listed_with_what_repairs_it_and_the_answers(world: World) -> None:
    cases = {case.id: case for case in told(world).cases}
    assert len(cases) == 10
    unread, both, lucky, never = (cases[f"q0{i}"] for i in (10, 15, 16, 19))
    assert (unread.kind, unread.part, unread.repaired_by) == ("knowledge", "unread", ["retrieval"])
    assert (unread.run, unread.answers) == ("rag_oracle_passages", ("blue", "red"))
    assert (both.kind, both.part) == ("several", "knowledge + behaviour")
    assert both.repaired_by == ["retrieval", "tuning"]
    assert (lucky.kind, lucky.by_placebo) == ("behaviour", ["tuning"])
    assert (never.kind, never.repaired_by, never.by_placebo) == ("none", [], ["tuning"])
    assert (never.run, never.answers) == (None, ("blue", None))


def test_an_error_that_nothing_repairs_is_joined_with_what_is_known_against_its_target(
    world: World,
) -> None:
    found = world.findings()
    keep_doubted(found.ladder.folder, found.ladder.eval_set, {"q019": "red, not blue?"})
    suspicions = {case.id: case.suspicion for case in told(world).cases}
    assert suspicions["q019"] == "red, not blue?"
    assert [i for i, said in suspicions.items() if said] == ["q019"]


def test_each_slice_has_its_own_split(world: World) -> None:
    (odd,) = (split for split in told(world).others if split.scope == "tag=odd")
    assert (odd.n, odd.errors) == (2, 2)
    behaviour = odd.share("behaviour")
    assert behaviour is not None and behaviour.alone.gross == 0.5
    assert behaviour.reach is None


def test_the_errors_under_the_constraint_are_split_too(world: World) -> None:
    world.control("unconstrained", "rag", range(4), RAG, decoding="free", found=range(15))
    found = told(world)
    assert found.whole.errors == 16 and found.usual is not None
    assert found.usual.errors == 10
    tuning = found.usual.share("behaviour")
    assert tuning is not None and tuning.alone.gross == pytest.approx(0.1)
    assert found.usual.share("format") is None


def test_a_graded_measure_is_wrong_below_a_half(tmp_path: Path) -> None:
    world = World(tmp_path, 10)
    world.run("rag", (), RAG)
    world.run("rag_lora", (), RAG_LORA)
    for folder, value in zip(world.folders, (0.49, 0.51), strict=True):
        lines = folder.table("scores.jsonl").assign(accuracy=value).to_dict("records")
        folder.write("scores.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
    found = told(world)
    assert (found.threshold, found.whole.errors) == (0.5, 10)
    share = found.whole.share("behaviour")
    assert share is not None and share.alone.gross == 1


def test_where_the_primary_metric_is_of_the_whole_set_another_says_what_is_wrong(
    tmp_path: Path,
) -> None:
    world = World(tmp_path, 10)
    of_all = {"more": {"macro_f1": Interval(0.5, None, None, 10, "none")}, "primary": "macro_f1"}
    about = {**of_all, "measures": ["accuracy", "macro_f1"]}
    world.run("rag", range(5), RAG, **about)
    world.run("rag_lora", range(8), RAG_LORA, **about)
    found = told(world)
    assert (found.measure, found.whole.errors) == ("accuracy", 5)


def test_of_json_answers_fields_are_counted_and_questions_beside_them(tmp_path: Path) -> None:
    world = World(tmp_path, 10)
    world.run("rag", (), RAG, fields={"code": range(2), "note": range(9)})
    world.run("rag_lora", (), RAG_LORA, fields={"code": range(6), "note": range(10)})
    found = told(world)
    scopes = {(split.unit, split.scope): split for split in found.others}
    assert scopes["fields", "field=code"].errors == 8
    assert scopes["fields", "field=note"].errors == 1
    by_question = scopes["questions", ""]
    share = by_question.share("behaviour")
    assert by_question.errors == 8
    assert share is not None and share.alone.gross == pytest.approx(4 / 8)
    assert {case.field for case in found.cases} == {"code", "note"}


def test_every_field_is_documented(world: World) -> None:
    world.control("unconstrained", "rag", range(4), RAG, decoding="free")
    text = (ROOT / "docs" / "findings.md").read_text(encoding="utf-8")
    section = text[text.index("## `diagnosis`") : text.index("## `checks`")]
    documented = set(re.findall(r"`([^`]+)`", section)) | set(Interval.__annotations__)
    assert paths(record(world.findings())["diagnosis"]) <= documented


def test_the_errors_stand_in_a_file_beside_the_others(world: World) -> None:
    found = world.findings()
    write_reports(found)
    lines = found.path("diagnosis", "jsonl").read_text().splitlines()
    first = json.loads(lines[0])
    assert len(lines) == 10
    assert (first["id"], first["kind"], first["part"]) == ("q010", "knowledge", "unread")
    assert first["answers"] == ["blue", "red"]
