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
    """Texts about sleeping bags point one way, each other text a way of its own."""

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        vectors = np.zeros((len(texts), 64), np.float32)
        for i, text in enumerate(texts):
            vectors[i, 0 if "sleeping bag" in text else 1 + hash(text) % 63] = 1
        return vectors


def test_a_paraphrase_is_said_and_left_where_it_is(task: Task) -> None:
    leaky = planted(task, PARAPHRASE)
    isolation = replace(STOP, paraphrase=0.9, suspects="leak")
    same, certificate = isolation.certify(leaky, Topics())
    assert same is leaky
    assert certificate.decision == "sealed"
    (suspect,) = [s for s in certificate.suspects if s.pair.where == "train.jsonl:1"]
    assert (suspect.kind, suspect.pair.eval_text) == ("paraphrase", LONG)
    assert certificate.thresholds["paraphrase"] == 0.9


def test_nothing_is_embedded_unless_it_is_asked_for(task: Task) -> None:
    certificate = STOP.certify(planted(task, PARAPHRASE), Topics())[1]
    assert certificate.suspects == ()
    assert "paraphrase" not in certificate.thresholds


def test_what_is_a_leak_already_is_not_said_again(task: Task) -> None:
    isolation = replace(STOP, paraphrase=0.9, leaks="allow")
    certificate = isolation.certify(planted(task, LONG), Topics())[1]
    assert [leak.kind for leak in certificate.leaks] == ["text"]
    assert all(s.pair.where != "train.jsonl:1" for s in certificate.suspects)


def test_the_threshold_is_a_cosine() -> None:
    with pytest.raises(ConfigError, match=r"isolation\.paraphrase=75: must be a number above 0"):
        replace(STOP, paraphrase=75)
