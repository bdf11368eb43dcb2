"""Which worked examples are shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from harness.errors import ConfigError
from harness.ladder import shots as shots_module
from harness.ladder.shots import Shots
from harness.models.embedder import Embedder, Vectors
from harness.task import Example, Question, Task
from tests.conftest import NoWeights, fixed, similar

COPIES = {"a": 0.0, "a2": 1.0, "b": 30.0, "c": -80.0}
"""Degrees from the question: two that say nearly the same, one beside them, one far away."""


class Compass(Embedder):
    """Directions in a plane: whatever is not an example is asked at 2 degrees."""

    def __init__(self) -> None:
        super().__init__("compass", NoWeights(), "CC0-1.0")

    def encode(self, texts: Sequence[str]) -> Vectors:
        angles = np.deg2rad([COPIES.get(text, 2.0) for text in texts])
        return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def lines(*inputs: str) -> list[Example]:
    return [Example(i, i, "", "g", (), {}, "train.jsonl:1") for i in inputs]


def shown(shots: Shots, train: Sequence[Example], *asked: str) -> list[str]:
    """The inputs of the shots of each question, first to last."""
    questions = [Question(f"asked {text}", text) for text in asked]
    chosen = shots.choose(train, questions, 0, Compass())
    return [" ".join(e.input for e in one) for one in chosen]


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


def test_similar_shots_are_the_nearest_and_the_seed_does_not_matter(
    task: Task, letters: Embedder
) -> None:
    train = lines("c", "b", "a", "a2")
    assert shown(similar(1), train, "?") == ["a2"]
    assert shown(similar(3), train, "?") == ["b a a2"]
    one, other = (
        similar(3).choose(task.materials.train, task.questions, s, letters) for s in (0, 1)
    )
    assert one == other
    assert any(chosen != one[0] for chosen in one), "they are the same for all questions"


def test_equally_near_examples_are_taken_as_they_stand_in_train() -> None:
    twins = lines("a", "a2", "a", "a2")
    first = similar(2).choose(twins, [Question("q", "?")], 0, Compass())[0]
    assert [id(e) for e in first] == [id(twins[3]), id(twins[1])]


def test_diversity_leaves_out_what_says_the_same_again() -> None:
    """Of a, a2 and b: a2 is nearest; a repeats it, so that b is worth more from some point on."""
    train = lines("a", "a2", "b", "c")
    assert shown(similar(2), train, "?") == ["a a2"]
    assert shown(similar(2, diversity=0.5), train, "?") == ["b a2"]
    assert shown(similar(2, diversity=1.0), train, "?") == ["c a2"]
    # By hand: a gains (1 - w) cos 2 - w cos 1 and b (1 - w) cos 28 - w cos 29.
    cos = lambda degrees: float(np.cos(np.deg2rad(degrees)))  # noqa: E731
    point = (cos(2) - cos(28)) / (cos(2) - cos(28) + cos(1) - cos(29))
    assert shown(similar(2, diversity=point - 0.01), train, "?") == ["a a2"]
    assert shown(similar(2, diversity=point + 0.01), train, "?") == ["b a2"]


def test_diverse_shots_too_stand_with_the_nearest_last() -> None:
    assert shown(similar(3, diversity=0.9), lines("c", "a", "b", "a2"), "?") == ["c b a2"]


def test_diversity_chooses_among_the_nearest_only() -> None:
    """Of k=1 times 8: the far one is the ninth."""
    near = lines("a2", *["a"] * 15)
    assert shown(similar(2, diversity=1.0), [*near, *lines("c")], "?") == ["a a2"]
    assert shown(similar(2, diversity=1.0), [*near[:15], *lines("c")], "?") == ["c a2"]


def test_a_shared_order_depends_on_train_alone() -> None:
    """So that prompts begin alike: what is near to many inputs comes first, whatever is asked."""
    train = lines("b", "a2", "a", "c")
    assert shown(similar(3), train, "b", "a") == ["a a2 b", "b a2 a"]
    assert shown(similar(3, order="shared"), train, "b", "a") == ["a a2 b"] * 2
    # Where the many lie is another matter of train, and so is the order.
    more = lines("b", "a2", "a", "b", "b", "b", "b")
    alone = shown(similar(3, order="shared"), more, "a")
    assert alone == ["b a2 a"]
    assert shown(similar(3, order="shared"), more, "c", "a", "b")[1:2] == alone


def test_shots_know_what_they_need(task: Task) -> None:
    materials = replace(task.materials, train=tuple(lines("a", "a2", "b", "c")))
    drawn, near = fixed(2), similar(2)
    assert (drawn.random, drawn.embeds, drawn.labelled(materials)) == (True, False, 2)
    assert (near.random, near.embeds, near.labelled(materials)) == (False, True, 4)


def test_more_shots_than_examples_are_refused(task: Task) -> None:
    for shots in (fixed, similar):
        shots(16).check(task.materials)
        with pytest.raises(
            ConfigError, match=r"^rung\.shots\.k=17: must be from 1 to the 16 train examples$"
        ):
            shots(17).check(task.materials)


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        ({"k": 0}, "rung.shots.k=0: must be greater than or equal to 1"),
        ({"k": 2.5}, "rung.shots.k=2.5: must be a valid integer"),
        ({"k": True}, "rung.shots.k=True: must be a valid integer"),
        ({"choice": "nearest"}, "rung.shots.choice=nearest: must be 'similar' or 'fixed'"),
        ({"order": "random"}, "rung.shots.order=random: must be 'nearest_last' or 'shared'"),
        ({"diversity": 1.5}, "rung.shots.diversity=1.5: must be less than or equal to 1"),
        ({"diversity": -0.1}, "rung.shots.diversity=-0.1: must be greater than or equal to 0"),
        ({"diversity": "much"}, "rung.shots.diversity=much: must be a valid number"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(wrong: dict[str, Any], complaint: str) -> None:
    settings = {"k": 2, "choice": "similar", "diversity": 0.0, "order": "nearest_last"}
    with pytest.raises(ConfigError) as caught:
        Shots(**(settings | wrong))  # type: ignore[arg-type]
    assert str(caught.value) == complaint


def test_the_nearest_are_those_that_sorting_all_would_begin_with() -> None:
    values = np.random.default_rng(0).integers(0, 9, 500).astype(np.float32)
    whole = (-values).argsort(kind="stable").tolist()
    for count in (1, 33, 499, 500, 600):
        assert shots_module._highest(values, count) == whole[:count]


def test_questions_are_compared_in_blocks_that_change_nothing(
    task: Task, letters: Embedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of a hundred thousand questions with a million examples would be 400 GB."""
    train = task.materials.train
    once = similar(4).choose(train, task.questions, 0, letters)
    monkeypatch.setattr(shots_module, "BLOCK", 3 * len(train))
    assert similar(4).choose(train, task.questions, 0, letters) == once
