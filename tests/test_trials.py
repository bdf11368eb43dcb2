"""Which of several settings is the best on dev."""

from __future__ import annotations

import pytest

from harness.ladder.rung import Rung
from harness.task import Prediction
from harness.trials import Candidate, Trial, best

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
    made = trials(*results)
    assert best(CANDIDATES[: len(made)], made.__getitem__) == (chosen, made)


def test_each_candidate_is_tried_once_in_order() -> None:
    tried: list[int] = []

    def attempt(place: int) -> Trial:
        tried.append(place)
        return trials((0.1, 1), (0.9, 1), (0.2, 1), (0.3, 1))[place]

    chosen, made = best(CANDIDATES, attempt)
    assert (chosen, tried) == (1, [0, 1, 2, 3])
    assert [trial.settings for trial in made] == [c.words for c in CANDIDATES]


def test_a_trial_counts_prompt_and_answer_tokens_by_the_question() -> None:
    predictions = [Prediction("a", "", "stop", 100, 9, 5, 0.5), Prediction("b", "", "stop", 200, 9, 7, 0.5)]
    made = Trial.of(CANDIDATES[3], 0.25, predictions, 2.5)
    assert made == Trial("rung.shots.k=3", 0.25, 2, 2.5, 156.0)
    assert Trial(**made.record()) == made
