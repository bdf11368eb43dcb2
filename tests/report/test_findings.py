"""What is said of all that an eval set has judged."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import pytest
from rich.console import Console

from harness.evidence.statistics import expected_optimism
from harness.record.ledger import record
from harness.record.results import RunFolder, find_runs
from harness.report.findings import findings
from harness.report.ladder import ladder
from harness.report.markdown import markdown
from harness.report.page import page
from harness.report.terminal import show
from tests.record.conftest import complete_run


def judge(root: Path, *rungs: str) -> list[RunFolder]:
    """Runs that the ledger knows of."""
    folders = [complete_run(root, rung) for rung in rungs]
    for folder in folders:
        record(folder.path.parents[1], folder.read("manifest.json"))
    return folders


def test_how_many_were_judged_and_what_chance_gives_the_best_stands_in_every_report(
    tmp_path: Path,
) -> None:
    rows = ladder(judge(tmp_path, "prompt", "rag", "few_shot"))
    found = findings(rows)
    points = 100 * (expected_optimism(3, rows[0].primary) or 0)
    sentence = (
        "This eval set has judged 3 configurations; the best of 3 equally good ones would look up "
        f"to about {points:.1f} points better than it is, by chance."
    )
    assert found.notes[-1] == sentence
    terminal = io.StringIO()
    show(rows, found, Console(file=terminal, width=400))
    for text in (terminal.getvalue(), "\n".join(markdown(rows, found)), page(rows, found)):
        assert text.count(sentence) == 1


def test_without_contrasts_the_scores_say_it(tmp_path: Path) -> None:
    gone, _ = judge(tmp_path, "rag", "prompt")
    shutil.rmtree(gone.path)
    rows = ladder(find_runs(tmp_path))
    found = findings(rows)
    assert not found.contrasts
    assert "has judged 2 configurations; the best of 2" in "\n".join(markdown(rows, found))


def test_runs_that_are_older_than_the_ledger_are_counted_too(tmp_path: Path) -> None:
    old = complete_run(tmp_path, "lora", seed=0), complete_run(tmp_path, "lora", seed=1)
    control = complete_run(tmp_path, "majority", control={"kind": "majority", "of": None})
    assert findings(ladder([*old, control, *judge(tmp_path, "prompt")])).judged == 2


@pytest.mark.parametrize("rungs", [(), ("prompt",)])
def test_nothing_is_said_without_a_ledger_or_of_one_configuration(
    tmp_path: Path, rungs: tuple[str, ...]
) -> None:
    folders = judge(tmp_path, *rungs) or [complete_run(tmp_path, r) for r in ("prompt", "rag")]
    assert not any("judged" in note for note in findings(ladder(folders)).notes)
