"""Measures of an answer format as an `evaluate.Metric` that needs no hub.

Importing this takes seconds (`datasets`), so formats do it only when a scorer is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import datasets
import evaluate

__all__ = ["AnswerMetric"]

Each = Callable[[str, str], dict[str, float]]
"""Measures of one answer: prediction and target in, values from 0 to 1 out."""

Over = Callable[[Sequence[str], Sequence[str]], dict[str, float]]
"""Measures of a whole set: predictions and targets in."""


class AnswerMetric(evaluate.Metric):  # type: ignore[misc]
    """Means of the measures of each answer, and the measures of the whole set.

    >>> metric = AnswerMetric("equality", lambda given, wanted: {"equal": float(given == wanted)})
    >>> metric.compute(predictions=["a", "b"], references=["a", "c"])
    {'equal': 0.5}
    """

    def __init__(self, summary: str, each: Each, over: Over = lambda given, wanted: {}) -> None:
        self.summary, self.each, self.over = summary, each, over  # `_info` is asked for at once
        super().__init__()

    def _info(self) -> evaluate.MetricInfo:
        text = datasets.Value("string")
        return evaluate.MetricInfo(
            description=self.summary,
            citation="",
            inputs_description="predictions and references: texts",
            features=datasets.Features({"predictions": text, "references": text}),
        )

    def _compute(self, predictions: Sequence[str], references: Sequence[str]) -> dict[str, float]:
        rows = [self.each(p, r) for p, r in zip(predictions, references, strict=True)]
        means = {name: sum(row[name] for row in rows) / len(rows) for name in rows[0]}
        return means | self.over(predictions, references)
