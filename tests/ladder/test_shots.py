"""Which worked examples are shown."""

from __future__ import annotations

import pytest

from harness.errors import ConfigError
from harness.ladder.shots import Shots
from harness.models.embedder import Embedder
from harness.task import Question, Task
from tests.conftest import fixed, similar


def test_fixed_shots_are_the_same_for_all_questions_and_drawn_by_seed(
    task: Task, letters: Embedder
) -> None:
    train = task.materials.train
    chosen = fixed(4).choose(train, task.questions, 0, letters)
    assert all(shots == chosen[0] for shots in chosen)
    assert chosen[0] == fixed(4).choose(train, task.questions, 0, letters)[0]
    assert chosen[0] != fixed(4).choose(train, task.questions, 1, letters)[0]


@pytest.mark.parametrize("shots", [fixed(4), similar(4)])
def test_an_example_is_never_among_its_own_shots(
    task: Task, letters: Embedder, shots: Shots
) -> None:
    train = task.materials.train
    chosen = shots.choose(train, [e.question for e in train], 0, letters)
    for example, own in zip(train, chosen, strict=True):
        assert len(own) == 4
        assert example not in own


def test_the_nearest_shot_stands_last(task: Task, letters: Embedder) -> None:
    twin = task.materials.train[7]
    (chosen,) = similar(3).choose(task.materials.train, [Question("q", twin.input)], 0, letters)
    assert chosen[-1] == twin


@pytest.mark.parametrize("k", [0, 17])
def test_more_shots_than_examples_are_refused(task: Task, letters: Embedder, k: int) -> None:
    with pytest.raises(ConfigError, match=rf"shots\.k={k}: must be from 1 to the 16"):
        fixed(k).choose(task.materials.train, task.questions, 0, letters)
