"""Inputs that mean the same: a warning, on request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from harness.errors import ConfigError
from harness.task import Task
from tests.evidence.isolation.planting import LONG, STOP, planted

PARAPHRASE = "My sleeping bag cannot be closed any more since its second night; I freeze. What now?"


class Topics:
    """Texts about sleeping bags point one way, all others another."""

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        about = np.array(["sleeping bag" in text for text in texts])
        return np.stack([about, ~about], axis=1).astype(np.float32)


def test_a_paraphrase_is_said_and_left_where_it_is(task: Task) -> None:
    leaky = planted(task, PARAPHRASE)
    isolation = replace(STOP, paraphrase=1.3, suspects="leak")
    same, certificate = isolation.certify(leaky, Topics())
    assert same is leaky
    assert certificate.decision == "sealed"
    (suspect,) = [s for s in certificate.suspects if s.pair.where == "train.jsonl:1"]
    assert (suspect.kind, suspect.pair.eval_text) == ("paraphrase", LONG)
    assert certificate.thresholds["paraphrase"] == 1.3


def test_nothing_is_embedded_unless_it_is_asked_for(task: Task) -> None:
    certificate = STOP.certify(planted(task, PARAPHRASE), Topics())[1]
    assert certificate.suspects == ()
    assert "paraphrase" not in certificate.thresholds


def test_what_is_a_leak_already_is_not_said_again(task: Task) -> None:
    isolation = replace(STOP, paraphrase=1.3, leaks="allow")
    certificate = isolation.certify(planted(task, LONG), Topics())[1]
    assert [leak.kind for leak in certificate.leaks] == ["text"]
    assert all(s.pair.where != "train.jsonl:1" for s in certificate.suspects)


def test_lines_that_are_all_alike_are_not_suspected(task: Task) -> None:
    m = task.materials
    alike = tuple(replace(e, input=f"{PARAPHRASE} {e.input}") for e in m.train)
    leaky = replace(planted(task, LONG), materials=replace(m, train=alike))
    assert replace(STOP, paraphrase=1.3).certify(leaky, Topics())[1].suspects == ()


@pytest.mark.parametrize("value", [1, 0.75, 75, float("nan"), True, "1.3"])
def test_the_threshold_is_a_ratio(value: object) -> None:
    with pytest.raises(ConfigError, match=r"isolation\.paraphrase=.*: must be a ratio above 1"):
        replace(STOP, paraphrase=value)  # type: ignore[arg-type]
