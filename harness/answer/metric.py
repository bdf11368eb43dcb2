"""Measures of an answer format, and the same as an `evaluate.Metric` that needs no hub."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from evaluate import Metric

__all__ = ["AnswerMetric"]

Each = Callable[[str, str], dict[str, float]]
"""Measures of one answer: prediction and target in, values from 0 to 1 out."""

Over = Callable[[Sequence[str], Sequence[str]], dict[str, float]]
"""Measures of a whole set: predictions and targets in."""


@dataclass(frozen=True)
class AnswerMetric:
    """What says how good answers are.

    >>> metric = AnswerMetric("equality", lambda given, wanted: {"equal": float(given == wanted)})
    >>> metric.each("a", "b")
    {'equal': 0.0}
    >>> metric.metric().compute(predictions=["a", "b"], references=["a", "c"])
    {'equal': 0.5}
    """

    summary: str
    each: Each
    over: Over = lambda given, wanted: {}

    def metric(self) -> Metric:
        """Means of the measures of each answer, and the measures of the whole set.

        Takes seconds, as it loads `evaluate`, which loads transformers.
        """
        import datasets
        import evaluate

        summary, each, over = self.summary, self.each, self.over

        class Computed(evaluate.Metric):  # type: ignore[misc]
            def _info(self) -> evaluate.MetricInfo:
                text = datasets.Value("string")
                return evaluate.MetricInfo(
                    description=summary,
                    citation="",
                    inputs_description="predictions and references: texts",
                    features=datasets.Features({"predictions": text, "references": text}),
                )

            def _compute(
                self, predictions: Sequence[str], references: Sequence[str]
            ) -> dict[str, float]:
                rows = [each(p, r) for p, r in zip(predictions, references, strict=True)]
                means = {name: sum(row[name] for row in rows) / len(rows) for name in rows[0]}
                return means | over(predictions, references)

        return Computed()
