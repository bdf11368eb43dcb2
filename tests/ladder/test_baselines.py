"""Answers that need no language model."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace

import pytest

from harness.answer import Json, Label, Text
from harness.ladder.baselines import LinearClassifier, Majority, NearestAnswer
from harness.models.embedder import Embedder
from harness.task import Example, Materials, Task


def labelled(task: Task, *pairs: tuple[str, str]) -> Materials:
    """The task's materials with other training examples: inputs and labels."""
    train = tuple(
        Example(f"t{i}", text, label, f"g{i}", (), {}, f"train:{i}")
        for i, (text, label) in enumerate(pairs)
    )
    return replace(task.materials, train=train, answer=Label().fitted(label for _, label in pairs))


def test_the_majority_of_json_answers_is_taken_field_by_field(
    task: Task, letters: Embedder
) -> None:
    answers = Majority().answers(task.materials, task.questions, letters)
    assert len(answers) == len(task.questions)
    assert len(set(answers)) == 1
    given = json.loads(answers[0])
    assert isinstance(task.materials.answer, Json)
    assert task.materials.answer.violation(given) is None
    targets = [json.loads(e.target) for e in task.materials.train]
    for field in ("colour", "code"):
        assert given[field] == Counter(t[field] for t in targets).most_common(1)[0][0]


@pytest.mark.parametrize("answer", [Label(["yes", "no"]), Text()])
def test_the_majority_of_labels_and_texts_is_the_commonest(
    task: Task, letters: Embedder, answer: Label | Text
) -> None:
    materials = labelled(task, ("a", "no"), ("b", "yes"), ("c", "yes"))
    materials = replace(materials, answer=answer)
    assert Majority().answers(materials, task.questions[:2], letters) == ["yes", "yes"]


def test_the_nearest_training_example_lends_its_target(task: Task, letters: Embedder) -> None:
    train = task.materials.train[:15]  # the sixteenth has the letters of the first
    asked = [replace(e.question, id="other") for e in train]
    answers = NearestAnswer().answers(task.materials, asked, letters)
    assert answers == [e.target for e in train]


def test_a_linear_classifier_learns_what_embeddings_separate(task: Task, letters: Embedder) -> None:
    pairs = [(f"aaaa{'b' * i}", "a") for i in range(6)] + [
        (f"zzzz{'y' * i}", "z") for i in range(6)
    ]
    materials = labelled(task, *pairs)
    asked = [replace(task.questions[0], input=text) for text in ("aaab", "zzyy")]
    assert LinearClassifier().answers(materials, asked, letters) == ["a", "z"]


def test_a_single_label_needs_no_classifier(task: Task, letters: Embedder) -> None:
    materials = labelled(task, ("a", "yes"), ("b", "yes"))
    assert LinearClassifier().answers(materials, task.questions[:1], letters) == ["yes"]
