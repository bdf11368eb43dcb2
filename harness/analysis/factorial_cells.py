"""Which rung stands in which cell of a factorial design, told by its slots and its decoding."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, combinations, product
from typing import Any

from harness.analysis.rungs import RungResult
from harness.record.manifest import answered_with

__all__ = ["FACTORS", "Design", "design", "settings", "subsets"]

CONSTRAINT, SHOTS, TUNING = "constraint", "shots", "tuning"
SLOTS = (SHOTS, "retrieval", TUNING)
FACTORS = (CONSTRAINT, *SLOTS)
"""From the cheapest to the dearest."""
OTHERS = ("transform", "baseline", "search", "dialogue")
"""Slots of controls, and what is no factor: a rung that fills one is no cell."""
SAID = ("instructions", "role")
"""What every rung says, tuned and untuned ones each in their way."""
READ = ("train", "dev", "corpus")
"""Parts of a task that rungs read; rungs that read different ones are of different designs."""
IN_TRAINING = "in_training"
"""A setting of shots that matters where a rung is tuned."""

On = frozenset[str]


@dataclass(frozen=True)
class Design:
    """The rungs of a ladder as cells."""

    cells: Mapping[On, RungResult]
    """By what is on."""
    varied: Sequence[str]
    """Factors that are on in one cell and off in another, in the order of `FACTORS`."""
    constant: On
    """Factors that are on in every cell."""
    factors: Sequence[str]
    """The most of the varied factors that are crossed completely; none if not even two are."""
    always: On
    """What is on in every cell of that design."""

    @property
    def grid(self) -> list[On]:
        """The cells of the complete design, the base first and everything last."""
        if not self.factors:
            return []
        return [self.always | rest for rest in subsets(self.factors)]

    @property
    def top(self) -> list[On]:
        """Of the cells that were run: that with everything on, and those that lack one factor."""
        everything = self.constant | {*self.varied}
        all_but_one = [everything - {factor} for factor in self.varied]
        return [on for on in (everything, *all_but_one) if on in self.cells]

    @property
    def missing(self) -> list[On]:
        """What would have to be run for all combinations of the varied factors."""
        every = (self.constant | rest for rest in subsets(self.varied))
        return [on for on in every if on not in self.cells]

    @property
    def unequal(self) -> dict[str, dict[str, dict[str, object]]]:
        """Slots that are not set the same wherever they are filled: slot → rung → setting → value,
        of the settings that differ alone."""
        found = {}
        for slot in SLOTS:
            filled = {
                rung.manifest["rung"]: _flat(_slot(settings(rung), slot))
                for on, rung in self.cells.items()
                if slot in on
            }
            names = dict.fromkeys(name for each in filled.values() for name in each)
            odd = [
                name
                for name in names
                if len({repr(each.get(name)) for each in filled.values()}) > 1
            ]
            if odd:
                found[slot] = {
                    rung: {name: each.get(name) for name in odd} for rung, each in filled.items()
                }
        return found

    @property
    def instructions(self) -> dict[str, list[str]]:
        """Which instructions the untuned and the tuned cells say."""
        said: dict[str, list[str]] = {}
        for on, rung in self.cells.items():
            which = said.setdefault("tuned" if TUNING in on else "untuned", [])
            name = str(settings(rung).get("instructions"))
            if name not in which:
                which.append(name)
        return said

    @property
    def shots_in_training(self) -> bool | None:
        """Whether tuned cells that show examples trained with them; None if there is none."""
        shown = [rung for on, rung in self.cells.items() if on >= {SHOTS, TUNING}]
        told = [settings(rung)[SHOTS] for rung in shown]
        if not told:
            return None
        return all(not isinstance(one, dict) or one.get(IN_TRAINING, True) for one in told)


def design(rungs: Sequence[RungResult]) -> Design | None:
    """The rungs of one model that learned from the same, as cells: of several such families the
    one with the most cells. None if no factor is varied."""
    cells = max(map(_cells, _families(rungs)), key=len, default={})
    varied = [f for f in FACTORS if len({f in on for on in cells}) == 2]
    if not varied:
        return None
    constant = frozenset.intersection(*cells)
    factors, always = _crossed(cells, varied, constant)
    return Design(cells, varied, constant, factors, always)


def settings(rung: RungResult) -> Mapping[str, Any]:
    """The slots of a rung as it answered eval."""
    return answered_with(rung.manifest)


def _families(rungs: Sequence[RungResult]) -> list[list[RungResult]]:
    """Rungs that may stand in one design: of one model, and of the same content of what they
    read."""
    models = dict.fromkeys(rung.manifest["model"] for rung in rungs)
    families = []
    for model in models:
        own = [
            rung
            for rung in rungs
            if rung.manifest["model"] == model and not any(map(settings(rung).get, OTHERS))
        ]
        for alike in product(*(_contents(own, part) for part in READ)):
            family = [
                rung
                for rung in own
                if all(
                    _read(rung, part) in (None, content)
                    for part, content in zip(READ, alike, strict=True)
                )
            ]
            families.append(family)
    return families


def _contents(rungs: Sequence[RungResult], part: str) -> Sequence[str | None]:
    """The different contents of a part of the task; None alone if no rung read it."""
    return list(dict.fromkeys(c for rung in rungs if (c := _read(rung, part)))) or [None]


def _read(rung: RungResult, part: str) -> str | None:
    """The fingerprint of a part of the task that a rung read."""
    content: str | None = rung.manifest["identity"]["task"].get(part)
    return content


def _cells(family: Sequence[RungResult]) -> dict[On, RungResult]:
    """The rung of each cell: of several the one whose settings most of the others share, of equal
    ones the first; one that was trained without its passages only where there is no other."""
    rivals: dict[On, list[RungResult]] = {}
    for rung in family:
        rivals.setdefault(_on(rung), []).append(rung)
    return {
        on: max(some, key=lambda r: (not _bolted(r), _agreement(r, family)))
        for on, some in rivals.items()
    }


def _on(rung: RungResult) -> On:
    filled = {slot for slot in SLOTS if settings(rung).get(slot)}
    held = {CONSTRAINT} if rung.manifest["decoding"] == "constrained" else set()
    return frozenset(filled | held)


def _bolted(rung: RungResult) -> bool:
    """Whether it was tuned without the passages that it shows."""
    told = settings(rung).get("retrieval")
    return isinstance(told, dict) and told.get(IN_TRAINING) is False


def _agreement(rung: RungResult, family: Sequence[RungResult]) -> int:
    """How often a slot of the other rungs, tuned like this one or not, is set as this one's."""
    ours = settings(rung)
    others = [settings(other) for other in family]
    return sum(
        _slot(ours, name) == _slot(theirs, name)
        for theirs in others
        if bool(theirs.get(TUNING)) == bool(ours.get(TUNING))
        for name in (*SLOTS, *SAID)
        if ours.get(name) and theirs.get(name)
    )


