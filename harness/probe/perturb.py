"""Changes to a question, or to what stands before it, that leave the target alone."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, get_args

from harness.ladder.rung import Predictor, Rung
from harness.ladder.shots import Shots
from harness.models.embedder import Embedder
from harness.task import Example, Question
from harness.values import settings

__all__ = ["ALL", "Perturbation", "applicable", "perturbed", "reordered"]

Perturbation = Literal["case", "typos", "blank_lines", "shot_order", "passage_order"]
"""`case`: all letters small. `typos`: in one of eight longer words two neighbouring letters change
places. `blank_lines`: around the question, and for each line break in it. `shot_order` and
`passage_order`: of those that the prompt shows, the other way round."""

ALL: tuple[Perturbation, ...] = get_args(Perturbation)

ONE_OF = 8
"""Words that can have a typo, at least one of them has."""
WORD = re.compile(r"\b[^\W\d_]{5,}\b")
"""Without digits: an order number with a typo is another order."""


def applicable(perturbation: Perturbation, rung: Rung) -> bool:
    """Whether a rung shows what is to be changed; every rung shows the question."""
    if perturbation == "shot_order":
        return rung.shots is not None and rung.shots.k > 1
    if perturbation == "passage_order":
        return getattr(rung.retrieval, "k", 0) > 1
    return True


def perturbed(
    perturbation: Perturbation, questions: Sequence[Question], seed: int
) -> list[Question]:
    """The questions in other words, where that makes any difference: the others are left out.

    For an order of shots or passages they are the same ones.
    """
    if perturbation in ("shot_order", "passage_order"):
        return list(questions)
    changed = [replace(q, input=_text(perturbation, q, seed)) for q in questions]
    return [new for new, old in zip(changed, questions, strict=True) if new.input != old.input]


def reordered(perturbation: Perturbation, predictor: Predictor) -> Predictor:
    """The same rung, which shows examples or passages in the other order if that is asked for."""
    rung, m = predictor.rung, predictor.materials
    if perturbation == "shot_order" and rung.shots is not None:
        names = ("k", "choice", "diversity", "order")
        backwards = _Backwards(**{name: getattr(rung.shots, name) for name in names})
        return replace(predictor, rung=replace(rung, shots=backwards))
    if perturbation == "passage_order":
        # Prompts show passages in the order of the corpus; what is found does not depend on it.
        return replace(predictor, materials=replace(m, corpus=m.corpus[::-1]))
    return predictor


@settings("rung.shots")
class _Backwards(Shots):
    """The same examples, the last one first."""

    def choose(
        self,
        train: Sequence[Example],
        questions: Sequence[Question],
        seed: int,
        embedder: Embedder,
    ) -> list[tuple[Example, ...]]:
        return [shots[::-1] for shots in super().choose(train, questions, seed, embedder)]


def _text(perturbation: Perturbation, question: Question, seed: int) -> str:
    match perturbation:
        case "case":
            return question.input.lower()
        case "typos":
            return _with_typos(question.input, random.Random(f"{seed} {question.id}"))
        case _:
            return "\n\n" + re.sub(r"\n+", "\n\n", question.input.strip()) + "\n\n"


def _with_typos(text: str, rng: random.Random) -> str:
    """In one of so many words two letters have changed places, neither the first nor the last."""
    found = WORD.finditer(text)
    inner = (range(word.start() + 1, word.end() - 2) for word in found)
    places = [[i for i in word if text[i] != text[i + 1]] for word in inner]
    words = [word for word in places if word]
    letters = list(text)
    for word in rng.sample(words, -(-len(words) // ONE_OF)):
        at = rng.choice(word)
        letters[at], letters[at + 1] = letters[at + 1], letters[at]
    return "".join(letters)
