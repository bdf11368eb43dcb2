"""What each answer is worth: one score per example, and metrics over the set.

Every measure is a number from 0 to 1 per example. An answer that cannot be read scores zero and is
counted as unreadable; a prediction that failed scores zero and is counted apart.
"""

from __future__ import annotations

import json
import re
import string
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, Protocol

import datasets
import evaluate

from harness.answer import Answer, Json, Label
from harness.errors import TaskError, first_line
from harness.evidence.statistics import Interval, mean_interval, resampled
from harness.task import Example, Prediction, Score, Task

__all__ = ["Scorer", "check", "metrics", "retrieval", "score", "scorer_for", "slices"]


class Scorer(Protocol):
    """A metric that can also say what each single answer is worth."""

    def each(self, prediction: str, reference: str) -> dict[str, float]:
        """Measures of one answer, 0 to 1."""

    def over(self, predictions: Sequence[str], references: Sequence[str]) -> dict[str, float]:
        """Measures that only make sense over a whole set, such as macro-F1."""


class _Metric(evaluate.Metric):  # type: ignore[misc]
    """An `evaluate.Metric` that needs no hub: means of the per-example measures, and the rest."""

    summary = ""

    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self.answer = answer

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

    def each(self, prediction: str, reference: str) -> dict[str, float]:
        raise NotImplementedError

    def over(self, predictions: Sequence[str], references: Sequence[str]) -> dict[str, float]:
        return {}


class JsonScorer(_Metric):
    """Whether JSON answers can be read, keep the schema, and get each field right."""

    summary = "JSON answers against a schema, by field and by kind of field"
    answer: Json

    def each(self, prediction: str, reference: str) -> dict[str, float]:
        parsed = self.answer.parse(prediction).value
        readable = isinstance(parsed, dict)
        given: dict[str, Any] = parsed if readable else {}
        target: dict[str, Any] = json.loads(reference)
        right: dict[str, bool] = {}
        for field in self.answer.fields:
            if field.name not in target and field.name not in given:
                continue
            if field.check == "style":
                right[field.name] = field.name in given and self.answer.admits(
                    field, given[field.name]
                )
            else:
                right[field.name] = field.name in given and _same(
                    given[field.name], target.get(field.name)
                )
        values = {
            "fields": sum(right.values()) / max(1, len(right)),
            "exact": float(readable and all(right.values())),
            "readable": float(readable),
            "valid": float(readable and self.answer.violation(parsed) is None),
        }
        for kind in dict.fromkeys(f.kind for f in self.answer.fields):
            of_kind = [
                right[f.name] for f in self.answer.fields if f.kind == kind and f.name in right
            ]
            values[f"kind/{kind}"] = sum(of_kind) / max(1, len(of_kind))
        return values | {f"field/{name}": float(ok) for name, ok in right.items()}


class LabelScorer(_Metric):
    """Accuracy and macro-F1 of labels."""

    summary = "accuracy and macro-F1 of labels"
    answer: Label

    def each(self, prediction: str, reference: str) -> dict[str, float]:
        value = self.answer.parse(prediction).value
        return {"accuracy": float(value == reference), "readable": float(value is not None)}

    def over(self, predictions: Sequence[str], references: Sequence[str]) -> dict[str, float]:
        """F1 of each label that occurs among the references, averaged."""
        from sklearn.metrics import f1_score

        given = [self.answer.parse(p).value or "" for p in predictions]
        labels = sorted(set(references))
        macro = f1_score(references, given, labels=labels, average="macro", zero_division=0.0)
        return {"macro_f1": float(macro)}


class TextScorer(_Metric):
    """Exact match, containment, token F1 (Rajpurkar et al. 2016, SQuAD) and ROUGE-L (Lin 2004)."""

    summary = "exact match, contains, token F1 and ROUGE-L of free text"

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer)
        from rouge_score.rouge_scorer import RougeScorer

        self.rouge = RougeScorer(["rougeL"])

    def each(self, prediction: str, reference: str) -> dict[str, float]:
        given, wanted = _words(prediction), _words(reference)
        shared = sum((Counter(given) & Counter(wanted)).values())
        contains = f" {' '.join(wanted)} " in f" {' '.join(given)} "
        return {
            "token_f1": 2 * shared / (len(given) + len(wanted)) if shared else 0.0,
            "exact": float(given == wanted),
            "contains": float(bool(wanted) and contains),
            "rouge_l": self.rouge.score(reference, prediction)["rougeL"].fmeasure,
            "readable": float(bool(given)),
        }


def scorer_for(answer: Answer) -> Scorer:
    """The scorer of an answer format."""
    match answer:
        case Json():
            return JsonScorer(answer)
        case Label():
            return LabelScorer(answer)
        case _:
            return TextScorer(answer)


