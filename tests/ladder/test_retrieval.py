"""What is looked up."""

from __future__ import annotations

import pytest

from harness.errors import ConfigError
from harness.ladder.retrieval import Retrieval
from harness.models.embedder import Embedder
from harness.task import Question, Task


def test_the_most_similar_passage_comes_first(task: Task, letters: Embedder) -> None:
    index = Retrieval(2).index(task.materials.corpus, letters)
    (found,) = index.search([Question("q", "things of birch have a code")])
    assert found[0].id == "P1"
    assert len(found) == 2


def test_retrieval_without_a_corpus_or_with_too_large_a_k_is_refused(
    task: Task, letters: Embedder
) -> None:
    with pytest.raises(ConfigError, match=r"the task has no corpus\.jsonl"):
        Retrieval(2).index((), letters)
    with pytest.raises(ConfigError, match=r"retrieval\.k=5: must be from 1 to the 4 passages"):
        Retrieval(5).index(task.materials.corpus, letters)
