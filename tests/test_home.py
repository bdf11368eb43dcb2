"""Where the files that come with harness are found."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.home import CONF, HOME, INSTALLED, located, places


def test_in_a_checkout_they_lie_beside_the_package() -> None:
    assert not INSTALLED
    assert (HOME / "pyproject.toml").is_file()
    assert (CONF / "config.yaml").is_file()


def test_the_current_directory_comes_before_what_is_shipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert located("tasks/support_json") == str(HOME / "tasks/support_json")
    (tmp_path / "tasks" / "support_json").mkdir(parents=True)
    assert located("tasks/support_json") == "tasks/support_json"


@pytest.mark.parametrize(
    "path", ["tasks/nothing", "docs", "PolyAI/banking77", "/tasks/support_json"]
)
def test_what_is_not_a_task_that_is_shipped_stays(path: str) -> None:
    assert located(path) == path


def test_the_places_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert places("tasks/gone") == f"{tmp_path}/tasks/gone and {HOME}/tasks/gone"
    assert places("gone") == f"{tmp_path}/gone"
