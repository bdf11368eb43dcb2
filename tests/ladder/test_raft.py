"""What a training prompt with distractors shows."""

from __future__ import annotations

from collections import Counter

import pytest

from harness.ladder.raft import governed, training_passages
from harness.ladder.retrieval import in_order
from harness.task import Example, Passage

CORPUS = tuple(Passage(f"P{i}", "", f"text {i}", f"corpus.jsonl:{i}") for i in range(8))
BY_ID = {passage.id: passage for passage in CORPUS}


def example(number: int, *sources: str) -> Example:
    return Example(f"t{number}", "", "", f"g{number}", sources, {}, f"train.jsonl:{number}")


def shown(
    examples: list[Example], distractors: int, share: float = 1.0, seed: int = 0
) -> list[list[str]]:
    """Ids, where the search finds the corpus in its order for every example."""
    found = [CORPUS] * len(examples)
    passages = training_passages(examples, found, BY_ID, distractors, share, seed)
    return [[p.id for p in one] for one in passages]


@pytest.mark.parametrize(
    ("sources", "distractors", "expected"),
    [
        (("P5",), 2, ["P5", "P0", "P1"]),
        (("P0",), 2, ["P0", "P1", "P2"]),
        (("P5", "P6"), 2, ["P5", "P6", "P0"]),
        (("P5", "P6"), 0, ["P5"]),
        (("gone",), 1, ["P0", "P1"]),
        ((), 1, ["P0", "P1"]),
    ],
    ids=["missed", "found first", "two govern", "no room", "no longer there", "none named"],
)
def test_the_governing_passage_stands_among_the_best_wrong_ones(
    sources: tuple[str, ...], distractors: int, expected: list[str]
) -> None:
    assert shown([example(1, *sources)], distractors) == [expected]


def test_a_share_of_prompts_lacks_the_governing_passage_and_shows_as_many_passages() -> None:
    examples = [example(i, f"P{i % 8}") for i in range(500)]
    prompts = shown(examples, 2, share=0.8)
    assert {len(set(prompt)) for prompt in prompts} == {3}
    with_it = sum(e.gold_passages[0] in p for e, p in zip(examples, prompts, strict=True))
    assert 370 < with_it < 430
    assert shown(examples, 2, share=0.0) != prompts
    assert all(e.gold_passages[0] not in p
               for e, p in zip(examples, shown(examples, 2, share=0.0), strict=True))  # fmt: skip


def test_who_lacks_it_depends_on_the_example_and_the_seed_alone() -> None:
    examples = [example(i, "P5") for i in range(40)]
    prompts = shown(examples, 2, share=0.5)
    assert shown(examples[::-1], 2, share=0.5) == prompts[::-1]
    assert shown(examples[7:8], 2, share=0.5) == prompts[7:8]
    assert shown(examples, 2, share=0.5, seed=1) != prompts


def test_a_larger_share_holds_every_smaller_one() -> None:
    few, more = ({e.id for e in map(example, range(200)) if governed(e, s, 3)} for s in (0.3, 0.6))
    assert few < more


def test_in_the_order_of_the_corpus_the_governing_passage_stands_anywhere() -> None:
    examples = [example(i, f"P{i % 8}") for i in range(80)]
    found = [tuple(CORPUS[(i + step) % 8] for step in (1, 3, 6, 2)) for i in range(80)]
    prompts = in_order(CORPUS, training_passages(examples, found, BY_ID, 2, 1.0, 0))
    places = Counter(
        [p.id for p in prompt].index(e.gold_passages[0])
        for e, prompt in zip(examples, prompts, strict=True)
    )
    assert set(places) == {0, 1, 2}
    assert min(places.values()) >= 10
