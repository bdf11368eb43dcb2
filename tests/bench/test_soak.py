"""The trials of docs/reliability.md, a few cases of each; `make soak` runs all of them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bench.soak import __main__ as soak
from bench.soak import checks
from bench.soak.trial import Outcome, Place

SEED = int(os.environ.get("SOAK_SEED", "0"))


@pytest.mark.parametrize("name", ["signals"])  # the others take minutes
def test_what_is_promised_is_held(name: str, tmp_path: Path) -> None:
    outcomes = soak.run(name, Place(tmp_path / name, SEED, quick=True))
    assert outcomes
    assert [failure for one in outcomes for failure in one.failures] == []
    assert all(one.kept for one in outcomes), outcomes


def trial(monkeypatch: pytest.MonkeyPatch, outcomes: Sequence[Outcome] | Exception) -> None:
    """Let every trial end like this."""

    def run(place: Place) -> Any:
        if isinstance(outcomes, Exception):
            raise outcomes
        return outcomes

    module = SimpleNamespace(PROMISE="promise", run=run)
    monkeypatch.setattr(soak.importlib, "import_module", lambda name: module)


@pytest.mark.parametrize(
    ("outcomes", "code"),
    [
        ([Outcome("promise", "trial", 2, 2, "figure")], 0),
        ([Outcome("promise", "trial", 2, 1, "figure", ("moment 1",))], 1),
        ([Outcome("promise", "trial", 0, 0, "nothing was tried")], 1),
        (RuntimeError("broke"), 1),
        ([], 1),
    ],
)
def test_the_exit_code_says_whether_all_was_held(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    outcomes: Sequence[Outcome] | Exception,
    code: int,
) -> None:
    trial(monkeypatch, outcomes)
    assert soak.main(["kill", "--quick", "--markdown", "--seed", "3"]) == code
    told = capsys.readouterr()
    if outcomes:
        assert "`python -m bench.soak kill --seed 3 --quick` |" in told.out
    if isinstance(outcomes, Exception):
        assert "seed 3: RuntimeError: broke" in told.err


def test_a_trial_that_is_none_is_refused() -> None:
    with pytest.raises(SystemExit, match="2"):
        soak.parse(["kil"])


def test_a_complaint_is_one_line_without_a_traceback() -> None:
    assert list(checks.one_line("[0] tiny\nerror: no room\n")) == []
    assert len(list(checks.one_line("error: one\nerror: two\n"))) == 1
    assert len(list(checks.one_line("Traceback (most recent call last):\n  x\nE: y"))) == 2
