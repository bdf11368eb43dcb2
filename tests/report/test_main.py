"""`python -m harness.report`, and the files that every report leaves."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.analysis.export import record
from harness.record.results import find_runs
from harness.report.__main__ import main
from harness.report.conclude import conclude
from tests.record.conftest import ANSWERS, complete_run

Captured = pytest.CaptureFixture[str]


def test_each_eval_set_of_a_results_folder_is_printed(tmp_path: Path, capsys: Captured) -> None:
    complete_run(tmp_path, "prompt")
    complete_run(tmp_path, "few_shot")
    complete_run(tmp_path, "rag", task="other")
    assert main([str(tmp_path)]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    tickets, other = printed.out.index("tickets"), printed.out.index("other")
    assert tickets < printed.out.index("few_shot") < other < printed.out.rindex("rag")


def test_the_essence_is_printed_and_all_tables_on_demand(tmp_path: Path, capsys: Captured) -> None:
    complete_run(tmp_path)
    assert main([str(tmp_path)]) == 0
    assert "by odd" not in capsys.readouterr().out
    assert main([str(tmp_path), "--full"]) == 0
    assert "by odd" in capsys.readouterr().out


def test_json_is_all_that_stands_on_stdout_one_object_for_each_eval_set(
    tmp_path: Path, capsys: Captured
) -> None:
    complete_run(tmp_path, "prompt")
    complete_run(tmp_path, "rag", task="other")
    assert main([str(tmp_path), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [(one["schema_version"], one["task"]) for one in told] == [(1, "tickets"), (1, "other")]


@pytest.mark.parametrize("chart", ["ladder.xyz", "gone/ladder.png", "."])
def test_a_chart_that_cannot_be_drawn_is_refused_before_anything_is_read(
    tmp_path: Path, capsys: Captured, chart: str
) -> None:
    assert main([str(tmp_path), "--chart", str(tmp_path / chart)]) == 2
    assert "must be a .png or .svg file" in capsys.readouterr().err


def test_a_run_that_cannot_be_read_is_named_and_the_others_are_reported(
    tmp_path: Path, capsys: Captured
) -> None:
    complete_run(tmp_path, "prompt")
    broken = complete_run(tmp_path, "rag", seed="abc")
    assert main([str(tmp_path), "--json"]) == 0
    printed = capsys.readouterr()
    (warning,) = printed.err.splitlines()
    assert warning.startswith(f"warning: rag/{broken.path.name} is left out: ")
    (told,) = json.loads(printed.out)
    assert [run["rung"] for run in told["runs"]] == ["prompt"]
    assert f"warning: {told['warnings'][-1]}" == warning


def test_every_report_leaves_its_files_beside_the_rungs(tmp_path: Path, capsys: Captured) -> None:
    complete_run(tmp_path, "prompt")
    complete_run(tmp_path, "lora", dict.fromkeys(ANSWERS, "red"))
    for _ in range(2):
        (found,) = conclude(find_runs(tmp_path), said="nothing")
    assert capsys.readouterr().out == ""
    key = found.ladder.eval_set[:8]
    names = {p.name for p in (tmp_path / "tickets").iterdir() if p.is_file()}
    assert names == {
        f"findings-{key}.json", f"contrasts-{key}.jsonl", f"ladder-{key}.md", f"report-{key}.html",
    }  # fmt: skip
    assert json.loads(found.path("findings", "json").read_text()) == record(found)
    (line,) = map(json.loads, found.path("contrasts", "jsonl").read_text().splitlines())
    assert (line["id"], line["values"], line["answers"]) == ("eval-1", [0, 1], ["blue", "red"])
    assert "**scores, % (95% interval)**" in found.path("ladder", "md").read_text()


def test_a_report_may_be_of_some_eval_sets_alone(tmp_path: Path, capsys: Captured) -> None:
    complete_run(tmp_path, "prompt", eval_set="all of it")
    folder = complete_run(tmp_path, "prompt", eval_set="the first ten", limit=10)
    (found,) = conclude(find_runs(tmp_path), [folder.manifest()["fingerprints"]["eval"]])
    assert found.manifest["limit"] == 10
    assert capsys.readouterr().out.count("report: ") == 1


def test_controls_alone_can_be_reported_and_not_drawn(tmp_path: Path, capsys: Captured) -> None:
    complete_run(tmp_path, "majority", control={"kind": "majority", "of": None})
    assert main([str(tmp_path)]) == 0
    assert main([str(tmp_path), "--chart", str(tmp_path / "ladder.png")]) == 2
    assert "holds controls alone; there is no ladder to draw" in capsys.readouterr().err


def test_a_part_of_a_task_is_shown_and_its_report_is_left_as_it_is(
    tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = complete_run(tmp_path, "prompt")
    complete_run(tmp_path, "few_shot")
    assert main([str(tmp_path / "tickets")]) == 0
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    monkeypatch.chdir(one.path)
    capsys.readouterr()
    for part in (".", str(one.path.parent)):
        assert main([part]) == 0
        assert "no report is written for a part of" in capsys.readouterr().out
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before


def test_a_report_does_not_change_what_it_reads(tmp_path: Path, capsys: Captured) -> None:
    folder = complete_run(tmp_path)
    before = {p: p.read_bytes() for p in folder.path.iterdir()}
    assert main([str(tmp_path)]) == 0
    assert {p: p.read_bytes() for p in folder.path.iterdir()} == before


@pytest.mark.parametrize("name", ["metrics.json", "predictions.jsonl", "scores.jsonl"])
def test_a_run_that_was_changed_after_it_had_finished_is_refused_by_name(
    tmp_path: Path, name: str, capsys: Captured
) -> None:
    path = complete_run(tmp_path).path / name
    path.write_text(path.read_text().replace("1", "9", 1))
    assert main([str(tmp_path)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"{path}: was changed after the run had finished" in line


def test_an_empty_folder_is_told_in_one_line(tmp_path: Path, capsys: Captured) -> None:
    assert main([str(tmp_path)]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    said = printed.err.splitlines()
    assert len(said) == 1 and said[0].startswith(f"error: {tmp_path}: holds no complete run")
