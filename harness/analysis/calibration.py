"""How well a rung knows when it is right: Brier score, calibration error, risk against coverage.

Probabilities are those of the candidates behind the real prompt, normalised over the candidates.
Confidence is the probability of the answer that the rung gave; an answer that is no candidate has
none, and is wrong.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.analysis.measured import measured
from harness.analysis.rungs import RungResult
from harness.evidence.statistics import CONFIDENCE, Interval, Labels, Values, group_labels

__all__ = [
    "Calibration",
    "Point",
    "brier",
    "calibration",
    "calibration_error",
    "covered",
    "resampled",
]

PROBE = "calibration"
LABEL = "label"
BINS = 10
"""Of equal mass, by confidence (Nguyen and O'Connor 2015, arXiv:1508.05154)."""
COVERAGE = 0.8
GRID = 20
"""Points of the risk-coverage curve."""
DRAWS = 1000
METHOD = "percentile bootstrap of groups, less its bias"


@dataclass(frozen=True)
class Point:
    """Of the risk–coverage curve (El-Yaniv and Wiener 2010)."""

    coverage: float
    """Share of the questions that are answered, the most confident first."""
    risk: Interval
    """Share of those answers that are wrong."""


@dataclass(frozen=True)
class Calibration:
    """Of one rung and one choice, over its seeds; intervals over questions alone."""

    rung: str
    """Its key."""
    field: str | None
    """Of a JSON answer; None where the answer is a label."""
    seeds: int
    candidates: int
    accuracy: Interval
    """Of the answers given, on these questions."""
    confidence: float
    """Mean probability of the answers given."""
    brier: Interval
    """Sum over candidates of (probability − truth)², from 0 to 2 (Brier 1950)."""
    error: Interval
    """Expected calibration error: |accuracy − confidence|, averaged over bins of equal mass. Of
    few questions it is too high even for a calibrated rung."""
    covered: Interval
    """Accuracy on the 80% of the questions with the highest confidence."""
    curve: Sequence[Point]
    most_probable: float
    """Share of questions whose answer is the most probable candidate."""


def calibration(
    rungs: Sequence[RungResult], questions: Mapping[str, Mapping[str, Any]]
) -> list[Calibration]:
    """Of every rung and choice that was measured; `questions` are the sealed ones, with targets."""
    found = []
    for rung in rungs:
        seeds = [one.found["choices"] for _, one in measured(rung, PROBE)]
        for name in seeds[0] if seeds and questions else ():
            if all(name in each for each in seeds):
                one = _of(rung, name, [each[name] for each in seeds], questions)
                found += [one] if one else []
    return found


def brier(probabilities: Values, truth: Labels) -> Values:
    """Of each question: [questions, candidates], and the place of the right one (-1: none is)."""
    wanted = np.zeros_like(probabilities)
    known = truth >= 0
    wanted[known, truth[known]] = 1.0
    each: Values = ((probabilities - wanted) ** 2).sum(1) + ~known
    return each


def calibration_error(confidence: Values, right: Values) -> float:
    """Over bins of equal mass by confidence."""
    n = len(right)
    order = np.argsort(confidence, kind="stable")
    starts = np.unique(np.arange(BINS) * n // BINS)
    gaps = np.abs(np.add.reduceat((right - confidence)[order], starts))
    return float(gaps.sum() / n)


def covered(confidence: Values, right: Values, coverage: Values) -> Values:
    """Accuracy on each share `coverage` of the questions, those with the highest confidence."""
    counts = np.maximum(1, np.round(coverage * len(right))).astype(int)
    best = np.argsort(-confidence, kind="stable")
    each: Values = np.cumsum(right[best])[counts - 1] / counts
    return each


@dataclass(frozen=True)
class _Seed:
    """What one seed said: arrays over the same questions."""

    brier: Values
    confidence: Values
    right: Values
    most_probable: Values


def _of(
    rung: RungResult,
    name: str,
    seeds: Sequence[Mapping[str, Any]],
    questions: Mapping[str, Mapping[str, Any]],
) -> Calibration | None:
    candidates = seeds[0]["candidates"]
    asked = [{q["id"]: q for q in each["questions"]} for each in seeds]
    targets = {i: _target(questions[i], name, candidates) for i in asked[0] if i in questions}
    ids = [i for i in targets if all(i in each for each in asked)]
    if not ids:
        return None
    truth = np.array([targets[i] for i in ids])
    known = [_seed([each[i] for i in ids], truth) for each in asked]
    labels = group_labels([rung.runs[0].groups[i] for i in ids])
    grid = (np.arange(GRID) + 1) / GRID

    def statistics(index: Labels) -> Values:
        drawn = []
        for seed in known:
            confidence, right = seed.confidence[index], seed.right[index]
            plain = [right.mean(), seed.brier[index].mean(), calibration_error(confidence, right)]
            kept = covered(confidence, right, np.array([COVERAGE, *grid]))
            drawn.append([*plain, kept[0], *(1 - kept[1:])])
        mean: Values = np.asarray(drawn, dtype=float).mean(0)
        return mean

    accuracy, score, error, most, *risks = resampled(statistics, labels)
    return Calibration(
        rung=rung.key,
        field=None if name == LABEL else name,
        seeds=len(seeds),
        candidates=len(candidates),
        accuracy=accuracy,
        confidence=float(np.mean([s.confidence.mean() for s in known])),
        brier=score,
        error=error,
        covered=most,
        curve=[Point(float(at), risk) for at, risk in zip(grid, risks, strict=True)],
        most_probable=float(np.mean([s.most_probable.mean() for s in known])),
    )


def _target(question: Mapping[str, Any], name: str, candidates: Sequence[Any]) -> int:
    """The place of the right candidate; -1 if none is."""
    target = {name: question["target"]} if name == LABEL else json.loads(question["target"])
    if name not in target or target[name] not in candidates:
        return -1
    return candidates.index(target[name])


def _seed(asked: Sequence[Mapping[str, Any]], truth: Labels) -> _Seed:
    from scipy.special import softmax

    probabilities = softmax(np.array([q["log_probabilities"] for q in asked], dtype=float), axis=1)
    given = np.array([-1 if q["given"] is None else q["given"] for q in asked])
    rows = np.arange(len(given))
    confidence = np.where(given >= 0, probabilities[rows, given], 0.0)
    right = ((given == truth) & (given >= 0)).astype(float)
    best = (probabilities.argmax(1) == given).astype(float)
    return _Seed(brier(probabilities, truth), confidence, right, best)


def resampled(statistics: Any, labels: Labels) -> list[Interval]:
    """Each statistic with its interval when whole groups are drawn anew."""
    n, groups = len(labels), int(labels.max()) + 1
    members = [np.flatnonzero(labels == group) for group in range(groups)]
    values = statistics(np.arange(n))
    if groups < 2:
        return [Interval(float(value), None, None, n, "none") for value in values]
    rng = np.random.default_rng(0)
    drawn = np.array(
        [
            statistics(np.concatenate([members[g] for g in rng.integers(0, groups, groups)]))
            for _ in range(DRAWS)
        ]
    )
    tail = 100 * (1 - CONFIDENCE) / 2
    # A calibration error is larger in draws than in what they are drawn from: bins of fewer
    # different questions. Without the shift its interval may leave the error itself out.
    lows, highs = np.percentile(drawn, [tail, 100 - tail], axis=0) - (drawn.mean(0) - values)
    highs = np.minimum(highs, np.maximum(drawn.max(0), values))  # No accuracy above 100%.
    return [
        Interval(float(value), max(0.0, float(low)), float(high), n, METHOD)
        for value, low, high in zip(values, lows, highs, strict=True)
    ]
