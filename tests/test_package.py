"""The wheel: what is in it, and that it runs from an empty folder, far from the checkout."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import ROOT, TASK

Shell = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    _pip("wheel", "--no-deps", "--wheel-dir", str(folder), str(ROOT))
    (path,) = folder.glob("harness-*.whl")
    return path


@pytest.fixture
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """Python in an empty folder, with the package but without the checkout."""
    site, here = tmp_path_factory.mktemp("site"), tmp_path_factory.mktemp("here")
    _pip("install", "--no-deps", "--no-index", "--target", str(site), str(wheel))

    def call(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=here,
            env={"PYTHONPATH": str(site), "HARNESS_CACHE": str(here / "cache"), "PATH": ""},
            capture_output=True,
            text=True,
            check=False,
        )

    call.here = here  # type: ignore[attr-defined]
    return call


def _pip(*arguments: str) -> None:
    words = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_conf_and_tasks_travel_in_the_wheel_and_nothing_else_does(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    shipped = {"conf/config.yaml", "conf/rung/lora.yaml", "tasks/support_json/eval.jsonl"}
    assert {f"harness/{name}" for name in shipped} <= names
    assert {"harness/__main__.py", "harness/report/page.html.jinja"} <= names
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {"harness"}
    assert not [name for name in names if "/results/" in name or "/tests/" in name]


def test_it_runs_from_any_folder_and_leaves_its_results_there(
    installed: Shell, tiny_folder: Path, task_folder: Path
) -> None:
    here: Path = installed.here  # type: ignore[attr-defined]
    assert "python -m harness +task=support_json" in installed("-m", "harness", "--help").stdout
    (here / "conf" / "task").mkdir(parents=True)
    (here / "conf" / "task" / "mine.yaml").write_text(TASK.format(folder=task_folder))
    done = installed(
        *("-m", "harness", "--config-dir=conf", "+task=support_json,mine", "limit=2"),
        *("rung=prompt", "rung.instructions=short", "controls=false", "dev_questions=0"),
        *("model=folder", f"model.weights.path={tiny_folder}"),
    )
    assert done.returncode == 0, done.stderr
    found = {path.parts[-4]: path for path in (here / "results").rglob("manifest.json")}
    assert set(found) == {"support_json", "mine"}
    assert json.loads(found["support_json"].read_text())["git"] is None
    assert (here / "mlflow.db").is_file()
    where = installed("-c", "import harness.home as h; print(h.INSTALLED, h.CONF)").stdout
    assert where.startswith("True ")
    assert str(ROOT) not in where
