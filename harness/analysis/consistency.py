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
    fields: Interval | None
    """Share of the fields of JSON answers that do; None for other formats."""
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

    def over(names: Sequence[str], share: bool) -> Interval | None:
        """Of the questions that have these numbers in every seed."""
        kept = [i for i in ids if all(each[i][n] is not None for each in asked for n in names)]
        if not kept:
            return None
        groups = [rung.runs[0].groups[i] for i in kept]
        if share:
            return mean_over_seeds([[float(e[i][names[0]]) for i in kept] for e in asked], groups)
        before, after = names
        return mean([[e[i][after] - e[i][before] for i in kept] for e in asked], groups)

    changed = over(["changed"], share=True)
    assert changed is not None, "every question that was asked has changed or not"
    fields, difference = over(["fields"], share=True), over(["before", "after"], share=False)
    return Perturbed(rung.key, perturbation, len(seeds), changed, fields, difference)
