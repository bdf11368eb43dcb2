"""What each slot adds, in sentences and tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.analysis.ablation import Ablation, Removed
from harness.analysis.factorial_cells import FACTORS
from harness.analysis.findings import Findings
from harness.evidence.statistics import Interval
from harness.report.formatting import FOOTNOTE, Table, percent, with_interval

__all__ = ["ablation_tables", "called", "sentences", "signed"]

NAMES = {
    "constraint": "constraint",
    "shots": "worked examples",
    "retrieval": "passages",
    "tuning": "tuning",
}
"""Factors as a reader knows them."""
PLURAL = ("shots", "retrieval")
OWN = "(95% interval, each on its own)"


def called(on: Sequence[str], nothing: str = "bare prompt") -> str:
    """What is on, in words."""
    return " + ".join(NAMES[factor] for factor in on) or nothing


def sentences(found: Ablation) -> list[str]:
    """What matters most: what tuning adds to everything cheaper, and what each other slot does."""
    by_factor = {one.factor: one for one in found.removed}
    tuned = [_removed(one, found) for one in (by_factor.get("tuning"),) if one]
    return [*tuned, *(_removed(one, found) for one in found.removed if one.factor != "tuning")]


def ablation_tables(found: Findings) -> list[Table]:
    """The design, what each slot adds in it, and how slots depend on each other."""
    if found.ablation is None:
        return []
    return [
        _effects(found.ablation, found.primary, found.manifest["task"]),
        *_interactions(found.ablation, found.primary),
        *_cells(found.ablation, found.primary),
    ]


def _removed(one: Removed, found: Ablation) -> str:
    """What is lost without one slot, or what it adds where everything else is on."""
    others = [factor for factor in FACTORS if factor in found.varied and factor != one.factor]
    what = f"{NAMES[one.factor]} on top of {called(others)}"
    points = f"{with_interval(one.difference)} points"
    if _undecided(one.difference):
        return f"No detectable effect of {what}: {points}."
    several = "" if one.factor in PLURAL else "s"
    verb = "add" if one.difference.value > 0 else "cost"
    return f"{what[0].upper()}{what[1:]} {verb}{several}: {points}."


def _undecided(difference: Interval) -> bool:
    """Whether zero is among the values that the interval admits."""
    if difference.low is None or difference.high is None:
        return True
    return difference.low <= 0 <= difference.high


def _effects(found: Ablation, primary: str, task: str) -> Table:
    headings = ["slot", "alone", "on average", "share of the gain", "on top of the rest"]
    lines = [
        [NAMES[one.factor], *map(with_interval, (one.alone, one.average, one.share, one.last))]
        for one in found.effects
    ]
    if found.gain:
        lines.append(["all together", "", "", with_interval(found.gain), ""])
    else:
        headings = [headings[0], headings[-1]]
        lines = [[NAMES[one.factor], with_interval(one.difference)] for one in found.removed]
    notes = [*sentences(found), *_reading(found, task), *_conditions(found)]
    return Table(f"what each slot adds: points of {primary} {OWN}", headings, lines, notes=notes)


def _reading(found: Ablation, task: str) -> Iterator[str]:
    """How to read the table."""
    if found.effects:
        base = called(found.always)
        yield (
            f"alone: added to the {base}; on average: the main effect over all settings of the "
            "others; share of the gain: averaged over all orders of adding the slots (Shapley), "
            f"so that shares sum to the gain of everything over the {base}; on top of the rest: "
            "what everything loses when this slot alone is taken away. Exploratory: nothing here "
            "was declared or is corrected."
        )
    if found.missing:
        cells = "; ".join(called(on) for on in found.missing)
        crossed = f"; the table is about {_listed(found.factors)}" if found.factors else ""
        yield (
            f"Not all combinations were run{crossed}. Missing: {cells}. To run them: "
            f"python -m harness +task={task} +experiment=ablation"
        )


def _conditions(found: Ablation) -> Iterator[str]:
    """What differs between cells beside what is varied."""
    said = {kind: ", ".join(names) for kind, names in found.instructions.items()}
    if len(set(said.values())) > 1:
        yield (
            f"Untuned cells say the {said['untuned']} instructions, tuned ones the "
            f"{said['tuned']} ones: that change is part of what tuning adds."
        )
    if found.shots_in_training is False:
        yield "Tuned cells were trained without worked examples, and are shown them to answer."
    for slot, rungs in found.unequal.items():
        each = ", ".join(
            f"{rung} {' '.join(f'{k}={v}' for k, v in settings.items())}"
            for rung, settings in rungs.items()
        )
        yield f"Not the same {NAMES[slot]} in all cells: {each}."
    if found.one_seed:
        yield FOOTNOTE


def _interactions(found: Ablation, primary: str) -> list[Table]:
    lines = [
        [
            f"{NAMES[one.factors[0]]} × {NAMES[one.factors[1]]}",
            with_interval(one.difference),
            _together(one.difference),
        ]
        for one in found.interactions
    ]
    note = "How much more the one adds where the other is on than where that is off."
    table = Table(
        f"how slots depend on each other: points of {primary} {OWN}",
        ["slots", "interaction", "reads"],
        lines,
        prose=["reads"],
        notes=[note],
    )
    return [table] * bool(lines)


def _together(difference: Interval) -> str:
    if _undecided(difference):
        return "nothing detectable"
    return f"add {'more' if difference.value > 0 else 'less'} together than apart"


def _cells(found: Ablation, primary: str) -> list[Table]:
    lines = [
        [cell.rung, *("✓" if f in cell.on else "" for f in FACTORS), with_interval(cell.value)]
        for cell in found.cells
    ]
    headings = ["rung", *(NAMES[factor] for factor in FACTORS), f"{primary}, %"]
    return [Table("cells of the design (95% interval)", headings, lines)] * bool(lines)


def _listed(factors: Sequence[str]) -> str:
    """Two or more names: a, b and c."""
    names = [NAMES[factor] for factor in factors]
    return f"{', '.join(names[:-1])} and {names[-1]}"


def signed(value: float) -> str:
    """A difference in points, with its sign."""
    return f"{'+' if value >= 0 else ''}{percent(value)}"
