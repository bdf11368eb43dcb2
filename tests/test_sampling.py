"""A fixed sample: the same for everybody, of the whole file, in its order."""

from __future__ import annotations

from harness.sampling import sample
from harness.task import Question

QUESTIONS = tuple(Question(f"q{i}", f"text {i}") for i in range(200))


def test_a_sample_is_always_the_same_and_keeps_the_order() -> None:
    drawn = sample(QUESTIONS, 10)
    assert len(drawn) == 10
    assert drawn == sample(QUESTIONS[::-1], 10)[::-1]
    assert sample(QUESTIONS, None) == sample(QUESTIONS, 999) == QUESTIONS


def test_a_larger_sample_holds_a_smaller_one() -> None:
    assert set(sample(QUESTIONS, 10)) < set(sample(QUESTIONS, 30))
    assert sample(QUESTIONS, 0) == ()


def test_a_sorted_file_is_drawn_from_all_over() -> None:
    tenths = {QUESTIONS.index(question) // 20 for question in sample(QUESTIONS, 60)}
    assert tenths == set(range(10))
