"""What is looked up: passages of the corpus, by sentence embeddings and FAISS."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from harness.errors import ConfigError
from harness.models.embedder import Embedder
from harness.task import Passage, Question

__all__ = ["Index", "Lookup", "Retrieval", "Search", "in_order"]


class Search(Protocol):
    """A corpus that can be asked."""

    @property
    def seconds(self) -> float:
        """What making it took."""

    @property
    def megabytes(self) -> float:
        """What it takes up."""

    def search(self, questions: Sequence[Question]) -> list[tuple[Passage, ...]]:
        """The passages of each question, best first."""


class Lookup(Protocol):
    """A way to find passages."""

    embeds: ClassVar[bool]
    """Whether an embedder takes part."""
    told: ClassVar[bool]
    """Whether it is told which passages hold the answer: a control, not a rung."""

    def index(self, corpus: Sequence[Passage], embedder: Embedder) -> Search:
        """Make a corpus searchable. Raises ConfigError with the mend."""


@dataclass(frozen=True)
class Retrieval:
    """Top-k passages by cosine similarity to the question."""

    embeds: ClassVar[bool] = True
    told: ClassVar[bool] = False
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

        self.corpus = corpus
        self.embedder = embedder
        self.k = k
        texts = [f"{p.title}\n{p.text}".strip() for p in corpus]
        vectors = embedder.encode(texts)
        began = time.perf_counter()
        self.faiss: Any = faiss.IndexFlatIP(vectors.shape[1])
        self.faiss.add(vectors)
        # A sweep finds its embeddings in the cache; whoever starts anew does not.
        self.seconds = embedder.seconds(texts) + time.perf_counter() - began
        self.megabytes = vectors.nbytes / 1e6

    def search(self, questions: Sequence[Question]) -> list[tuple[Passage, ...]]:
        """The k passages of each question, best first."""
        asked = self.embedder.encode([q.input for q in questions])
        _, ids = self.faiss.search(asked, self.k)
        return [tuple(self.corpus[i] for i in row) for row in ids]


def in_order(
    corpus: Sequence[Passage], found: Sequence[Sequence[Passage]]
) -> list[tuple[Passage, ...]]:
    """What was found for each question as it stands in the corpus: prompts that show the same
    passages share them."""
    places = {passage.id: place for place, passage in enumerate(corpus)}
    return [tuple(sorted(passages, key=lambda p: places[p.id])) for passages in found]
