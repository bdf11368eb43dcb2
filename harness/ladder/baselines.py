"""What can answer in a model's place: baselines that a model must beat to be worth its cost."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from harness.errors import RungUnavailableError
from harness.models.embedder import Embedder
from harness.slot import Slot
from harness.task import Materials, Prediction, Question

__all__ = ["Baseline", "LinearClassifier", "Majority", "NearestAnswer", "linear_model"]


class Baseline(Slot, ABC):
    """A way to answer that needs no language model; it reads all of train."""

    kind: ClassVar[str]
    shows: ClassVar[str]
    """What it does, for readers of a report."""
    judges: ClassVar[bool] = False
    """Whether a tuned rung must be above it, or its training taught it nothing of the task."""
    recorded: ClassVar[bool] = False
    """Whether its answers were made elsewhere: no model is part of its runs."""

    @property
    def content(self) -> str | None:
        """SHA-256 of the answers that were made elsewhere; None if it makes its own."""
        return None

    @property
    def reads(self) -> Collection[str]:
        return ("train",)

    def labelled(self, materials: Materials) -> int:
        return len(materials.train)

    def check(self, materials: Materials) -> None:
        if not materials.train:
            raise RungUnavailableError(f"it answers by train, but {materials.no_train}")

    @abstractmethod
    def answers(
        self, materials: Materials, questions: Sequence[Question], embedder: Embedder
    ) -> list[str]:
        """The answer to each question."""

    def predict(
        self, materials: Materials, questions: Sequence[Question], embedder: Embedder
    ) -> Iterator[Prediction]:
        """The same as predictions, which share the time that it took."""
        began = time.perf_counter()
        texts = self.answers(materials, questions, embedder)
        seconds = (time.perf_counter() - began) / max(1, len(questions))
        for question, text in zip(questions, texts, strict=True):
            yield Prediction(question.id, text, "stop", 0, 0, 0, seconds)

    def record(
        self, manifest: Mapping[str, Any], predictions: Sequence[Prediction]
    ) -> dict[str, Any]:
        """What the manifest of its run has beside, or in place of, what a model's run has."""
        return {}


class _Embedding(Baseline):
    """A baseline that compares inputs by their embeddings."""

    @property
    def embeds(self) -> bool:
        return True


@dataclass(frozen=True)
class Majority(Baseline):
    """Always the commonest target of train; for JSON answers field by field."""

    kind: ClassVar[str] = "majority"
    shows: ClassVar[str] = "always the commonest answer"
    judges: ClassVar[bool] = True

    def answers(
        self, materials: Materials, questions: Sequence[Question], embedder: Embedder
    ) -> list[str]:
        targets = [e.target for e in materials.train]
        return [materials.answer.majority(targets)] * len(questions)


@dataclass(frozen=True)
class NearestAnswer(_Embedding):
    """The target of the training example whose input is most like the question."""

    kind: ClassVar[str] = "nearest_answer"
    shows: ClassVar[str] = "copying the answer of the most similar training example"

    def answers(
        self, materials: Materials, questions: Sequence[Question], embedder: Embedder
    ) -> list[str]:
        known = embedder.encode([e.input for e in materials.train])
        asked = embedder.encode([q.input for q in questions])
        return [materials.train[i].target for i in (asked @ known.T).argmax(1)]


@dataclass(frozen=True)
class LinearClassifier(_Embedding):
    """Logistic regression on sentence embeddings, for tasks whose answers are labels."""

    kind: ClassVar[str] = "linear_classifier"
    shows: ClassVar[str] = "a linear classifier of the training examples"

    def check(self, materials: Materials) -> None:
        super().check(materials)
        if materials.answer.labels is None:
            raise RungUnavailableError("it classifies, but the task's answers are not labels")

    def answers(
        self, materials: Materials, questions: Sequence[Question], embedder: Embedder
    ) -> list[str]:
        targets = [e.target for e in materials.train]
        if len(set(targets)) == 1:
            return targets[:1] * len(questions)
        model = linear_model()
        model.fit(embedder.encode([e.input for e in materials.train]), targets)
        given: list[str] = model.predict(embedder.encode([q.input for q in questions])).tolist()
        return given


def linear_model() -> Any:
    """Logistic regression for sentence embeddings, unfitted."""
    from sklearn.linear_model import LogisticRegression

    # Unit vectors of 384 numbers: weaker regularization than sklearn's default of C=1.
    return LogisticRegression(C=20.0, max_iter=1000)
