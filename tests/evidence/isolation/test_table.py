"""All pairs of texts that share much: what is left out of the products loses none of them."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from harness.evidence.isolation import table
from harness.evidence.isolation.features import Features, grams, lines, word_pairs
from harness.evidence.isolation.table import NEVER, Table, similar_pairs

WORDS = [f"{a}{b}" for a in ("bal", "dor", "fim", "gus", "kel") for b in ("ta", "no", "ri", "su")]
ENOUGH = 10
"""Pairs, so that there is something to lose."""


def texts(count: int, seed: int) -> list[str]:
    """Texts of common words and a rare one; every third is an earlier one, changed or longer."""
    draw = random.Random(seed)
    made: list[str] = []
    for i in range(count):
        words = [*draw.choices(WORDS, range(1, len(WORDS) + 1), k=draw.randint(2, 12)), f"x{i}"]
        if made and i % 3 == 0:
            words = draw.choice(made).split()
            words[draw.randrange(len(words))] = draw.choice(WORDS)
            words += draw.choices(WORDS, k=draw.choice((0, 0, 1, 12)))
        made.append(" ".join(words))
    return made


def features_of(features: Features, said: list[str]) -> list[set[int]]:
    """Of each text."""
    sets: list[set[int]] = [set() for _ in said]
    for feature, line in zip(*(values.tolist() for values in features(lines(said))), strict=True):
        sets[line].add(feature)
    return sets


def by_comparing_all(
    features: Features, train: list[str], sealed: list[str], similar: float, contained: float
) -> Iterator[tuple[int, int]]:
    wanted = features_of(features, sealed)
    for i, one in enumerate(features_of(features, train)):
        for j, other in enumerate(wanted):
            shared = len(one & other)
            if shared / len(one | other) >= similar or shared / len(other) >= contained:
                yield i, j


@pytest.mark.parametrize("common", [0, 5], ids=["all are common", "some are"])
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("features", "similar", "contained"),
    [(grams, 0.6, 0.9), (grams, 0.6, NEVER), (grams, NEVER, 0.8), (word_pairs, 0.12, NEVER)],
    ids=["both", "similar", "contained", "pairs of words"],
)
def test_no_pair_over_a_threshold_is_lost(
    monkeypatch: pytest.MonkeyPatch,
    features: Features, similar: float, contained: float, seed: int, common: int,
) -> None:  # fmt: skip
    monkeypatch.setattr(table, "COMMON", common)
    every = texts(240, seed)
    train, sealed = every[:160], every[160:]
    found = Table(features, lines(sealed), similar, contained).matches(lines(train))
    over = {(i, j) for i, j, s, c in found if s >= similar or c >= contained}
    expected = set(by_comparing_all(features, train, sealed, similar, contained))
    assert over == expected
    assert len(expected) > ENOUGH


def test_two_texts_of_one_list_are_a_pair_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "COMMON", 0)
    said = texts(120, 7)
    sets = features_of(grams, said)
    alike = {
        (i, j): len(sets[i] & sets[j]) / len(sets[i] | sets[j])
        for j in range(len(said))
        for i in range(j)
    }
    found = {(i, j): similarity for i, j, similarity in similar_pairs(said, 0.5)}
    assert found == pytest.approx({pair: s for pair, s in alike.items() if s >= 0.5})
    assert len(found) > ENOUGH