def check(task: Task) -> None:
    """Raise TaskError for a metric that there will not be: before anything is trained or asked."""
    for name in task.metrics:
        _loaded(name)
    scorer, example = scorer_for(task.materials.answer), task.eval[0]
    answered = Prediction(example.id, example.target, "stop", 0, 0, 0, 0.0)
    names = [*_values(scorer, answered, example), *scorer.over([example.target], [example.target])]
    # Which fields and which numbers of a foreign metric there are, the answers will tell.
    if task.primary not in names and "/" not in task.primary:
        raise _no_primary(task, names)


def score(task: Task, predictions: Sequence[Prediction]) -> list[Score]:
    """One score for each eval example, in eval's order.

    Raises ValueError if a prediction is missing: nothing may leave the denominator.
    """
    scorer = scorer_for(task.materials.answer)
    by_id = {p.id: p for p in predictions}
    missing = [e.id for e in task.eval if e.id not in by_id]
    if missing:
        raise ValueError(f"no prediction for {len(missing)} eval examples, first {missing[0]}")
    return [Score(e.id, e.group, _values(scorer, by_id[e.id], e)) for e in task.eval]


def metrics(
    task: Task, predictions: Sequence[Prediction], scores: Sequence[Score], seed: int = 0
) -> dict[str, Interval]:
    """Every measure over the whole set, with its interval and n."""
    result = _means(scores, seed)
    by_id = {p.id: p for p in predictions}
    texts = [by_id[e.id].text for e in task.eval]
    targets = [e.target for e in task.eval]
    scorer = scorer_for(task.materials.answer)
    for name in scorer.over(texts, targets):
        result[name] = resampled(
            lambda index, name=name: scorer.over(  # type: ignore[misc]
                [texts[i] for i in index], [targets[i] for i in index]
            )[name],
            len(texts),
            seed,
        )
    for name in task.metrics:
        result |= _hub_metric(name, texts, targets)
    if task.primary not in result:
        raise _no_primary(task, result)
    return result


def _no_primary(task: Task, names: Iterable[str]) -> TaskError:
    return TaskError(
        f"task {task.name}: primary metric '{task.primary}' is not among {', '.join(names)}; "
        "fix task.primary"
    )


def retrieval(task: Task, predictions: Sequence[Prediction], seed: int = 0) -> dict[str, Interval]:
    """Share of the passages that hold an example's answer which were among its top k."""
    found = {p.id: p.passages for p in predictions if p.passages}
    recalls = [
        len(set(e.gold_passages) & set(found[e.id])) / len(e.gold_passages)
        for e in task.eval
        if e.gold_passages and e.id in found
    ]
    if not recalls:
        return {}
    k = max(map(len, found.values()))
    return {f"recall_at_{k}": mean_interval(recalls, seed)}


def slices(task: Task, scores: Sequence[Score], seed: int = 0) -> dict[str, dict[str, Interval]]:
    """The same means over the examples of each tag value, as `tag=value`."""
    members: dict[str, list[Score]] = {}
    for example, one in zip(task.eval, scores, strict=True):
        for tag, value in example.tags.items():
            members.setdefault(f"{tag}={value}", []).append(one)
    return {name: _means(members[name], seed) for name in sorted(members)}


def _values(scorer: Scorer, prediction: Prediction, example: Example) -> dict[str, float]:
    text = "" if prediction.error else prediction.text
    return scorer.each(text, example.target) | {
        "stopped": float(prediction.finish == "stop"),
        "truncated": float(prediction.finish == "length"),
        "failed": float(prediction.error is not None),
    }


def _means(scores: Sequence[Score], seed: int) -> dict[str, Interval]:
    names = dict.fromkeys(name for s in scores for name in s.values)
    return {
        name: mean_interval([s.values[name] for s in scores if name in s.values], seed)
        for name in names
    }


def _hub_metric(name: str, texts: Sequence[str], targets: Sequence[str]) -> dict[str, Interval]:
    """Any metric that `evaluate.load` knows; its numbers come without an interval."""
    metric = _loaded(name)
    try:
        values = metric.compute(predictions=texts, references=targets)
    except Exception as error:  # foreign metrics raise anything
        raise _no_metric(name, error) from error
    numbers = {k: v for k, v in values.items() if isinstance(v, (int, float))}
    return {
        f"{name}/{k}": Interval(float(v), None, None, len(texts), "none")
        for k, v in numbers.items()
    }


@lru_cache
def _loaded(name: str) -> Any:
    try:
        return evaluate.load(name)
    except Exception as error:  # and so does the hub client
        raise _no_metric(name, error) from error


def _no_metric(name: str, error: Exception) -> TaskError:
    return TaskError(
        f"metric '{name}' cannot be computed ({first_line(error)}); take it out of task.metrics"
    )


def _same(given: Any, wanted: Any) -> bool:
    """Equal values of the same JSON type: 1 is not true."""
    return type(given) is type(wanted) and given == wanted


def _words(text: str) -> list[str]:
    """SQuAD's normalization: lower case, no punctuation, no articles."""
    bare = "".join(c for c in text.lower() if c not in set(string.punctuation))
    return re.sub(r"\b(a|an|the)\b", " ", bare).split()
