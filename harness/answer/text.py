"""Free text."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from harness.answer.format import Answer, Parsed, Scorer, as_text, commonest

__all__ = ["Text"]


class Text:
    """Free text, scored by its words.

    >>> Text().parse(" forty-two \\n").value
    'forty-two'
    """

    rules: ClassVar[None] = None
    labels: ClassVar[None] = None
    fields: ClassVar[tuple[()]] = ()
    constraint: ClassVar[None] = None
    longest: ClassVar[None] = None
    measures: ClassVar[tuple[str, ...]] = ("token_f1", "exact", "contains", "rouge_l")

    def write(self, target: Any) -> str:
        text = as_text(target)
        if not text.strip():
            raise ValueError("target is empty")
        return text

    def parse(self, text: str) -> Parsed:
        value = text.strip()
        return Parsed(value) if value else Parsed(None, "empty")

    def describe(self, instructions: str) -> str:
        return instructions

    def fitted(self, targets: Iterable[str]) -> Answer:
        return self

    def majority(self, targets: Sequence[str]) -> str:
        return commonest(targets) or ""

    def scorer(self) -> Scorer:
        """Exact match, containment, token F1 (Rajpurkar et al. 2016, SQuAD), ROUGE-L (Lin 2004)."""
        from rouge_score.rouge_scorer import RougeScorer

        from harness.answer.metric import AnswerMetric

        rouge = RougeScorer(["rougeL"])

        def each(prediction: str, reference: str) -> dict[str, float]:
            given, wanted = _words(prediction), _words(reference)
            shared = sum((Counter(given) & Counter(wanted)).values())
            contains = f" {' '.join(wanted)} " in f" {' '.join(given)} "
            return {
                "token_f1": 2 * shared / (len(given) + len(wanted)) if shared else 0.0,
                "exact": float(given == wanted),
                "contains": float(bool(wanted) and contains),
                "rouge_l": rouge.score(reference, prediction)["rougeL"].fmeasure,
                "readable": float(bool(given)),
            }

        return AnswerMetric("exact match, contains, token F1 and ROUGE-L of free text", each)


def _words(text: str) -> list[str]:
    """SQuAD's normalization: lower case, no punctuation, no articles."""
    bare = "".join(c for c in text.lower() if c not in set(string.punctuation))
    return re.sub(r"\b(a|an|the)\b", " ", bare).split()
