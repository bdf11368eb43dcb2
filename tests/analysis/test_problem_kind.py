"""Which pair of rungs tells what a single change brings."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.analysis.problem_kind import problem_kind
from tests.ladders import IDS, priced, run
from tests.record.conftest import TRAINING


@pytest.mark.parametrize("constrained", [True, False])
def test_pairs_under_the_constraint_go_before_freely_decoded_ones(
    tmp_path: Path, constrained: bool
) -> None:
    counts = {"free": (0, 50), "constrained": (20, 40)}
    folders = []
    for decoding, (bare, tuned) in list(counts.items())[: 1 + constrained]:
        words = {"decoding": decoding, "variant": f"decoding={decoding}"}
        folders.append(run(tmp_path, "prompt", bare, **words))
        folders.append(run(tmp_path, "lora", tuned, training=TRAINING, seed=0, **words))
    found = priced(*folders)
    told = problem_kind(found.rungs, "tickets", 0.02)
    assert told.shown is not None
    assert told.name == "behaviour"
    gained = 20 if constrained else 50
    assert told.shown.difference.value == pytest.approx(gained / len(IDS))
