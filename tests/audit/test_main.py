"""The command, as a user types it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from harness.audit.__main__ import main
from tests.conftest import ROOT, TASK, write_lines


@pytest.fixture
def conf(tmp_path: Path, task_folder: Path) -> Path:
    """Configuration of a task of the user's own, with a contradiction in train."""
    (tmp_path / "conf" / "task").mkdir(parents=True)
    (tmp_path / "conf" / "task" / "mine.yaml").write_text(TASK.format(folder=task_folder))
    rows = [json.loads(line) for line in (task_folder / "train.jsonl").read_text().splitlines()]
    again = rows[0] | {"id": "again", "target": rows[0]["target"] | {"colour": "red"}}
    write_lines(task_folder / "train.jsonl", [*rows, again])
    return tmp_path / "conf"


def test_the_words_are_those_of_the_main_command(
    conf: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(conf.parent)
    assert main(["--config-dir", str(conf), "+task=mine", "--quick"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("mine: 17 examples of train and 6 of dev; eval takes no part")
    line = next(line for line in said.splitlines() if "train.jsonl:17: " in line)
    assert "train.jsonl:1, " in line and "colour: blue / red" in line


def test_numbers_are_had_as_json(
    conf: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(conf.parent)
    main(["--config-dir", str(conf), "+task=mine", "--quick", "--json"])
    told = json.loads(capsys.readouterr().out)
    assert (told["task"], told["train"], told["dev"]) == ("mine", 17, 6)
    assert told["findings"][0]["check"] == "contradiction"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["+task=nowhere"], "task/nowhere: is not there"),
        (["limit=3"], "which task? say +task=NAME"),
        (["+task=mine", "isolation.near_duplicate=7"], "isolation.near_duplicate=7"),
    ],
)
def test_a_mistake_is_one_line(
    conf: Path, words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--config-dir", str(conf), *words, "--quick"]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert len(error.splitlines()) == 1


def test_what_needs_no_model_loads_neither_torch_nor_cleanlab(conf: Path) -> None:
    code = (
        "import sys; from harness.audit.__main__ import main; "
        f"main(['--config-dir', {str(conf)!r}, '+task=mine', '--quick', '--json']); "
        "print([m for m in ('torch', 'cleanlab', 'sentence_transformers') if m in sys.modules], "
        "file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=conf.parent,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
    )  # fmt: skip
    assert done.stderr.strip() == "[]"


def test_doubtful_targets_of_eval_are_looked_for_only_when_asked(
    conf: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(conf.parent)
    monkeypatch.setattr(
        "harness.audit.__main__.doubtful_targets", lambda task, _: {task.eval[0].id: "red?"}
    )
    assert main(["--config-dir", str(conf), "+task=mine", "--eval"]) == 0
    said = capsys.readouterr().out
    assert "eval.jsonl:1: " in said and "→ red?" in said
    (kept,) = (conf.parent / "results" / "mine").glob("doubted-*.json")
    assert list(json.loads(kept.read_text()).values()) == ["red?"]
