"""A folder of a model is looked at before anything of it is loaded."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from harness.errors import TaskError, WeightsError
from harness.models.layout import check_layout
from harness.task import Task


@pytest.fixture
def copy(tiny_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_folder, tmp_path / "model"))


def test_a_folder_of_save_pretrained_passes(tiny_folder: Path, task: Task) -> None:
    check_layout(tiny_folder, task)


@pytest.mark.parametrize(
    ("gone", "complaint"),
    [
        ("config.json", "holds no config.json"),
        ("model.safetensors", r"holds no \*.safetensors"),
        ("tokenizer.json", "holds no tokenizer"),
        ("chat_template.jinja", "has no chat template; choose an instruct model"),
    ],
)
def test_what_is_missing_is_named(copy: Path, task: Task, gone: str, complaint: str) -> None:
    (copy / gone).unlink()
    with pytest.raises(WeightsError, match=complaint):
        check_layout(copy, task)


def test_a_broken_file_is_named(copy: Path, task: Task) -> None:
    (copy / "config.json").write_text("{")
    with pytest.raises(WeightsError, match=r"config\.json: not JSON"):
        check_layout(copy, task)


def test_a_question_that_never_fits_is_named_with_its_line(copy: Path, task: Task) -> None:
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps(config | {"max_position_embeddings": 100}))
    long = replace(task.eval[2], input="word " * 100)
    task = replace(task, eval=(*task.eval[:2], long, *task.eval[3:]))
    with pytest.raises(TaskError, match=r"eval\.jsonl:3: the input alone has .* more than the 100"):
        check_layout(copy, task)
