"""Progress bars: for people who watch, and nobody else."""

from __future__ import annotations

import re
from types import SimpleNamespace

import pytest

from harness.progress import Progress, watched

SETTINGS = ("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE")


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """What rich takes for a terminal, wide enough."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "200")


def work() -> None:
    with Progress("answering", 3, unit="question") as progress:
        for _ in range(3):
            progress.advance()
        progress.note("loss", "0.25")


def test_nothing_is_drawn_where_nobody_watches(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)
    work()
    assert capfd.readouterr() == ("", "")


def test_a_terminal_shows_what_how_much_how_fast_and_notes_on_standard_error(
    terminal: None, capsys: pytest.CaptureFixture[str]
) -> None:
    work()
    printed = capsys.readouterr()
    shown = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", printed.err)
    assert printed.out == ""
    assert re.search(r"answering .* 3/3 questions/s [0-9.]+  loss 0\.25", shown)


def test_what_an_earlier_run_had_done_does_not_count_towards_the_rate(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr("harness.progress.time", SimpleNamespace(perf_counter=lambda: clock.now))
    progress = Progress("answering", 200, unit="question")
    progress.update(150)
    clock.now = 10.0
    progress.advance(5)
    assert progress.done == 155
    assert progress.notes == {"questions/s": "0.5"}


def test_a_total_may_become_known_on_the_way() -> None:
    progress = Progress("training", unit="step")
    assert progress.bar.tasks[0].total is None
    progress.update(2, total=40)
    assert (progress.bar.tasks[0].completed, progress.bar.tasks[0].total) == (2, 40)


def test_what_is_drawn_is_text(terminal: None, capsys: pytest.CaptureFixture[str]) -> None:
    with Progress("[bold]answering[/bold] \x1b]0;title\x07", 3) as progress:
        progress.note("loss", "[red]\x9b2J")
        progress.advance(3)
    shown = capsys.readouterr().err
    assert "[bold]answering[/bold] \\x1b]0;title\\x07" in shown
    assert "[red]\\x9b2J" in shown


def test_many_items_move_a_bar_once_for_a_thousand(
    terminal: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert list(watched(range(2500), "reading train.jsonl")) == list(range(2500))
    shown = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", capsys.readouterr().err)
    assert re.search(r"reading train\.jsonl .* 2000/\? lines/s", shown)
