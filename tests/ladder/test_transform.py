"""What is done to the materials before a rung reads them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.answer import Label
from harness.errors import ConfigError, RungUnavailableError
from harness.ladder.transform import (
    PlantedErrors,
    ShuffledTargets,
    Suspects,
    WithoutSuspects,
    data_quality,
)
from harness.task import Example, Materials, Task


def test_shuffled_targets_are_the_same_targets_with_none_in_its_place(task: Task) -> None:
    train = task.materials.train
    for seed in range(20):
        shuffled = ShuffledTargets().apply(task.materials, seed).train
        assert [e.input for e in shuffled] == [e.input for e in train]
        assert sorted(e.target for e in shuffled) == sorted(e.target for e in train)
        giver = {e.target for e in train}
        assert len(giver) < len(train) or all(
            new.target != old.target for new, old in zip(shuffled, train, strict=True)
        )


def test_the_seed_decides_who_gets_which_target_and_nothing_else_changes(task: Task) -> None:
    first, again, other = (ShuffledTargets().apply(task.materials, s) for s in (0, 0, 1))
    assert first == again != other
    assert (first.dev, first.corpus) == (task.materials.dev, task.materials.corpus)


def labelled(targets: list[str]) -> Materials:
    train = tuple(
        Example(f"t{n}", f"input {n}", target, f"g{n // 2}", (), {}, f"train.jsonl:{n}")
        for n, target in enumerate(targets)
    )
    return Materials(train, (), (), {}, "{input}", Label(sorted(set(targets))), 8)


@given(
    st.lists(st.sampled_from("abc"), min_size=2, max_size=40), st.floats(0, 1), st.integers(0, 9)
)
def test_planted_targets_are_wrong_valid_and_as_many_as_asked(
    targets: list[str], share: float, seed: int
) -> None:
    materials = labelled(targets)
    if len(set(targets)) < 2:
        with pytest.raises(RungUnavailableError):
            PlantedErrors(share).check(materials)
        return
    planted = PlantedErrors(share)
    after = planted.apply(materials, seed).train
    changed = {
        new.id for new, old in zip(after, materials.train, strict=True) if new.target != old.target
    }
    assert len(changed) == round(share * len(targets))
    assert changed == set(planted.record(materials, seed)["planted"])
    assert {e.target for e in after} <= set(targets)


def test_what_is_planted_at_a_small_share_is_planted_at_a_larger_one(task: Task) -> None:
    less, more = (PlantedErrors(s).record(task.materials, 3)["planted"] for s in (0.2, 0.5))
    assert less.items() < more.items()
    assert less != PlantedErrors(0.2).record(task.materials, 4)["planted"]


def test_planting_leaves_dev_inputs_and_the_other_targets_alone(task: Task) -> None:
    before = task.materials
    after = PlantedErrors(0.25).apply(before, 0)
    assert after == replace(before, train=after.train)
    assert [e.input for e in after.train] == [e.input for e in before.train]
    assert sum(a.target != b.target for a, b in zip(after.train, before.train, strict=True)) == 4


def without(**changes: object) -> WithoutSuspects:
    settings: dict[str, object] = {"without": "classifier", "dropped": None, "planted": None}
    return WithoutSuspects(**(settings | changes))  # type: ignore[arg-type]


DOUBT = {"train-3": 0.9, "train-1": 0.8, "train-2": 0.1}


@pytest.mark.parametrize(
    ("dropped", "gone"), [(None, {"train-2"}), (0.125, {"train-3", "train-1"}), (0.0, set())]
)
def test_the_flagged_or_the_most_doubtful_are_left_out(
    task: Task, dropped: float | None, gone: set[str]
) -> None:
    suspects = Suspects(DOUBT, ["train-2"])
    left = without(dropped=dropped, suspects=suspects).apply(task.materials, 0).train
    assert {e.id for e in task.materials.train} - {e.id for e in left} == gone


def test_the_record_says_what_was_planted_and_what_was_left_out(task: Task) -> None:
    planted = PlantedErrors(0.25)
    transform = without(planted=planted, suspects=Suspects(DOUBT, ["train-2"]))
    told = transform.record(task.materials, 0)
    assert told["planted"] == planted.record(task.materials, 0)["planted"]
    assert (told["without"], told["dropped"], told["doubt"]) == ("classifier", ["train-2"], DOUBT)
    assert transform.audited(task.materials, 0) == planted.apply(task.materials, 0)


def test_the_embedder_and_the_seed_count_where_they_take_part() -> None:
    planted = PlantedErrors(0.1)
    assert (without().embeds, without().random) == (True, False)
    assert without(planted=planted).random
    by_losses = without(without="losses", dropped=0.1)
    assert (by_losses.embeds, by_losses.random) == (False, True)


def test_what_an_experiment_says_becomes_a_transform_or_nothing() -> None:
    assert data_quality(0.0) is None
    assert data_quality(0.1) == PlantedErrors(0.1)
    assert data_quality(0.0, "classifier") == without()
    assert data_quality(0.1, "classifier", 0.2) == without(planted=PlantedErrors(0.1), dropped=0.2)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: data_quality(1.5), "rung.transform.planted=1.5"),
        (lambda: data_quality(0.1, "guess"), "rung.transform.without=guess"),
        (lambda: data_quality(0.1, "losses"), "rung.transform.dropped=null"),
    ],
)
def test_a_value_that_does_not_fit_is_named(make: Callable[[], object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        make()
