"""Runs read from disk: which stand in one ladder, and in which order."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest

from harness.analysis.findings import findings
from harness.analysis.runs import read_ladder, read_ladders
from harness.errors import ResultsError
from harness.record import ledger
from harness.record.manifest import LADDER
from harness.record.results import find_runs
from harness.task import Example
from tests.analysis.conftest import labels
from tests.record.conftest import complete_run


def test_rungs_stand_where_their_manifests_say_and_by_name_where_two_say_the_same(
    tmp_path: Path,
) -> None:
    places = {"prompt": 0, "rag": 20, "lora": 30, "a_rung": 10, "b_rung": 10}
    for rung in random.Random(0).sample(list(places), len(places)):
        complete_run(tmp_path, rung, place=places[rung])
    assert labels(tmp_path) == ["prompt", "a_rung", "b_rung", "rag", "lora"]


def test_older_results_stand_as_they_stood_and_rungs_unknown_then_follow_by_name(
    tmp_path: Path,
) -> None:
    rungs = [*LADDER, "b_rung", "a_rung"]
    for rung in random.Random(0).sample(rungs, len(rungs)):
        complete_run(tmp_path, rung)
    assert labels(tmp_path) == [*LADDER, "a_rung", "b_rung"]


def test_a_run_has_its_scores_slices_and_predictions(tmp_path: Path) -> None:
    (run,) = read_ladder([complete_run(tmp_path)]).runs
    assert (run.primary.value, run.primary.n, run.primary.method) == (0.75, 4, "wilson")
    assert run.slices["odd=True"]["accuracy"].value == 0.5
    assert [run.per_question(c) for c in ("prompt_tokens", "seconds")] == [100, 0.5]
    assert list(run.values.values()) == [1.0, 0.0, 1.0, 1.0]


def test_each_eval_set_has_a_table_of_its_own_and_the_latest_comes_last(tmp_path: Path) -> None:
    complete_run(tmp_path, "prompt", eval_set="all of it")
    complete_run(tmp_path, "prompt", eval_set="the first ten", limit=10)
    complete_run(tmp_path, "prompt", task="other")
    complete_run(tmp_path, "rag", eval_set="all of it")
    found_ladders = read_ladders(find_runs(tmp_path))
    found = [
        (one.manifest["task"], one.manifest["limit"], [run.label for run in one.runs])
        for one in found_ladders
    ]
    assert found == [
        ("tickets", 10, ["prompt"]),
        ("other", None, ["prompt"]),
        ("tickets", None, ["prompt", "rag"]),
    ]


def test_different_eval_sets_cannot_stand_in_one_table(tmp_path: Path) -> None:
    first = complete_run(tmp_path, "prompt", eval_set="all of it")
    second = complete_run(tmp_path, "rag", eval_set="the first ten")
    with pytest.raises(ResultsError, match="answered different eval sets") as caught:
        read_ladder([first, second])
    assert str(first.path) in str(caught.value) and str(second.path) in str(caught.value)


def test_a_run_that_cannot_be_read_is_left_out_and_every_ladder_of_its_task_says_so(
    tmp_path: Path,
) -> None:
    complete_run(tmp_path, "prompt")
    broken = complete_run(tmp_path, "rag", seed="abc")
    (ladder,) = read_ladders(find_runs(tmp_path))
    assert [run.label for run in ladder.runs] == ["prompt"]
    assert findings(ladder).warnings[-1] == (
        f"rag/{broken.path.name} is left out: {broken.path}/manifest.json: cannot be read "
        "(seed is 'abc': must be a valid integer); "
        f"delete {broken.path} and run again"
    )


def test_a_copy_of_a_run_is_no_other_seed(tmp_path: Path) -> None:
    first = complete_run(tmp_path, "lora", seed=0)
    shutil.copytree(first.path, first.path.with_name(f"{first.path.name}.bak"))
    shutil.copytree(first.path.parent, first.path.parent.with_name("lora_old"))
    (ladder,) = read_ladders(find_runs(tmp_path))
    assert [run.folder.path for run in ladder.runs] == [first.path]
    assert len(ladder.left_out) == 3
    assert all(f"it is a copy of {first.path}; delete one" in line for line in ladder.left_out)


def test_if_no_run_can_be_read_the_first_is_named(tmp_path: Path) -> None:
    complete_run(tmp_path, "rag", seed="abc")
    with pytest.raises(ResultsError, match="seed is 'abc'"):
        read_ladders(find_runs(tmp_path))


def test_a_run_without_its_primary_metric_or_with_other_questions_is_left_out(
    tmp_path: Path,
) -> None:
    complete_run(tmp_path, "prompt")
    complete_run(tmp_path, "rag", primary="fields")
    complete_run(tmp_path, "lora", n=7)
    (ladder,) = read_ladders(find_runs(tmp_path))
    assert [run.label for run in ladder.runs] == ["prompt"]
    no_primary, others = sorted(ladder.left_out, reverse=True)
    assert "has no value of fields, the primary metric; delete" in no_primary
    assert "has 4 predictions and 4 scores of 7 questions" in others


def test_what_stands_beside_the_runs_is_read_with_them(tmp_path: Path) -> None:
    folder = complete_run(tmp_path)
    alone = read_ladder([folder])
    assert (alone.questions, alone.prices, alone.ledger) == ({}, None, None)
    fingerprint = folder.read("manifest.json")["fingerprints"]["eval"]
    folder.keep_eval(fingerprint, [Example("eval-0", "where?", "red", "g", (), {"a": "b"}, "")])
    ledger.record(tmp_path / "tickets", folder.read("manifest.json"))
    whole = read_ladder([folder])
    assert whole.questions["eval-0"]["input"] == "where?"
    assert whole.ledger == {ledger.configuration(folder.read("manifest.json")["identity"])}
    assert (whole.folder, whole.eval_set) == (tmp_path / "tickets", fingerprint)


@pytest.mark.parametrize("name", ["eval", "doubted"])
def test_what_was_cut_short_beside_the_runs_is_named(tmp_path: Path, name: str) -> None:
    folder = complete_run(tmp_path)
    fingerprint = folder.read("manifest.json")["fingerprints"]["eval"]
    kind = "jsonl" if name == "eval" else "json"
    path = tmp_path / "tickets" / f"{name}-{fingerprint[:8]}.{kind}"
    path.write_text('{"id": "eva')
    with pytest.raises(ResultsError, match="cannot be read") as caught:
        read_ladder([folder])
    assert str(path) in str(caught.value)
