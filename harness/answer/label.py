"""One label out of a set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from harness.answer.format import Answer, Parsed, Scorer, as_text, commonest
from harness.constraint import Choices
from harness.errors import TaskError
from harness.reading import UnreadableError, text_of

__all__ = ["Label"]


class Label:
    """One label out of a set; the set is that of the train targets if none is given.

    >>> answer = Label().fitted(["refund", "delivery", "refund"])
    >>> answer.labels
    ('delivery', 'refund')
    >>> answer.parse("refund.\\nThe customer wants money back.").value
    'refund'
    """

    measures: ClassVar[tuple[str, ...]] = ("accuracy", "macro_f1")

    fields: ClassVar[tuple[()]] = ()

    def __init__(self, labels: Sequence[Any] | str | None = None) -> None:
        """`labels` lists them, or is the path of a text file with one on each line.

        Raises TaskError for a label that could not be read back out of an answer.
        """
        if labels is not None and not isinstance(labels, str | list | tuple):
            raise TaskError(
                f"answer.labels={labels!r:.60}: must be a list of labels, or the path of a file"
            )
        listed = _lines(Path(labels)) if isinstance(labels, str) else labels or ()
        for given in listed:
            if isinstance(given, bool) or not isinstance(given, str | int):
                raise TaskError(
                    f"answer.labels: {given!r} is not text; put the label into quotes, as YAML "
                    "reads some words and numbers as something else"
                )
        self.labels = tuple(dict.fromkeys(map(str, listed))) if listed else None
        for label in self.labels or ():
            problem = _unreadable(label)
            if problem:
                raise TaskError(f"answer.labels: {problem}")

    @cached_property
    def _known(self) -> frozenset[str]:
        """The same as a set: a million answers are looked up among ten thousand labels."""
        return frozenset(self.labels or ())

    @property
    def rules(self) -> Any:
        return self.labels

    @property
    def constraint(self) -> Choices | None:
        return None if self.labels is None else Choices(self.labels)

    @property
    def longest(self) -> int | None:
        return None if self.labels is None else max(len(label.encode()) for label in self.labels)

    def write(self, target: Any) -> str:
        label = as_text(target)
        problem = _unreadable(label)
        if problem:
            raise ValueError(problem)
        if self.labels is not None and label not in self._known:
            raise ValueError(
                f"target {target!r} is not one of the {len(self.labels)} labels, which are those "
                "of train unless answer.labels lists them"
            )
        return label

    def parse(self, text: str) -> Parsed:
        """The text's first line if it is a label; else what is left of it without quotes, dots
        and the like."""
        lines = text.strip().splitlines()
        line = lines[0].strip() if lines else ""
        if line in self._known:
            return Parsed(line)
        value = line.strip("\"'`*.").strip()
        if not value:
            return Parsed(None, "empty")
        if self.labels is not None and value not in self._known:
            return Parsed(None, "not a label")
        return Parsed(value)

    def describe(self, instructions: str) -> str:
        labels = self.labels or ()
        between = "\n" if any("," in label for label in labels) else ", "
        return instructions.replace("{labels}", between.join(labels))

    def fitted(self, targets: Iterable[str]) -> Answer:
        return self if self.labels is not None else Label(sorted(set(targets)))

    def majority(self, targets: Sequence[str]) -> str:
        return commonest(targets) or ""

    def scorer(self) -> Scorer:
        from harness.answer.metric import AnswerMetric

        return AnswerMetric("accuracy and macro-F1 of labels", self._each, self._over)

    def _each(self, prediction: str, reference: str) -> dict[str, float]:
        value = self.parse(prediction).value
        return {"accuracy": float(value == reference), "readable": float(value is not None)}

    def _over(self, predictions: Sequence[str], references: Sequence[str]) -> dict[str, float]:
        """F1 of each label that occurs among the references, averaged.

        As scikit-learn's `f1_score` has it, which takes a hundred times as long: intervals are
        resampled.
        """
        read = {text: self.parse(text).value for text in set(predictions)}
        given = [read[text] for text in predictions]
        right = Counter(r for g, r in zip(given, references, strict=True) if g == r)
        said, true = Counter(given), Counter(references)
        each = [2 * right[label] / (said[label] + true[label]) for label in sorted(true)]
        return {"macro_f1": float(np.mean(each))}


def _lines(path: Path) -> list[str]:
    """The lines of a file of labels, without those that are empty."""
    try:
        lines = text_of(path).splitlines()
    except UnreadableError as error:
        raise TaskError(
            f"answer.labels: cannot read {path} ({error}); give a list, or a UTF-8 file with one "
            "label on each line"
        ) from error
    if not any(lines):
        raise TaskError(f"answer.labels: {path} is empty; write one label on each line")
    return [line for line in lines if line]


def _unreadable(label: str) -> str | None:
    """Why this label could not be read back out of an answer, or None."""
    if label.splitlines() == [label] and label == label.strip():
        return None
    return f"label {label!r} is empty, or has blanks around it or a line break in it; fix it"
