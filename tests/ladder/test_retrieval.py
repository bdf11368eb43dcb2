"""What is looked up."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.errors import ConfigError, RungUnavailableError
from harness.ladder.retrieval import Retrieval, in_order
from harness.models.embedder import Embedder
from harness.task import Example, Passage, Question, Task


def test_the_most_similar_passage_comes_first(task: Task, letters: Embedder) -> None:
    index = Retrieval(2).index(task.materials.corpus, letters)
    (found,) = index.search([Question("q", "things of birch have a code")])
    assert found[0].id == "P1"
    assert len(found) == 2


def test_retrieval_without_a_corpus_is_no_rung_of_the_task(task: Task) -> None:
    with pytest.raises(
        RungUnavailableError, match=r"it retrieves, but the task has no corpus\.jsonl; add one"
    ):
        Retrieval(2).check(replace(task.materials, corpus=()))


def test_more_passages_than_there_are_and_no_passages_are_refused(task: Task) -> None:
    Retrieval(4).check(task.materials)
    with pytest.raises(
        ConfigError, match=r"rung\.retrieval\.k=5: must be from 1 to the 4 passages"
    ):
        Retrieval(5).check(task.materials)
    for k in (0, -1, 1.5, True, "2"):
        with pytest.raises(ConfigError, match=rf"^rung\.retrieval\.k={k}: must be "):
            Retrieval(k)  # type: ignore[arg-type]


def ids(shown: list[tuple[Passage, ...]]) -> list[list[str]]:
    return [[p.id for p in passages] for passages in shown]


def asking(page: str, *sources: str) -> Example:
    """An example that is most like one page, and whose answer other pages hold."""
    return Example("e", f"things of {page} have a code", "", "g", sources, {}, "train.jsonl:1")


@pytest.mark.parametrize(
    ("k", "sources", "shown"),
    [
        (3, (), ["P1", "P0", "P2"]),
        (3, ("P2",), ["P1", "P0", "P2"]),
        (3, ("P3",), ["P1", "P0", "P3"]),
        (3, ("P3", "P2"), ["P1", "P2", "P3"]),
        (2, ("P3", "P2", "P1"), ["P3", "P2"]),
        (1, ("P3",), ["P3"]),
        (1, (), ["P1"]),
    ],
    ids=["none named", "found", "missed", "one of two missed", "more than fit", "k=1", "k=1 none"],
)
def test_an_example_shows_what_is_found_and_what_holds_its_answer_in_place_of_the_last(
    task: Task, letters: Embedder, k: int, sources: tuple[str, ...], shown: list[str]
) -> None:
    index = Retrieval(k).index(task.materials.corpus, letters)
    example = asking("birch", *sources)
    assert ids(index.search([example.question])) == [["P1", "P0", "P2"][:k]], "the case is another"
    assert ids(index.illustrate([example])) == [shown]


def test_what_was_found_is_shown_as_it_stands_in_the_corpus(task: Task) -> None:
    first, second, third, _ = task.materials.corpus
    assert in_order(task.materials.corpus, [(third, first), (second,), ()]) == [
        (first, third), (second,), (),
    ]  # fmt: skip
