"""Does a rung answer the same with another seed, and when the question is put otherwise?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from harness.analysis.measured import mean, measured
from harness.analysis.rungs import RungResult
from harness.evidence.statistics import ROUNDING, Interval, mean_over_seeds

__all__ = ["Consistency", "Perturbed", "SeedAgreement", "consistency"]

PROBE = "consistency"


@dataclass(frozen=True)
class SeedAgreement:
    """How often two seeds of a rung agree on a question."""

    rung: str
    """Its key."""
    seeds: int
    answers: Interval
    """Share of pairs of seeds that answer letter for letter the same."""
    scores: Interval | None
    """Share of pairs with the same score; None where a single question has none."""


@dataclass(frozen=True)
class Perturbed:
    """One rung under one change that leaves the targets alone, over its seeds."""

    rung: str
    """Its key."""
    perturbation: str
    seeds: int
    changed: Interval
    """Share of the questions whose answer says something else."""
    extent: Interval
    """How much of an answer changes: 1 minus the primary metric of the answer to the changed
    question, held against the one to the question itself."""
    difference: Interval | None
    """Primary metric with the change minus without it, paired by question."""


@dataclass(frozen=True)
class Consistency:
    """Of all rungs, as far as measured."""

    seeds: Sequence[SeedAgreement]
    perturbed: Sequence[Perturbed]


def consistency(rungs: Sequence[RungResult]) -> Consistency:
    """Agreement between seeds, and under what the consistency probe asked."""
    return Consistency(
        [_agreement(rung) for rung in rungs if len(rung.runs) > 1],
        [one for rung in rungs for one in _perturbed(rung)],
    )


def _agreement(rung: RungResult) -> SeedAgreement:
    texts = [{p.id: p.text.strip() for p in run.predictions} for run in rung.runs]
    ids = [i for i in texts[0] if all(i in each for each in texts)]
    groups = [rung.runs[0].groups[i] for i in ids]
    pairs = list(combinations(range(len(texts)), 2))

    def share(equal: Sequence[Sequence[bool]]) -> Interval:
        each = [sum(values) / len(values) for values in equal]
        return mean_over_seeds([each], groups)

    scores = None
    if rung.measured_by_question:
        values = [run.values for run in rung.runs]
        alike = [[abs(values[a][i] - values[b][i]) <= ROUNDING for a, b in pairs] for i in ids]
        scores = share(alike)
    same = [[texts[a][i] == texts[b][i] for a, b in pairs] for i in ids]
    return SeedAgreement(rung.key, len(rung.runs), share(same), scores)


def _perturbed(rung: RungResult) -> list[Perturbed]:
    found = measured(rung, PROBE)
    if not found:
        return []
    seeds = [one.found["perturbations"] for _, one in found]
    return [
        _one(rung, name, [each[name] for each in seeds])
        for name in seeds[0]
        if seeds[0][name] and all(name in each for each in seeds)
    ]


def _one(
    rung: RungResult, perturbation: str, seeds: Sequence[Sequence[Mapping[str, Any]]]
) -> Perturbed:
    asked = [{str(q["id"]): q for q in each} for each in seeds]
    ids = list(asked[0])

    def shares(name: str) -> Interval:
        groups = [rung.runs[0].groups[i] for i in ids]
        return mean_over_seeds([[float(each[i][name]) for i in ids] for each in asked], groups)

    scored = [i for i in ids if all(each[i]["before"] is not None for each in asked)]
    groups = [rung.runs[0].groups[i] for i in scored]
    difference = [[each[i]["after"] - each[i]["before"] for i in scored] for each in asked]
    return Perturbed(
        rung=rung.key,
        perturbation=perturbation,
        seeds=len(seeds),
        changed=shares("changed"),
        extent=shares("extent"),
        difference=mean(difference, groups) if scored else None,
    )
