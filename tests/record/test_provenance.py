"""Versions, commit and machine."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from pathlib import Path

import pytest
import torch

from harness import __version__
from harness.record import provenance
from harness.record.provenance import git_commit, machine, versions


def git(folder: Path, *arguments: str) -> str:
    who = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
    done = subprocess.run(
        ["git", *who, *arguments], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that the package seems to lie in."""
    monkeypatch.setattr(provenance, "__file__", str(tmp_path / "provenance.py"))
    return tmp_path


def test_versions_are_ours_pythons_and_those_that_a_result_depends_on() -> None:
    found = versions()
    assert found["harness"] == __version__
    assert found["python"] == platform.python_version()
    assert torch.__version__.startswith(found["torch"].split("+")[0])
    assert {"transformers", "peft", "sentence-transformers", "faiss-cpu", "mlflow"} <= found.keys()


def test_the_commit_of_a_checkout_is_whole_and_says_if_it_was_changed(home: Path) -> None:
    git(home, "init", "--quiet")
    (home / "file").write_text("one")
    git(home, "add", "file")
    git(home, "commit", "--quiet", "--message", "one")
    git(home, "tag", "v1")
    commit = git(home, "rev-parse", "HEAD")
    assert git_commit() == commit
    (home / "file").write_text("two")
    assert git_commit() == f"{commit}-dirty"


def test_outside_of_a_checkout_there_is_no_commit(home: Path) -> None:
    assert git_commit() is None


def test_without_git_there_is_no_commit(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    git(home, "init", "--quiet")
    monkeypatch.setenv("PATH", str(home))
    assert git_commit() is None


def test_a_machine_is_its_system_processor_and_usable_cores() -> None:
    found = machine()
    assert json.loads(json.dumps(found)) == found
    assert found["platform"] == platform.platform()
    assert found["processor"] == provenance._processor()
    assert 1 <= int(found["cores"] or 0) <= (os.cpu_count() or 1)
