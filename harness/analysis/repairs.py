"""The errors of a run as shares, by what repairs them.

With r = 1 where a change repairs an error, p = 1 where its placebo does and d = r - p, the share
that change k alone repairs is the mean of d_k times all other (1 - d_j), the share that nothing
repairs the mean of the product of all (1 - d), and so on for every set of changes. Of one change
this is the difference of two shares; over all sets it adds up to 1. It is unbiased as long as
chance repairs by one change do not depend on those by another.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

from harness.analysis.rungs import RungResult
from harness.analysis.single_changes import KINDS, Change
from harness.evidence.statistics import ROUNDING, Interval, Values, mean_over_seeds

__all__ = ["FIELD", "NONE", "SEVERAL", "Errors", "Repair", "Share", "Split", "errors_of"]

SEVERAL, NONE = "several", "none"
FIELD = "field/"
"""Before the name of a field, the score of that field."""

PART = {"shots": "examples", "tuning": "tuning"}
"""What part of its kind a slot is."""

Known = npt.NDArray[np.bool_]
Place = tuple[str, str]
"""A kind, and a part of it or nothing."""
_Parts = dict[str, dict[str, Values]]
"""[seeds, errors] of each part of each kind."""
Sources = Mapping[str, set[str]]
"""By the id of a question, the ids of the passages that hold its answer; none for others."""


@dataclass(frozen=True)
class Repair:
    """A share of the errors; over seeds the mean."""

    gross: float
    """Repaired, by chance or not."""
    chance: float
    """What placebos account for: gross - net; 0 where none was run."""
    net: Interval


@dataclass(frozen=True)
class Share:
    """The errors that one kind of change repairs, or one part of them."""

    kind: str
    """One of KINDS, `several` or `none`."""
    part: str
    """Of knowledge `missed`, `unread` or `found`; of behaviour `examples` or `tuning`; of several
    its kinds; nothing for the whole kind."""
    alone: Repair
    """Repaired by this kind and no other: the kinds, several and none add up to 1."""
    reach: Repair | None
    """Repaired by this kind, whatever else repairs it; None for several and none, and in slices."""


@dataclass(frozen=True)
class Split:
    """A set of errors, by what repairs them."""

    unit: str
    """`fields` of JSON answers, or `questions`."""
    scope: str
    """`field=name` or `tag=value`; nothing for all."""
    n: int
    """Fields, or questions, right or wrong."""
    errors: int
    groups: int
    """Independent groups of questions among those with errors."""
    shares: Sequence[Share]
    not_shown: float | None
    """Share of the errors on questions of which not all right passages were shown; None where that
    is not known."""

    def share(self, kind: str, part: str = "") -> Share | None:
        """None if that was not measured."""
        return next((s for s in self.shares if (s.kind, s.part) == (kind, part)), None)


@dataclass(frozen=True)
class _Piece:
    """What one change repairs, or a part of that; [seeds, errors] each."""

    part: str
    gross: Values
    net: Values
    """Minus what the placebo repairs."""


@dataclass(frozen=True, eq=False)
class Errors:
    """The wrong answers of a run's first seed, or wrong fields of them, and what repairs each."""

    unit: str
    """`fields` or `questions`."""
    asked: Sequence[tuple[str, str]]
    """Question and score of all, right or wrong."""
    wrong: Sequence[tuple[str, str]]
    """Those that are wrong."""
    groups: Sequence[str]
    """Group of the question of each error."""
    repaired: Mapping[str, tuple[Known, Known]]
    """By slot, which errors the change of it repairs and which its placebo, in the first seed."""
    pieces: Mapping[str, Sequence[_Piece]]
    """By kind, those that were run."""
    shown: Known | None
    """Whether each error's question was shown all right passages; None if it is not known."""

    def split(
        self,
        scope: str = "",
        *,
        score: str | None = None,
        questions: Collection[str] | None = None,
    ) -> Split:
        """The errors of one score, of some questions, or all; there must be one."""

        def within(one: tuple[str, str]) -> bool:
            asked = questions is None or one[0] in questions
            return asked and (score is None or one[1] == score)

        here = np.array([within(one) for one in self.wrong])
        groups = [group for group, inside in zip(self.groups, here, strict=True) if inside]
        gross = _alone(self._cut("gross", here))
        net = _alone(self._cut("net", here))
        reach: dict[tuple[str, str], Repair] = {}
        if not scope:
            ours, theirs = (_reach(self._cut(which, here)) for which in ("gross", "net"))
            reach = {place: _repair(ours[place], theirs[place], groups) for place in ours}
        return Split(
            self.unit,
            scope,
            n=sum(map(within, self.asked)),
            errors=len(groups),
            groups=len(set(groups)),
            shares=[
                Share(*place, _repair(gross[place], net[place], groups), reach.get(place))
                for place in gross
            ],
            not_shown=None if self.shown is None else float((~self.shown[here]).mean()),
        )

    def slices(self, tagged: Mapping[str, Sequence[str]]) -> Iterator[Split]:
        """The errors of each field, and of the questions of each tag, where there are some."""
        if self.unit == "fields":
            for score in dict.fromkeys(score for _, score in self.wrong):
                yield self.split(f"field={score.removeprefix(FIELD)}", score=score)
        failed = {question for question, _ in self.wrong}
        for tag, questions in tagged.items():
            if not failed.isdisjoint(questions):
                yield self.split(tag, questions=frozenset(questions))

    def part(self, kind: str, place: int) -> str:
        """The part of a kind that repairs one error, in the first seed; nothing if none does."""
        pieces = self.pieces.get(kind, ())
        return next((piece.part for piece in pieces if piece.gross[0][place]), "")

    def _cut(self, which: str, here: Known) -> _Parts:
        return {
            kind: {piece.part: getattr(piece, which)[:, here] for piece in pieces}
            for kind, pieces in self.pieces.items()
        }


