"""What can answer in a model's place: controls that a model must beat to be worth its cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

from harness.models.embedder import Embedder
from harness.task import Materials, Question

__all__ = ["LinearClassifier", "Majority", "NearestAnswer", "StandIn"]


class StandIn(Protocol):
    """A way to answer that needs no language model."""

    kind: ClassVar[str]
    embeds: ClassVar[bool]
    """Whether an embedder takes part."""

    def answers(
        self, materials: Materials, questions: Sequence[Question], embedder: Embedder
    ) -> list[str]:
        """The answer to each question."""


@dataclass(frozen=True)
class Majority:
    """Always the commonest answer of train."""

    kind: ClassVar[str] = "majority"
    embeds: ClassVar[bool] = False

    def answers(
        self, materials: Materials, questions: Sequence[Question], embedder: Embedder
    ) -> list[str]:
        targets = [e.target for e in materials.train]
        return [materials.answer.majority(targets)] * len(questions)


@dataclass(frozen=True)
class NearestAnswer:
    """The target of the training example whose input is most like the question."""

    kind: ClassVar[str] = "nearest_answer"
    embeds: ClassVar[bool] = True

    def answers(
        self, materials: Materials, questions: Sequence[Question], embedder: Embedder
    ) -> list[str]:
        known = embedder.encode([e.input for e in materials.train])
        asked = embedder.encode([q.input for q in questions])
        return [materials.train[i].target for i in (asked @ known.T).argmax(1)]


@dataclass(frozen=True)
class LinearClassifier:
    """Logistic regression on sentence embeddings, for tasks whose answers are labels."""

    kind: ClassVar[str] = "linear_classifier"
    embeds: ClassVar[bool] = True

    def answers(
        self, materials: Materials, questions: Sequence[Question], embedder: Embedder
    ) -> list[str]:
        targets = [e.target for e in materials.train]
        if len(set(targets)) == 1:
            return targets[:1] * len(questions)
        from sklearn.linear_model import LogisticRegression

        # Unit vectors of 384 numbers: weaker regularization than sklearn's default of C=1.
        model = LogisticRegression(C=20.0, max_iter=1000)
        model.fit(embedder.encode([e.input for e in materials.train]), targets)
        given: list[str] = model.predict(embedder.encode([q.input for q in questions])).tolist()
        return given
