"""A comparison of answers that were made elsewhere: an eval file, two files of answers, a verdict."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.analysis.findings import Findings
from harness.errors import HarnessError, RungUnavailableError
from harness.experiment import compare_all, compose
from harness.record.results import RunFolder, find_runs
from harness.report.page import page
from harness.report.tables import tables
from tests.conftest import ROOT, write_lines

TASK = """
_target_: harness.load.load_task
name: mine
folder: {folder}
answer: {{_target_: harness.answer.Label, labels: [red, blue]}}
max_new_tokens: 8
primary: accuracy
"""
SIZE = 40


def colour(i: int) -> str:
    return "red" if i % 3 else "blue"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An eval file, a YAML, and two files of answers: `good` is always right, `poor` says red."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "conf" / "task").mkdir(parents=True)
    (tmp_path / "conf" / "task" / "mine.yaml").write_text(TASK.format(folder=tmp_path / "mine"))
    asked: list[dict[str, object]] = [
        {"id": f"e{i}", "input": f"What colour has thing {i * 7919}?", "target": colour(i),
         "tags": {"hue": colour(i)}, "group": f"of-{colour(i)}-{i}"}
        for i in range(SIZE)
    ]  # fmt: skip
    write_lines(tmp_path / "mine" / "eval.jsonl", asked)
    write_answers(tmp_path / "good.jsonl", [colour(i) for i in range(SIZE)])
    write_answers(tmp_path / "poor.jsonl", ["red"] * SIZE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write_answers(path: Path, texts: list[str], **told: Any) -> None:
    write_lines(path, [{"id": f"e{i}", "text": text, **told} for i, text in enumerate(texts)])


def ran(folder: Path, files: str, *words: str) -> Findings:
    """What a sweep over files of answers shows."""
    words = ("+task=mine", "rung=external", f"rung.predictions={files}", "tracking=none", *words)
    (found,) = compare_all(words, config_dirs=[folder / "conf"], progress=False)
    return found


def test_two_files_are_two_rungs_and_one_verdict(folder: Path) -> None:
    found = ran(folder, "good.jsonl,poor.jsonl")
    assert [rung.key for rung in found.rungs] == ["external_good", "external_poor"]
    (contrast,) = found.contrasts
    assert (contrast.rung, contrast.baseline) == ("external_poor", "external_good")
    assert contrast.verdict == "worse"
    assert contrast.family == 1
    assert not found.blocked(contrast)
    assert found.controls == []
    assert found.recommendation is None, "nobody knows what they cost"


def test_nothing_is_said_that_nobody_knows(folder: Path) -> None:
    found = ran(folder, "good.jsonl,poor.jsonl")
    told = found.runs[0].manifest
    assert {told[name] for name in ("model", "weights", "decoding", "parameters", "labelled")} == {
        None
    }
    assert told["isolation"]["decision"] == "unknown"
    assert told["external"]["missing"] == 0
    for rung in found.costs.rungs:
        assert set(vars(rung.answering).values()) == {None}
    assert not any(table.title.startswith("cost") for table in tables(found))
    drawn = page(found)
    assert "not under this ladder&#39;s decoding" in drawn
    assert "Answered elsewhere: what the answers were made from is not known here." in drawn


def test_what_the_file_tells_of_costs_is_shown_beside_a_dash(folder: Path) -> None:
    told = {"tokens": [120, 4], "seconds": 0.5, "cost": 0.002}
    write_answers(folder / "good.jsonl", [colour(i) for i in range(SIZE)], **told)
    found = ran(folder, "good.jsonl,poor.jsonl")
    lines = {t.title: [list(line) for line in t.lines] for t in tables(found)}
    assert lines["cost of answering, per question"] == [
        ["external_good", "120", "4", "0.500", "0.500"],
        ["external_poor", "–", "–", "–", "–"],
    ]
    assert lines["money, as it was told with the answers"] == [
        ["external_good", "2"],
        ["external_poor", "–"],
    ]


def test_a_changed_file_is_another_run_wherever_it_lies(folder: Path) -> None:
    before = ran(folder, "good.jsonl").runs[0].folder.path
    (folder / "elsewhere").mkdir()
    (folder / "good.jsonl").rename(folder / "elsewhere" / "good.jsonl")
    assert ran(folder, "elsewhere/good.jsonl").runs[0].folder.path == before
    write_answers(folder / "good.jsonl", ["blue"] * SIZE)
    assert {run.folder.path for run in ran(folder, "good.jsonl").runs} > {before}


def test_a_missing_answer_scores_zero_and_is_counted(folder: Path) -> None:
    write_answers(folder / "good.jsonl", [colour(i) for i in range(SIZE - 10)])
    found = ran(folder, "good.jsonl")
    assert found.rungs[0].primary.value == (SIZE - 10) / SIZE
    assert found.runs[0].manifest["external"]["missing"] == 10
    assert found.warnings == [
        f"external_good: 10 of {SIZE} questions have no answer in good.jsonl and count as wrong"
    ]
    failed = [badge.text for badge in found.checks["external_good"] if not badge.passed]
    assert failed == ["has no answer to 25% of the questions"]


def test_with_a_limit_answers_beyond_it_are_no_error(folder: Path) -> None:
    found = ran(folder, "good.jsonl", "limit=12")
    assert (found.manifest["n"], found.rungs[0].primary.value) == (12, 1.0)
    write_answers(folder / "good.jsonl", ["red"] * (SIZE + 1))
    with pytest.raises(HarnessError, match=rf"good\.jsonl:{SIZE + 1}: id 'e{SIZE}' is none of"):
        ran(folder, "good.jsonl", "limit=12")


def test_names_that_differ_by_folder_alone_are_told_apart(folder: Path) -> None:
    (folder / "b").mkdir()
    write_answers(folder / "b" / "good.jsonl", ["blue"] * SIZE)
    keys = [rung.key for rung in ran(folder, "good.jsonl,b/good.jsonl").rungs]
    assert len(set(keys)) == 2
    assert all(key.startswith("external_good ") for key in keys)


def test_a_name_can_be_given(folder: Path) -> None:
    assert ran(folder, "good.jsonl", "rung.name=people").rungs[0].key == "people"


def test_an_eval_file_alone_is_a_task_that_other_rungs_cannot_have(folder: Path) -> None:
    (spec,) = compose(["+task=mine", "rung=prompt"], config_dirs=[folder / "conf"])
    with pytest.raises(RungUnavailableError, match=r"no instructions; add instructions\.full\.md"):
        spec.build("rung").check(spec.task().materials)
    for variant in ("full", "short"):
        (folder / "mine" / f"instructions.{variant}.md").write_text("Say red or blue.")
    (spec,) = compose(["+task=mine", "rung=few_shot"], config_dirs=[folder / "conf"])
    with pytest.raises(
        RungUnavailableError, match=r"no train \(looked for .*mine/train\.jsonl, \.csv, "
    ):
        spec.build("rung").check(spec.task().materials)


def test_a_run_that_was_killed_goes_on(folder: Path) -> None:
    path = ran(folder, "good.jsonl").runs[0].folder.path
    lines = (path / "predictions.jsonl").read_text().splitlines(keepends=True)
    (path / "complete.json").unlink()
    (path / "predictions.jsonl").write_text("".join(lines[:5]) + lines[5][:9])
    assert ran(folder, "good.jsonl").rungs[0].primary.value == 1.0
    assert len(RunFolder(path).predictions()) == SIZE


def test_beside_a_ladder_it_is_compared_with_every_rung_and_changes_no_verdict(
    folder: Path, tiny_folder: Path
) -> None:
    for variant in ("full", "short"):
        (folder / "mine" / f"instructions.{variant}.md").write_text("Say red or blue.")
    model = ["model=folder", f"model.weights.path={tiny_folder}"]
    probes = ["probes.calibration=null", "probes.forgetting=null"]
    words = ["+task=mine", "rung=prompt", "rung.role=system,user", "tracking=none", *model, *probes]
    declared = ["contrasts.against=[prompt]"]
    (before,) = compare_all([*words, *declared], config_dirs=[folder / "conf"], progress=False)
    found = ran(folder, "good.jsonl,poor.jsonl", *declared)
    assert [c.p_adjusted for c in found.contrasts[:1]] == [c.p_adjusted for c in before.contrasts]
    assert [(c.rung.split()[0], c.family) for c in found.contrasts[1:]] == [
        ("external_good", 5), ("external_good", 5), ("external_poor", 5), ("external_poor", 5),
        ("external_poor", 5),
    ]  # fmt: skip
    assert [key.split()[0] for key in found.plan.elsewhere] == ["external_good", "external_poor"]
    said = " ".join(note for table in tables(found) for note in table.notes)
    assert "What was answered elsewhere is compared with every other rung." in said


COMMAND = """
import sys
sys.argv = ["harness", "--config-dir", "conf", "+task=mine", "rung=external",
            "rung.predictions=good.jsonl,poor.jsonl", *{words!r}]
from harness.__main__ import main
main()
heavy = ["torch", "transformers", "peft", "sentence_transformers", "faiss", "datasets", "evaluate"]
print("loaded:", [name for name in heavy if name in sys.modules])
"""


@pytest.mark.parametrize("words", [["tracking=none"], []], ids=["no tracking", "mlflow"])
def test_a_verdict_needs_no_torch(words: list[str], folder: Path) -> None:
    """A process of its own: the tests themselves have loaded torch."""
    done = subprocess.run(
        [sys.executable, "-c", COMMAND.format(words=words)],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "HARNESS_CACHE": str(folder / "cache"), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "external_poor is worse than external_good" in done.stdout
    assert "loaded: []" in done.stdout
    assert not (folder / "cache").exists(), "no weights are fetched"
    assert len(find_runs(folder / "results")) == 2
    assert (folder / "mlflow.db").exists() == (not words)
    assert json.loads(next((folder / "results" / "mine").glob("findings-*.json")).read_text())
