"""What is looked up: passages of the corpus, by sentence embeddings and FAISS."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any, Protocol

from harness.errors import ConfigError, RungUnavailableError
from harness.ladder.raft import training_passages
from harness.models.embedder import Embedder
from harness.slot import Slot
from harness.task import Example, Materials, Passage, Question
from harness.values import AtLeastOne, Count, Share, settings

__all__ = ["FlatIndex", "Index", "Retrieval", "Retriever", "in_order"]


class Index(Protocol):
    """A corpus that can be asked."""

    @property
    def seconds(self) -> float:
        """Seconds to build it."""

    @property
    def megabytes(self) -> float:
        """Size of its vectors."""

    def search(self, questions: Sequence[Question]) -> list[tuple[Passage, ...]]:
        """The passages of each question, best first."""

    def illustrate(self, examples: Sequence[Example]) -> list[tuple[Passage, ...]]:
        """The passages that each worked example shows, as many as a question gets."""


class Retriever(Slot, ABC):
    """A slot that finds passages."""

    in_training: bool = True
    """Whether a rung that tunes trains on prompts with passages too; if not, it shows them only
    when it answers, and what it learns does not depend on them."""

    @property
    def reads(self) -> Collection[str]:
        return ("corpus",)

    @abstractmethod
    def index(self, corpus: Sequence[Passage], embedder: Embedder) -> Index:
        """Make a corpus searchable."""

    def lessons(
        self, index: Index, examples: Sequence[Example], seed: int
    ) -> list[tuple[Passage, ...]]:
        """The passages that the training prompts of examples show: those that a question gets."""
        return index.search([example.question for example in examples])


@settings("rung.retrieval")
class Retrieval(Retriever):
    """Top-k passages by cosine similarity to the question.

    >>> Retrieval(k=3).reads
    ('corpus',)
    """

    k: AtLeastOne
    in_training: bool = True
    distractors: Count | None = None
    """How many wrong passages, the best that the search finds, stand beside the governing one in a
    training prompt; None: training prompts show what is found, as prompts do when it answers."""
    governing_share: Share = 1.0
    """Of the training prompts with distractors, those that hold the governing passage."""

    def __post_init__(self) -> None:
        if self.distractors is None:
            if self.governing_share != 1:
                raise ConfigError(
                    f"rung.retrieval.governing_share={self.governing_share}: is of prompts with "
                    "distractors; set rung.retrieval.distractors too"
                )
        elif not self.in_training:
            raise ConfigError(
                f"rung.retrieval.distractors={self.distractors}: training shows no passages; set "
                "rung.retrieval.in_training=true"
            )
        elif self.distractors >= self.k:
            raise ConfigError(
                f"rung.retrieval.distractors={self.distractors}: a training prompt would show "
                f"{self.distractors + 1} passages, and a question gets {self.k}; set "
                f"rung.retrieval.k={self.distractors + 1} or more"
            )

    @property
    def embeds(self) -> bool:
        return True

    def check(self, materials: Materials) -> None:
        corpus = materials.corpus
        if not corpus:
            raise RungUnavailableError("it retrieves, but the task has no corpus.jsonl; add one")
        if self.k > len(corpus):
            raise ConfigError(
                f"rung.retrieval.k={self.k}: must be from 1 to the {len(corpus)} passages"
            )
        if self.distractors is not None and not any(e.gold_passages for e in materials.train):
            raise RungUnavailableError(
                "it trains on the passage that holds each answer among others, but no row of train "
                "names one; fill in `sources`"
            )

    def showing(self, k: int) -> Retrieval:
        """The same with another k, and no more distractors than that leaves room for."""
        fewer = None if self.distractors is None else min(self.distractors, k - 1)
        return replace(self, k=k, distractors=fewer)

    def lessons(
        self, index: Index, examples: Sequence[Example], seed: int
    ) -> list[tuple[Passage, ...]]:
        if self.distractors is None or not isinstance(index, FlatIndex):
            return super().lessons(index, examples, seed)
        most = max((len(e.gold_passages) for e in examples), default=0)
        found = index.nearest([e.question for e in examples], most + self.distractors + 1)
        corpus = {passage.id: passage for passage in index.corpus}
        return training_passages(
            examples, found, corpus, self.distractors, self.governing_share, seed
        )

    def index(self, corpus: Sequence[Passage], embedder: Embedder) -> FlatIndex:
        """Embed and index a corpus; embeddings are cached by content."""
        return FlatIndex(corpus, embedder, self.k)


class FlatIndex:
    """A corpus indexed by FAISS, searched exactly."""

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
        return self.nearest(questions, self.k)

    def nearest(self, questions: Sequence[Question], count: int) -> list[tuple[Passage, ...]]:
        """The `count` passages most like each question, best first, or as many as there are."""
        asked = self.embedder.encode([q.input for q in questions])
        _, ids = self.faiss.search(asked, min(count, len(self.corpus)))
        return [tuple(self.corpus[i] for i in row) for row in ids]

    def illustrate(self, examples: Sequence[Example]) -> list[tuple[Passage, ...]]:
        """What the same search finds for each worked example, with the passages that hold its
        answer among it: in place of the last ones where the search missed them.

        An example whose answer cannot be found in what it shows would teach to ignore passages.
        """
        known = {passage.id: passage for passage in self.corpus}
        shown = []
        for example, found in zip(
            examples, self.search([e.question for e in examples]), strict=True
        ):
            # A passage that an example names may be gone when the corpus was renewed.
            governing = [known[i] for i in example.gold_passages if i in known][: self.k]
            rest = [p for p in found if p not in governing]
            # Best first, as found; a governing passage that was missed stands at the end.
            kept = {p.id for p in [*governing, *rest[: self.k - len(governing)]]}
            missed = [p for p in governing if p not in found]
            shown.append((*(p for p in found if p.id in kept), *missed))
        return shown


def in_order(
    corpus: Sequence[Passage], found: Sequence[Sequence[Passage]]
) -> list[tuple[Passage, ...]]:
    """What was found for each question as it stands in the corpus: prompts that show the same
    passages share them."""
    places = {passage.id: place for place, passage in enumerate(corpus)}
    return [tuple(sorted(passages, key=lambda p: places[p.id])) for passages in found]
