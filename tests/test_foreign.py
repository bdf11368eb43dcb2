"""Code of others is known by its content."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.answer import Label
from harness.foreign import foreign
from harness.task import Task

SOURCE = "from harness.answer import Label\n\nclass Mine(Label):\n    pass\n"


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], object]:
    """Writes a module with an answer format of one's own, and makes one."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def made(source: str) -> object:
        (tmp_path / "my_formats.py").write_text(source)
        sys.modules.pop("my_formats", None)
        importlib.invalidate_caches()
        found: object = importlib.import_module("my_formats").Mine(["red", "blue"])
        return found

    return made


def test_what_is_harnesss_own_is_known_by_its_version(task: Task) -> None:
    assert foreign([Label(["red"]), "accuracy"]) == []


def test_a_class_of_ones_own_is_known_by_its_source(mine: Callable[[str], object]) -> None:
    (first,) = foreign([mine(SOURCE)])
    (second,) = foreign([mine(SOURCE + "# other\n")])
    assert first[0] == second[0] == "my_formats.Mine"
    assert first[1] != second[1]


def test_an_edited_format_or_metric_scores_anew(
    mine: Callable[[str], object], load: Callable[..., Task], tmp_path: Path
) -> None:
    metric = tmp_path / "metric.py"
    metric.write_text("one")
    told = []
    for source, metrics in ((SOURCE, "one"), (SOURCE + "#", "one"), (SOURCE + "#", "two")):
        metric.write_text(metrics)
        task = load(metrics=[str(metric)])
        answer = mine(source)
        materials = task.materials
        object.__setattr__(materials, "answer", answer)
        told.append(task.fingerprints()["scoring"])
    assert len(set(told)) == 3
