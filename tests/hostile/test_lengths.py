"""Texts of 2 MB in each place: refused with their place before anything is answered."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from typing import Any

import pytest

from harness.errors import RungUnavailableError, TaskError
from harness.ladder.budget import budget
from harness.ladder.retrieval import Retrieval
from harness.ladder.room import fitting
from harness.ladder.rung import Rung
from harness.models.embedder import Embedder
from harness.models.local.engine import LocalEngine
from harness.task import Materials, Task
from tests.conftest import similar

WORD = "a" * 2_000_000
"""Without a blank: the worst for a tokenizer."""


def fit(
    rung: Rung, materials: Materials, task: Task, engine: LocalEngine, letters: Embedder
) -> Any:
    questions = [task.questions, [e.question for e in materials.dev]]
    return fitting(rung, materials, lambda r: r.prepare(materials, engine, letters, 0), questions)


def first(examples: Any, **changes: Any) -> Any:
    return (replace(examples[0], **changes), *examples[1:])


def passages(m: Materials) -> Materials:
    return replace(m, corpus=tuple(replace(p, text=p.text + WORD) for p in m.corpus))


@pytest.mark.parametrize(
    ("rung", "spoil", "where"),
    [
        (Rung("p", "full"), lambda m: replace(m, dev=first(m.dev, input=WORD)), r"dev\.jsonl:1"),
        (
            Rung("p", "full"),
            lambda m: replace(m, instructions={**m.instructions, "full": WORD}),
            r"instructions\.full\.md",
        ),
        (
            Rung("s", "full", shots=similar(16)),
            lambda m: replace(m, train=first(m.train, input=WORD)),
            r"train\.jsonl:1",
        ),
        (Rung("r", "full", retrieval=Retrieval(2)), passages, r"corpus\.jsonl:\d"),
    ],
    ids=["question", "instructions", "example", "passage"],
)  # fmt: skip
def test_a_text_that_is_longer_than_the_context_is_refused_with_its_place(
    task: Task, tiny: LocalEngine, letters: Embedder, rung: Rung, spoil: Any, where: str
) -> None:
    began = time.process_time()
    with pytest.raises(RungUnavailableError) as caught:
        fit(rung, spoil(task.materials), task, tiny, letters)
    assert time.process_time() - began < 20
    said = str(caught.value)
    assert re.match(rf".*{where}: has ", said)
    assert "tokens at least, and tiny can take " in said
    assert "shorten it or take it out" in said


def test_a_target_that_is_longer_than_the_context_is_refused_with_its_place(
    task: Task, tiny: LocalEngine
) -> None:
    m = replace(task.materials, train=first(task.materials.train, target=WORD))
    with pytest.raises(TaskError, match=r"train\.jsonl:1: target has 2,000,000 characters.* 2,048"):
        budget(m, tiny, None)


def test_a_word_of_2_megabytes_is_not_tokenized_to_be_counted(
    tiny: LocalEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiny._verbatim, "ids", None)
    [tokens] = tiny.count([[{"role": "user", "content": WORD}]])
    assert tiny.context is not None and tokens > tiny.context


def test_tokens_are_counted_as_they_are_where_a_text_may_fit(tiny: LocalEngine) -> None:
    conversation = [{"role": "user", "content": "red blue " * 100}]
    assert tiny.count([conversation]) == [len(tiny.encode(conversation))]
