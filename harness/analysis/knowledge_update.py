"""When facts change: which rungs answer with the new ones, untrained anew, and which with the old.

What each run answered after the update stands beside it, as harness/probe/knowledge_update.py left
it; a fact is a part of an answer that can be right or wrong by itself: a field, a label, a text.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from harness.analysis.measured import measured
from harness.analysis.rung_costs import Costs
from harness.analysis.rungs import RungResult
from harness.analysis.update_costs import UpdateCost, UpdatePayoff, update_cost, update_payoffs
from harness.evidence.contrasts import Side, compare
from harness.evidence.statistics import Interval, mean_over_seeds

__all__ = ["KnowledgeUpdate", "Outcomes", "RungUpdate", "knowledge_update", "outcome"]

PROBE = "knowledge_update"
"""What measured it."""
RIGHT = 0.5
"""From this value on a graded answer counts as one with that fact."""

Record = Mapping[str, Any]
"""What the probe found of one run."""
Question = Mapping[str, Any]
"""One of its questions."""


@dataclass(frozen=True)
class Outcomes:
    """What became of changed facts: shares of them, every question counting once."""

    before: Interval
    """Right before the change, by the old facts."""
    follows: Interval
    """The new fact."""
    stays: Interval
    """The old fact."""
    neither: Interval
    """Something else: lost, or never known."""


@dataclass(frozen=True)
class RungUpdate:
    """One rung after the update, over its seeds."""

    rung: str
    """Its key."""
    asked_again: bool
    """Whether it read the new corpus; what reads none answers as before."""
    facts: Outcomes | None
    """All changed facts; None if none of the questions asked has one."""
    fields: Mapping[str, Outcomes]
    """Those of each measure that changed."""
    slices: Mapping[str, Outcomes]
    """All changed facts of the questions of each `tag=value`."""
    found: Interval | None
    """Share of the passages that hold the new facts which were among those retrieved."""
    score_before: Interval
    """All questions by what was right before."""
    score_after: Interval
    """All questions by what is right now."""
    kept: Interval | None
    """Of the questions whose facts did not change: the score after the update minus that before;
    None without such questions."""
    unchanged: Interval | None
    """Their score before."""
    cost: UpdateCost


@dataclass(frozen=True)
class KnowledgeUpdate:
    """What one update did to the rungs of a ladder."""

    update: str
    """SHA-256 of the new corpus and targets."""
    questions: int
    changed: int
    """Questions of which some fact changed."""
    measure: str
    """What scores are of."""
    rungs: Sequence[RungUpdate]
    payoffs: Sequence[UpdatePayoff]
    """The break-even of updates; none without prices."""
    leaks: int
    """Questions that stand in the new corpus, which was allowed."""
    ahead: int | None
    """Training examples that state a new fact already; None if train names no sources."""
    left_out: Sequence[str]
    """Rungs that were asked about another update."""


def outcome(new: float, old: float) -> str:
    """`follows`, `stays` or `neither`, by how right an answer is by the new fact and by the old.

    >>> outcome(1.0, 0.0), outcome(0.0, 1.0), outcome(0.0, 0.0)
    ('follows', 'stays', 'neither')
    """
    if new > old and new >= RIGHT:
        return "follows"
    return "stays" if old > new and old >= RIGHT else "neither"


def knowledge_update(ladder: Sequence[RungResult], costs: Costs) -> KnowledgeUpdate | None:
    """What the rungs of a ladder did when facts changed; None if none was asked."""
    told = {rung.key: [one.found for _, one in measured(rung, PROBE)] for rung in ladder}
    asked = Counter(record["update"] for records in told.values() for record in records)
    if not asked:
        return None
    update = asked.most_common(1)[0][0]
    ours = {key: [r for r in found if r["update"] == update] for key, found in told.items()}
    first = next(records[0] for records in ours.values() if records)
    rungs = [_rung(rung, ours[rung.key], costs) for rung in ladder if ours[rung.key]]
    return KnowledgeUpdate(
        update=update,
        questions=len(first["questions"]),
        changed=sum(bool(q["facts"]) for q in first["questions"]),
        measure=first["measure"],
        rungs=rungs,
        payoffs=update_payoffs([rung.cost for rung in rungs], costs),
        leaks=first["leaks"],
        ahead=first["ahead"],
        left_out=[rung.label for rung in ladder if told[rung.key] and not ours[rung.key]],
    )


def _rung(rung: RungResult, records: Sequence[Record], costs: Costs) -> RungUpdate:
    """Of one rung; `records` are those of its seeds."""
    fields = dict.fromkeys(f for r in records for q in r["questions"] for f in q["facts"])
    found = [[q for q in r["questions"] if q["facts"] and q["found"] is not None] for r in records]
    unchanged = [[q for q in r["questions"] if not q["facts"]] for r in records]
    whole = [r["questions"] for r in records]
    kept = None
    if unchanged[0]:
        random = rung.seeds is not None
        after = _side(rung.key, unchanged, "after", random)
        before = _side(rung.key, unchanged, "before", random)
        kept = compare(after, before, records[0]["measure"], _groups(unchanged[0])).delta
    return RungUpdate(
        rung=rung.key,
        asked_again=records[0]["asked_again"],
        facts=_outcomes(records, list(fields)),
        fields={f: outcomes for f in fields if (outcomes := _outcomes(records, [f]))},
        slices={
            tag: outcomes
            for tag, ids in sorted(rung.tagged.items())
            if (outcomes := _outcomes(records, list(fields), ids))
        },
        found=_mean(found, lambda q: q["found"]) if found[0] else None,
        score_before=_mean(whole, lambda q: q["before"]),
        score_after=_mean(whole, lambda q: q["after"]),
        kept=kept,
        unchanged=_mean(unchanged, lambda q: q["before"]) if unchanged[0] else None,
        cost=update_cost(rung, records, costs),
    )


def _outcomes(
    records: Sequence[Record], fields: Sequence[str], ids: Collection[str] | None = None
) -> Outcomes | None:
    """Of the questions, or of those of `ids`, in which one of these facts changed."""
    seeds = [
        [
            q
            for q in record["questions"]
            if any(f in q["facts"] for f in fields) and (ids is None or q["id"] in ids)
        ]
        for record in records
    ]
    if not seeds[0]:
        return None

    def share(of: Callable[[Mapping[str, float]], float]) -> Interval:
        return _mean(seeds, lambda q: fmean(of(q["facts"][f]) for f in fields if f in q["facts"]))

    return Outcomes(
        before=share(lambda fact: fact["before"]),
        follows=share(lambda fact: float(outcome(fact["new"], fact["old"]) == "follows")),
        stays=share(lambda fact: float(outcome(fact["new"], fact["old"]) == "stays")),
        neither=share(lambda fact: float(outcome(fact["new"], fact["old"]) == "neither")),
    )


def _mean(seeds: Sequence[Sequence[Question]], of: Callable[[Question], float]) -> Interval:
    """Over the questions of all seeds, which are the same ones."""
    ordered = [sorted(questions, key=lambda q: str(q["id"])) for questions in seeds]
    groups = [str(q["group"]) for q in ordered[0]]
    return mean_over_seeds([[float(of(q)) for q in questions] for questions in ordered], groups)


def _side(name: str, seeds: Sequence[Sequence[Question]], when: str, random: bool) -> Side:
    runs = [{str(q["id"]): float(q[when]) for q in questions} for questions in seeds]
    return Side(f"{name} {when}", runs, random)


def _groups(questions: Sequence[Question]) -> dict[str, str]:
    return {str(q["id"]): str(q["group"]) for q in questions}
