"""What each answer is worth: one score per example, and metrics over the set.

Every measure is a number from 0 to 1 per example. An answer that cannot be read scores zero and is
counted as unreadable; a prediction that failed scores zero and is counted apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from harness.answer import Scorer
from harness.errors import TaskError, first_line
from harness.evidence.statistics import Interval, mean_interval, resampled
from harness.task import Example, Prediction, Score, Task

__all__ = ["check", "metrics", "retrieval", "score", "slices"]


def check(task: Task) -> None:
    """Raise TaskError for a metric that there will not be: before anything is trained or asked."""
    for name in task.metrics:
        _loaded(name)
    scorer, example = task.materials.answer.scorer(), task.eval[0]
    answered = Prediction(example.id, example.target, "stop", 0, 0, 0, 0.0)
    names = [
        *_values(scorer, answered, example),
        *scorer.over([example.target], [example.reference]),
    ]
    if task.primary in names or task.primary.partition("/")[0] in task.metrics:
        return  # which numbers a foreign metric has, the answers will tell
    # Not every example has every field, and a right answer has those of its target.
    for each in task.eval if "/" in task.primary else ():
        found = _values(scorer, replace(answered, id=each.id, text=each.target), each)
        if task.primary in found:
            return
        names += [name for name in found if name not in names]
    raise _no_primary(task, names)


def score(task: Task, predictions: Sequence[Prediction]) -> list[Score]:
    """One score for each eval example, in eval's order.

    Raises ValueError if a prediction is missing: nothing may leave the denominator.
    """
    scorer = task.materials.answer.scorer()
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
    references = [e.reference for e in task.eval]
    scorer = task.materials.answer.scorer()
    for name in scorer.over(texts, references):
        result[name] = resampled(
            lambda index, name=name: scorer.over(  # type: ignore[misc]
                [texts[i] for i in index], [references[i] for i in index]
            )[name],
            len(texts),
            seed,
            groups=[e.group for e in task.eval],
        )
    for name in task.metrics:
        result |= _hub_metric(name, texts, [e.target for e in task.eval])
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
    asked = [e for e in task.eval if e.gold_passages and e.id in found]
    if not asked:
        return {}
    recalls = [len(set(e.gold_passages) & set(found[e.id])) / len(e.gold_passages) for e in asked]
    k = max(map(len, found.values()))
    return {f"recall_at_{k}": mean_interval(recalls, seed, [e.group for e in asked])}


def slices(task: Task, scores: Sequence[Score], seed: int = 0) -> dict[str, dict[str, Interval]]:
    """The same means over the examples of each tag value, as `tag=value`."""
    members: dict[str, list[Score]] = {}
    for example, one in zip(task.eval, scores, strict=True):
        for tag, value in example.tags.items():
            members.setdefault(f"{tag}={value}", []).append(one)
    return {name: _means(members[name], seed) for name in sorted(members)}


def _values(scorer: Scorer, prediction: Prediction, example: Example) -> dict[str, float]:
    text = "" if prediction.error else prediction.text
    return scorer.each(text, example.reference) | {
        "stopped": float(prediction.finish == "stop"),
        "truncated": float(prediction.finish == "length"),
        "failed": float(prediction.error is not None),
    }


def _means(scores: Sequence[Score], seed: int) -> dict[str, Interval]:
    found: dict[str, list[tuple[float, str]]] = {}
    for one in scores:
        for name, value in one.values.items():
            found.setdefault(name, []).append((value, one.group))
    return {
        name: mean_interval([v for v, _ in pairs], seed, [group for _, group in pairs])
        for name, pairs in found.items()
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
    import evaluate

    try:
        return evaluate.load(name)
    except Exception as error:  # and so does the hub client
        raise _no_metric(name, error) from error


def _no_metric(name: str, error: Exception) -> TaskError:
    return TaskError(
        f"metric '{name}' cannot be computed ({first_line(error)}); take it out of task.metrics"
    )