def _slot(told: Mapping[str, Any], name: str) -> Any:
    """How a slot is set, without what tells of training."""
    value = told.get(name)
    if isinstance(value, dict):
        return {key: each for key, each in value.items() if key != IN_TRAINING}
    return value


def _crossed(
    cells: Collection[On], varied: Sequence[str], constant: On
) -> tuple[Sequence[str], On]:
    """The most factors of which all combinations were run, and what is on in all of those cells.

    Of equally many those with tuning among them, then those with more of the others on, then those
    under the constraint.
    """
    for count in range(len(varied), 1, -1):
        complete = [
            (factors, constant | held)
            for factors in combinations(varied, count)
            for held in subsets([f for f in varied if f not in factors])
            if all(constant | held | rest in cells for rest in subsets(factors))
        ]
        if complete:
            return max(complete, key=_worth)
    return (), constant


def _worth(found: tuple[Sequence[str], On]) -> tuple[bool, int, bool]:
    factors, always = found
    return TUNING in factors, len(always), CONSTRAINT in always


def subsets(factors: Sequence[str]) -> list[On]:
    """The smallest first."""
    sizes = range(len(factors) + 1)
    found = chain.from_iterable(combinations(factors, size) for size in sizes)
    return [frozenset(one) for one in found]


def _flat(value: Any, above: str = "") -> dict[str, object]:
    """The settings of a slot by their dotted names."""
    if not isinstance(value, dict):
        return {above or "value": value}
    found: dict[str, object] = {}
    for key, each in value.items():
        found |= _flat(each, f"{above}.{key}" if above else key)
    return found
