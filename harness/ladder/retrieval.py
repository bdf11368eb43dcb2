"""What is looked up: passages of the corpus, by sentence embeddings and FAISS."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from harness.errors import ConfigError
from harness.models.embedder import Embedder
from harness.task import Passage, Question

__all__ = ["Index", "Retrieval"]


@dataclass(frozen=True)
class Retrieval:
    """Top-k passages by cosine similarity to the question."""

    k: int

    def index(self, corpus: Sequence[Passage], embedder: Embedder) -> Index:
        """Embed and index a corpus; embeddings are cached by content."""
        if not corpus:
            raise ConfigError("this rung retrieves, but the task has no corpus.jsonl; add one")
        if not 1 <= self.k <= len(corpus):
            raise ConfigError(
                f"rung.retrieval.k={self.k}: must be from 1 to the {len(corpus)} passages"
            )
        return Index(corpus, embedder, self.k)


class Index:
    """A searchable corpus."""

    def __init__(self, corpus: Sequence[Passage], embedder: Embedder, k: int) -> None:
        import faiss

        began = time.perf_counter()
        self.corpus = corpus
        self.embedder = embedder
        self.k = k
        self.places = {passage.id: place for place, passage in enumerate(corpus)}
        vectors = embedder.encode([f"{p.title}\n{p.text}".strip() for p in corpus])
        self.faiss: Any = faiss.IndexFlatIP(vectors.shape[1])
        self.faiss.add(vectors)
        self.seconds = time.perf_counter() - began
        self.megabytes = vectors.nbytes / 1e6

    def search(self, questions: Sequence[Question]) -> list[tuple[Passage, ...]]:
        """The k passages of each question, best first."""
        asked = self.embedder.encode([q.input for q in questions])
        _, ids = self.faiss.search(asked, self.k)
        return [tuple(self.corpus[i] for i in row) for row in ids]

    def in_order(self, passages: Sequence[Passage]) -> list[Passage]:
        """Passages as they stand in the corpus: prompts that show the same ones share them."""
        return sorted(passages, key=lambda p: self.places[p.id])
