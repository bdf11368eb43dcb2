"""What each slot adds: the factorial design that the rungs of a ladder make up.

The factors are the constraint and the slots shots, retrieval and tuning, each on or off; a cell is
what is on. All estimates are differences between cells on the same questions, combined question by
question, so that questions and their groups are what is drawn by chance. They are exploratory: none
is declared, none is corrected.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from math import factorial
from statistics import fmean

from harness.analysis.factorial_cells import FACTORS, Design, design, subsets
from harness.analysis.rungs import RungResult
from harness.evidence.contrasts import Side, compare
from harness.evidence.statistics import Interval

__all__ = ["Ablation", "Effect", "Interaction", "Removed", "ablation"]

On = frozenset[str]
"""The factors that are on."""
Weights = Mapping[On, float]
"""What each cell counts for in a difference."""


@dataclass(frozen=True)
class CellResult:
    """One cell of the design."""

    on: Sequence[str]
    """Factors that are on, in the order of `FACTORS`."""
    rung: str
    """Its name."""
    key: str
    value: Interval
    """The primary metric, over the seeds that all cells have."""


@dataclass(frozen=True)
class Effect:
    """What one factor of a complete design adds, in the unit of the primary metric."""

    factor: str
    alone: Interval
    """Added to the base, where every other factor is off."""
    average: Interval
    """Main effect: added on average over all settings of the other factors."""
    share: Interval
    """Its part of the gain: added on average over all orders in which the factors can be turned on
    (Shapley 1953, "A Value for n-Person Games"). The shares sum to the gain."""
    last: Interval
    """Added where every other factor is on: what everything loses without it."""


@dataclass(frozen=True)
class Interaction:
    """How much more one factor adds where another is on than where that is off, on average over the
    remaining factors; below zero they add less together than apart."""

    factors: tuple[str, str]
    difference: Interval


@dataclass(frozen=True)
class Removed:
    """What everything that was varied, together, loses without one factor."""

    factor: str
    everything: str
    """`key` of the rung with every factor on."""
    without: str
    """`key` of the rung without this one."""
    difference: Interval


@dataclass(frozen=True)
class Ablation:
    """What each slot adds, as far as the cells that were run can tell."""

    varied: Sequence[str]
    """Factors that some rung has on and some rung has off."""
    factors: Sequence[str]
    """Those of the largest complete design; none if even two are not crossed."""
    always: Sequence[str]
    """Factors that are on in every cell of the design."""
    cells: Sequence[CellResult]
    """Of the design, the base first and everything last."""
    gain: Interval | None
    """Everything minus base; None without a design."""
    effects: Sequence[Effect]
    interactions: Sequence[Interaction]
    removed: Sequence[Removed]
    """Of all that was varied, whether the design is complete or not."""
    missing: Sequence[Sequence[str]]
    """Cells of the varied factors that were not run: what is on in each."""
    unequal: Mapping[str, Mapping[str, Mapping[str, object]]]
    """Slots that are not set the same in all cells: slot → rung → setting → value."""
    instructions: Mapping[str, Sequence[str]]
    """Which instructions the `untuned` and the `tuned` cells say."""
    shots_in_training: bool | None
    """Whether tuned cells that show examples trained with them; None if there is none."""
    seeds: Sequence[int]
    """Those that all random cells have; none if nothing is random, or they have none in common."""
    one_seed: bool
    """Whether a random cell was seen once, so that this noise is not in the intervals."""

    @property
    def complete(self) -> bool:
        """Whether every combination of what was varied was run."""
        return not self.missing


def ablation(rungs: Sequence[RungResult]) -> Ablation | None:
    """The ablation of a ladder.

    None unless two factors are crossed, or three are varied and some rung has all of them on and
    another all but one; or if single questions have no value.
    """
    found = design([rung for rung in rungs if rung.measured_by_question])
    if found is None:
        return None
    seeds = _common_seeds([found.cells[on] for on in (*found.grid, *found.top)])
    estimate = partial(_estimate, cells=found.cells, seeds=seeds)
    everything = frozenset({*found.varied, *found.constant})
    removed = [
        Removed(
            factor=factor,
            everything=found.cells[everything].key,
            without=found.cells[everything - {factor}].key,
            difference=estimate({everything: 1.0, everything - {factor}: -1.0}),
        )
        for factor in found.varied
        if everything in found.cells and everything - {factor} in found.cells
    ]
    if not found.factors and (len(found.varied) < 3 or not removed):
        return None
    return Ablation(
        varied=found.varied,
        factors=found.factors,
        always=_ordered(found.always),
        cells=[
            CellResult(_ordered(on), _name(rung), rung.key, _value(on, rung, seeds, estimate))
            for on, rung in ((on, found.cells[on]) for on in found.grid)
        ],
        gain=estimate(_gain(found)) if found.factors else None,
        effects=[_effect(factor, found, estimate) for factor in found.factors],
        interactions=[
            Interaction(pair, estimate(_interaction(*pair, found)))
            for pair in combinations(found.factors, 2)
        ],
        removed=removed,
        missing=[_ordered(on) for on in found.missing],
        unequal=found.unequal,
        instructions=found.instructions,
        shots_in_training=found.shots_in_training,
        seeds=seeds,
        one_seed=any(found.cells[on].seeds == 1 for on in (*found.grid, *found.top))
        or len(seeds) == 1,
    )


Estimate = Callable[[Weights], Interval]


def _effect(factor: str, found: Design, estimate: Estimate) -> Effect:
    base, others = found.always, [other for other in found.factors if other != factor]
    k = len(found.factors)
    count = 2 ** len(others)
    average: dict[On, float] = {}
    share: dict[On, float] = {}
    for rest in subsets(others):
        orders = factorial(len(rest)) * factorial(k - len(rest) - 1) / factorial(k)
        for weights, weight in ((average, 1 / count), (share, orders)):
            weights[base | rest | {factor}] = weight
            weights[base | rest] = -weight
    everything = base | {*found.factors}
    return Effect(
        factor=factor,
        alone=estimate({base | {factor}: 1.0, base: -1.0}),
        average=estimate(average),
        share=estimate(share),
        last=estimate({everything: 1.0, everything - {factor}: -1.0}),
    )


def _gain(found: Design) -> Weights:
    return {found.always | {*found.factors}: 1.0, found.always: -1.0}


def _interaction(first: str, second: str, found: Design) -> Weights:
    others = [factor for factor in found.factors if factor not in (first, second)]
    weight = 1 / 2 ** len(others)
    weights: dict[On, float] = {}
    for rest in subsets(others):
        low = found.always | rest
        weights |= {low | {first, second}: weight, low: weight}
        weights |= {low | {first}: -weight, low | {second}: -weight}
    return weights


def _estimate(weights: Weights, cells: Mapping[On, RungResult], seeds: Sequence[int]) -> Interval:
    """A weighted sum of cells, question by question and seed by seed, with its interval.

    Cells of one seed may share what was trained, so that its noise goes where theirs goes: only
    their sum is compared with zero.
    """
    used = [(cells[on], weight) for on, weight in weights.items()]
    random = any(rung.seeds is not None for rung, _ in used)
    first = used[0][0].runs[0]
    drawn: Sequence[int | None] = seeds if random and seeds else [None]
    runs = []
    for seed in drawn:
        parts = [(_values(rung, seed), weight) for rung, weight in used]
        runs.append({i: sum(weight * part[i] for part, weight in parts) for i in first.groups})
    nothing = Side("nothing", [dict.fromkeys(first.groups, 0.0)], random=False)
    metric = str(first.manifest["primary"])
    return compare(Side("sum", runs, random), nothing, metric, first.groups).delta


def _values(rung: RungResult, seed: int | None) -> Mapping[str, float]:
    """The primary metric of each question: of one seed, or (None) the mean of all."""
    same = {seed, None}  # what is not random has no seed
    chosen = [run for run in rung.runs if seed is None or run.manifest["seed"] in same]
    if len(chosen) == 1:
        return chosen[0].values
    return {i: fmean(run.values[i] for run in chosen) for i in chosen[0].values}


def _value(on: On, rung: RungResult, seeds: Sequence[int], estimate: Estimate) -> Interval:
    """As the ladder has it, if all of its seeds are those that the cells have in common."""
    if rung.seeds is None or rung.seeds == len(seeds) or not seeds:
        return rung.primary
    return estimate({on: 1.0})


def _common_seeds(rungs: Sequence[RungResult]) -> list[int]:
    drawn = [{run.manifest["seed"] for run in rung.runs} for rung in rungs if rung.seeds]
    return sorted(set.intersection(*drawn)) if drawn else []


def _ordered(on: On) -> list[str]:
    return [factor for factor in FACTORS if factor in on]


def _name(rung: RungResult) -> str:
    return str(rung.manifest["rung"])
