"""What each example lost in each epoch: the losses of the training steps, by example."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pytest

from harness.files import EXAMPLE_LOSSES
from harness.models.local.engine import LocalEngine
from harness.task import Task
from harness.tuning.example_losses import keep_losses, name_losses
from harness.tuning.flat_batches import padded_batch
from tests.tuning.test_trainer import LESSONS, STOP, adapted, fit, interrupted, plain_loss


@pytest.mark.parametrize("flat", [True, False], ids=["flat", "padded"])
def test_losses_are_those_of_each_example_alone(
    tiny: LocalEngine, tmp_path: Path, flat: bool
) -> None:
    """At a learning rate of zero the model stays what it is, epoch after epoch."""
    collate = {} if flat else {"collate": partial(padded_batch, pad=STOP)}
    curve = fit(adapted(tiny, flat=flat), tmp_path, learning_rate=0.0, epochs=2, **collate)  # type: ignore[arg-type]
    untrained = adapted(tiny)
    for example, losses in zip(LESSONS, curve.losses, strict=True):
        assert losses == pytest.approx([plain_loss(untrained, [example])] * 2, rel=1e-4)


def test_losses_fall_while_examples_are_learned(tiny: LocalEngine, tmp_path: Path) -> None:
    curve = fit(adapted(tiny), tmp_path, epochs=8, learning_rate=2e-2)
    assert {len(losses) for losses in curve.losses} == {8}
    assert all(losses[-1] < losses[0] for losses in curve.losses)


def test_the_mean_over_a_batch_is_the_loss_of_its_step(tiny: LocalEngine, tmp_path: Path) -> None:
    curve = fit(adapted(tiny), tmp_path, epochs=1, batch_size=len(LESSONS))
    tokens = [len(example.completion) for example in LESSONS]
    total = sum(loss[0] * n for loss, n in zip(curve.losses, tokens, strict=True))
    assert total / sum(tokens) == pytest.approx(curve.points[0]["loss"], rel=1e-5)


def test_an_interruption_loses_none_and_counts_none_twice(
    tiny: LocalEngine, tmp_path: Path
) -> None:
    straight = fit(adapted(tiny), tmp_path / "straight")
    with pytest.raises(InterruptedError):
        fit(adapted(tiny), tmp_path / "broken", collate=interrupted(15))
    resumed = fit(adapted(tiny), tmp_path / "broken")
    assert resumed.losses == straight.losses


def test_lines_of_a_run_are_named_after_its_examples(task: Task, tmp_path: Path) -> None:
    train = task.materials.train
    keep_losses(tmp_path, [[1.23456789, 0.5]] * len(train), range(len(train)))
    run = tmp_path / "run"
    run.mkdir()
    name_losses(tmp_path, run, train)
    lines = (run / EXAMPLE_LOSSES).read_text().splitlines()
    first = json.loads(lines[0])
    assert len(lines) == len(train)
    assert first["loss"] == [1.234568, 0.5]
    assert (first["id"], first["where"]) == (train[0].id, train[0].where)


def test_a_method_that_keeps_no_losses_has_none_to_name(task: Task, tmp_path: Path) -> None:
    name_losses(tmp_path, tmp_path, task.materials.train)
    assert not (tmp_path / EXAMPLE_LOSSES).exists()
