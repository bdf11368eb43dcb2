"""Which of several settings is the best on dev."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.ladder.rung import Rung
from harness.trials import Candidate, Trial, best, take_over

CANDIDATES = [Candidate(Rung(str(i), "full"), {}, f"rung.shots.k={i}") for i in range(4)]


def trials(*results: tuple[float, float]) -> list[Trial]:
    """Of values and tokens."""
    return [
        Trial(c.words, value, 6, 1.0, tokens)
        for c, (value, tokens) in zip(CANDIDATES, results, strict=False)
    ]


@pytest.mark.parametrize(
    ("results", "chosen"),
    [
        ([(0.5, 10)], 0),
        ([(0.2, 10), (0.9, 900), (0.5, 1)], 1),
        ([(0.5, 30), (0.5, 20), (0.5, 25)], 1),
        ([(0.4, 1), (0.5, 20), (0.5, 20)], 1),
        ([(0.0, 7), (0.0, 7), (0.0, 7), (0.0, 7)], 0),
    ],
    ids=["alone", "best value", "fewer tokens", "equal in both", "nothing is right"],
)
def test_the_best_value_is_chosen_then_fewer_tokens_then_what_comes_first(
    results: list[tuple[float, float]], chosen: int
) -> None:
    assert best(trials(*results)) == chosen


def test_a_trials_answers_on_dev_are_taken_over_and_nothing_is_overwritten(
    tmp_path: Path,
) -> None:
    trial, run = tmp_path / "trial", tmp_path / "run"
    for folder in (trial, run):
        folder.mkdir()
    take_over(trial, run)
    assert list(run.iterdir()) == []
    (trial / "dev_predictions.jsonl").write_text("answers\n")
    take_over(trial, run)
    (trial / "dev_predictions.jsonl").write_text("later answers\n")
    take_over(trial, run)
    assert [path.name for path in run.iterdir()] == ["dev_predictions.jsonl"]
    assert (run / "dev_predictions.jsonl").read_text() == "answers\n"


def test_a_trial_is_read_back_as_it_was_recorded() -> None:
    made = Trial("rung.shots.k=3", 0.25, 2, 2.5, 156.0)
    assert Trial(**made.record()) == made
