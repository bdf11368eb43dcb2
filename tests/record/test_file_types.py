"""What a run's files may say, whatever version wrote them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.errors import ResultsError
from harness.record import file_types
from harness.record.results import RunFolder
from tests.record.conftest import complete_run


def edited(folder: RunFolder, name: str, **changes: Any) -> RunFolder:
    """The same run as if it had been written so."""
    path = folder.path / name
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    (folder.path / "complete.json").write_text('{"sha256": {}}')
    return folder


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"seed": "abc"}, "seed is 'abc': must be a valid integer"),
        ({"seed": -1}, "seed is -1: must be greater than or equal to 0"),
        ({"primary": None}, "primary is None: must be a valid string"),
        ({"identity": {"task": {}}}, "identity.rung is missing"),
        ({"isolation": 7}, "isolation is 7: must be a valid dictionary"),
    ],
)
def test_a_manifest_of_another_type_is_named_with_place_value_and_fix(
    tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    folder = edited(complete_run(tmp_path), "manifest.json", **changes)
    with pytest.raises(ResultsError) as caught:
        folder.manifest()
    assert str(caught.value) == (
        f"{folder.path}/manifest.json: cannot be read ({said}); delete {folder.path} and run again"
    )


def test_keys_of_other_versions_may_stand_there(tmp_path: Path) -> None:
    folder = edited(complete_run(tmp_path), "manifest.json", invented_later={"a": 1})
    assert folder.manifest()["invented_later"] == {"a": 1}


def test_numbers_that_are_none_are_named() -> None:
    interval = {"value": "1", "low": None, "high": None, "n": 4, "method": "none"}
    usual = dict.fromkeys(("readable", "stopped", "truncated", "failed"), interval | {"value": 1.0})
    wrong = {"all": usual | {"accuracy": interval}, "slices": {}}
    assert file_types.problem(wrong, file_types.METRICS) == (
        "all.accuracy.value is '1': must be a valid number"
    )


def test_a_question_answered_twice_is_refused(tmp_path: Path) -> None:
    folder = complete_run(tmp_path)
    path = folder.path / "predictions.jsonl"
    (folder.path / "complete.json").unlink()
    path.write_text(path.read_text() * 2)
    with pytest.raises(ResultsError, match=r"jsonl:5: answers 'eval-0', as line 1 does; delete"):
        folder.predictions()
