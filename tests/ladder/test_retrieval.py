"""What is looked up."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

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


def questions(task: Task) -> list[Question]:
    return [e.question for e in task.materials.train]


def test_training_shows_what_a_question_gets_unless_it_is_said(
    task: Task, letters: Embedder
) -> None:
    plain = Retrieval(2)
    index = plain.index(task.materials.corpus, letters)
    train = task.materials.train
    assert plain.lessons(index, train, 0) == index.search(questions(task))


def test_distractors_are_the_best_wrong_passages_of_the_same_search(
    task: Task, letters: Embedder
) -> None:
    raft = Retrieval(3, distractors=2)
    index = raft.index(task.materials.corpus, letters)
    ranked = index.nearest(questions(task), 99)
    assert {len(passages) for passages in ranked} == {4}, "all there are"
    train = task.materials.train
    for example, shown, order in zip(train, raft.lessons(index, train, 0), ranked, strict=True):
        wrong = [p.id for p in order if p.id not in example.gold_passages]
        assert [p.id for p in shown] == [*example.gold_passages, *wrong[:2]]


def test_fewer_passages_leave_room_for_fewer_distractors() -> None:
    raft = Retrieval(3, distractors=2, governing_share=0.5)
    assert raft.showing(2) == Retrieval(2, distractors=1, governing_share=0.5)
    assert raft.showing(9).distractors == 2
    assert Retrieval(3).showing(1) == Retrieval(1)


def test_distractors_need_a_train_that_names_its_passages(task: Task) -> None:
    bare = replace(
        task.materials, train=tuple(replace(e, gold_passages=()) for e in task.materials.train)
    )
    Retrieval(2, distractors=1).check(task.materials)
    Retrieval(2).check(bare)
    with pytest.raises(RungUnavailableError, match="no row of train names one; fill in `sources`"):
        Retrieval(2, distractors=1).check(bare)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (
            {"distractors": 3},
            r"rung\.retrieval\.distractors=3: .* set rung\.retrieval\.k=4 or more",
        ),
        ({"distractors": -1}, r"rung\.retrieval\.distractors=-1: must be"),
        (
            {"governing_share": 0.8},
            r"governing_share=0\.8: .* set rung\.retrieval\.distractors too",
        ),
        ({"distractors": 1, "governing_share": 1.5}, r"governing_share=1\.5: must be"),
        ({"distractors": 1, "in_training": False}, r"set rung\.retrieval\.in_training=true"),
    ],
)
def test_settings_of_training_that_do_not_fit_together_are_named(
    settings: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        Retrieval(3, **settings)
