"""Texts as sets of numbers, against plain sets of strings."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import numpy as np
import pytest

from harness.evidence.isolation import features
from harness.evidence.isolation.features import Features, grams, word_pairs


def plain_grams(line: str) -> set[object]:
    padded = line.ljust(5)
    return {padded[i : i + 5] for i in range(len(padded) - 4)}


def plain_pairs(line: str) -> set[object]:
    words = line.split()
    return {frozenset(pair) for apart in (1, 2) for pair in zip(words, words[apart:], strict=False)}


@pytest.mark.parametrize(("numbers", "plain"), [(grams, plain_grams), (word_pairs, plain_pairs)])
def test_lines_share_as_many_numbers_as_they_share_features(
    numbers: Features, plain: Callable[[str], set[object]]
) -> None:
    rng = Random(0)
    words = ["a", "ab", "ba", "tent", "zips", "sleeping"]
    lines = [" ".join(rng.choices(words, k=rng.randint(0, 8))) for _ in range(60)]
    found, owner = numbers([line.encode() for line in lines])
    assert (np.diff(found) >= 0).all(), "in order, for the walk through the vocabulary"
    sets = [set(found[owner == i].tolist()) for i in range(len(lines))]
    assert len(found) == sum(map(len, sets)), "each once for each line"
    for ours, line in zip(sets, lines, strict=True):
        for theirs, other in zip(sets, lines, strict=True):
            assert len(ours & theirs) == len(plain(line) & plain(other))


def test_texts_come_in_chunks_with_their_places(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features, "CHUNK", 20)
    texts = ["One.", "two words here", "Three", "four", "five"]
    chunks = list(features.chunks(texts))
    assert [line for _, lines in chunks for line in lines] == features.lines(texts)
    assert [start for start, _ in chunks] == [0, 2]