def errors_of(
    run: RungResult, found: Sequence[Change], scores: Sequence[str], threshold: float, gold: Sources
) -> Errors:
    """What is wrong in the first seed of a run, and which changes repair it in each of theirs.

    A field that stands neither in an answer nor in the target has no score, and is right.
    """
    items = [(str(i), score) for i in run.runs[0].scores.index for score in scores]
    values = _values(run, items, scores)[0]
    at = np.flatnonzero(values < threshold)
    wrong = [items[place] for place in at]

    def right(one: RungResult) -> Known:
        """[seeds, errors]."""
        return ~(_values(one, items, scores)[:, at] < threshold)

    named = np.array([bool(gold.get(question)) for question, _ in wrong])
    seeds = np.arange(max((len(change.run.runs) for change in found), default=1))
    repaired: dict[str, tuple[Known, Known]] = {}
    pieces: dict[str, list[_Piece]] = {}
    for kind in KINDS:
        # Of two changes of a kind the second has what the first leaves.
        left_gross, left_net = np.ones((2, len(seeds), len(at)))
        for change in (c for c in found if c.kind == kind):
            # What the changed run has right already was repaired by the constraint.
            possible = ~right(change.base)[0] & (named if change.oracle and gold else True)
            real = right(change.run) & possible
            chance = right(change.placebo) & possible if change.placebo else np.zeros_like(real)
            repaired[change.slot] = real[0], chance[0]
            gross = real[seeds % len(real)].astype(float)
            net = gross - chance[seeds % len(chance)]
            for part, of_part in _parts(change, wrong, gold, right).items():
                piece = _Piece(part, gross * left_gross * of_part, net * left_net * of_part)
                pieces.setdefault(kind, []).append(piece)
            left_gross, left_net = left_gross * (1 - gross), left_net * (1 - net)
    return Errors(
        unit="fields" if scores[0].startswith(FIELD) else "questions",
        asked=[one for one, value in zip(items, values, strict=True) if not np.isnan(value)],
        wrong=wrong,
        groups=[run.runs[0].groups[question] for question, _ in wrong],
        repaired=repaired,
        pieces=pieces,
        shown=_shown(run, wrong, gold),
    )


def _values(run: RungResult, items: Sequence[tuple[str, str]], scores: Sequence[str]) -> Values:
    """[seeds, items]; NaN where there is no score."""
    ids = list(dict.fromkeys(question for question, _ in items))
    tables = [one.scores.reindex(index=ids, columns=list(scores)) for one in run.runs]
    return np.array([table.to_numpy(dtype=float).ravel() for table in tables])


def _parts(
    change: Change,
    wrong: Sequence[tuple[str, str]],
    gold: Sources,
    right: Callable[[RungResult], Known],
) -> dict[str, Known]:
    """Which errors belong to which part of what a change repairs."""
    everything = np.ones(len(wrong), bool)
    if change.searched is None:
        return {PART.get(change.slot, ""): everything}
    shown = _shown(change.searched, wrong, gold)
    if not change.oracle:
        return {"found": everything}
    if shown is None:
        return {"": everything}
    if change.searched is change.base:
        return {"missed": ~shown, "unread": shown}
    found = right(change.searched)[0]
    return {"found": found, "missed": ~found & ~shown, "unread": ~found & shown}


def _shown(run: RungResult, wrong: Sequence[tuple[str, str]], gold: Sources) -> Known | None:
    """Whether the question of each error was shown all passages that hold its answer; None where
    nothing was shown or the passages are not named."""
    shown = {p.id: set(p.passages) for p in run.runs[0].predictions}
    if not gold or not any(shown.values()):
        return None
    return np.array([gold.get(question, set()) <= shown[question] for question, _ in wrong])


def _alone(repaired: _Parts) -> dict[Place, Values]:
    """What each kind alone repairs, what several do, and what none does: they add up to 1."""
    totals = {kind: _sum(parts.values()) for kind, parts in repaired.items()}
    found: dict[Place, Values] = {}
    for kind, parts in repaired.items():
        rest = _product(1 - total for other, total in totals.items() if other != kind)
        found[kind, ""] = totals[kind] * rest
        found |= {(kind, part): values * rest for part, values in parts.items() if part}
    if len(totals) > 1:
        together = {
            " + ".join(some): _product(t if kind in some else 1 - t for kind, t in totals.items())
            for size in range(2, len(totals) + 1)
            for some in combinations(totals, size)
        }
        found[SEVERAL, ""] = _sum(together.values())
        found |= {(SEVERAL, kinds): values for kinds, values in together.items()}
    return found | {(NONE, ""): _product(1 - total for total in totals.values())}


def _reach(repaired: _Parts) -> dict[Place, Values]:
    """What each kind repairs, whatever else repairs it."""
    found: dict[Place, Values] = {}
    for kind, parts in repaired.items():
        found[kind, ""] = _sum(parts.values())
        found |= {(kind, part): values for part, values in parts.items() if part}
    return found


def _sum(arrays: Iterable[Values]) -> Values:
    return np.asarray(np.sum(list(arrays), axis=0))


def _product(arrays: Iterable[Values]) -> Values:
    """Of no arrays 1."""
    return np.asarray(np.prod(list(arrays), axis=0))


def _repair(gross: Values, net: Values, groups: Sequence[str]) -> Repair:
    """Means over seeds and errors; [seeds, errors] each."""
    rows = net if (net != net[0]).any() else net[:1]
    share = mean_over_seeds(rows.tolist(), groups)
    chance = float(gross.mean()) - share.value
    return Repair(float(gross.mean()), chance if abs(chance) > ROUNDING else 0.0, share)
