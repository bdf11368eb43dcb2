"""Memory of training: what a block takes, and not what was there before."""

from __future__ import annotations

import time

import torch
from torch import nn

from harness.evidence import cost
from harness.tuning.memory import MemoryWatch, weights_megabytes

MEGABYTES = 200


def test_a_watch_counts_the_weights_and_what_is_held_beside_them() -> None:
    earlier = torch.ones(MEGABYTES * 250_000)
    model = nn.Linear(1000, 1000)
    with MemoryWatch(model) as watch:
        inside = torch.ones(MEGABYTES * 250_000)
        time.sleep(cost.PERIOD + 0.2)
    assert earlier.nbytes == inside.nbytes == MEGABYTES * 1e6
    weights = weights_megabytes(model)
    assert weights == 4.004
    assert weights + 0.9 * MEGABYTES < watch.peak_megabytes < weights + 1.5 * MEGABYTES


def test_a_block_that_takes_nothing_holds_the_weights() -> None:
    model = nn.Linear(1000, 1000)
    with MemoryWatch(model) as watch:
        pass
    assert 0 <= watch.peak_megabytes - weights_megabytes(model) < 20


def test_a_weight_that_is_used_twice_counts_once() -> None:
    one, other = nn.Linear(100, 100, bias=False), nn.Linear(100, 100, bias=False)
    other.weight = one.weight
    assert weights_megabytes(nn.Sequential(one, other)) == 0.04
