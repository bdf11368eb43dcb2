"""What to do, from all that a ladder shows: the rule of decision.py applied to findings, and the
kind of problem, in three sentences whose every number stands in findings.json."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from harness.analysis.advice_words import Subject, problem, what_to_do
from harness.analysis.decision import (
    MARGIN,
    Candidate,
    Case,
    Decision,
    Flaw,
    Outcome,
    decide,
)
from harness.analysis.diagnosis import Diagnosis
from harness.analysis.next_words import next_step
from harness.analysis.problem_kind import ProblemKind, Repaired, problem_kind
from harness.analysis.rungs import RungResult
from harness.analysis.sentences import Sentence, pointer
from harness.evidence.sanity import Badge
from harness.record.manifest import MODEL_FREE

if TYPE_CHECKING:
    from harness.analysis.findings import Findings
    from harness.analysis.rung_costs import RungCosts

__all__ = ["Recommendation", "recommend", "repaired_of"]

MISSED = "knowledge/missed"
"""Errors on questions whose passages the search did not find."""
INVALID = ("adapter effect", "zero-step", "template", "above controls")
"""Badges without which a rung is not what it should be. The others say that its score may be too
low."""


@dataclass(frozen=True)
class Recommendation:
    """What is advised and what it rests on."""

    decision: Decision
    kind: ProblemKind
    sentences: tuple[Sentence, ...]
    """Three: what to do; what kind of problem it is; what comes next."""
    case: Case
    """What the rule looked at."""
    declared: tuple[int, int]
    """Declared contrasts that are better or worse after Holm's correction, and all of them."""
    margin_declared: bool
    """Whether the margin was declared, or is the rule's own."""
    by: str
    """What makes a candidate cheap: `tokens` of a question, untuned rungs before tuned ones; or
    `money` for all requests."""
    updates: float | None
    """Times that facts change meanwhile, in that money; None if none are expected, or what one
    costs was not measured."""

    @property
    def outcome(self) -> Outcome:
        return self.decision.outcome

    @property
    def rung(self) -> str | None:
        """Key of what is advised; None if nothing is."""
        return self.decision.advised.key if self.decision.advised else None

    @property
    def leaks(self) -> int:
        """Leaks into eval that were allowed: the most that one rung read."""
        return max(c.leaks for c in self.case.candidates)


def recommend(
    found: Findings,
    repaired: Mapping[str, Repaired] | None = None,
    gates: Mapping[str, Sequence[Flaw]] | None = None,
) -> Recommendation | None:
    """Advise on a ladder; None with fewer than two candidates whose single questions have values.

    `repaired` has the shares of errors that a diagnosis found, by kind or by part of one
    (`knowledge/missed`); `gates` what each rung does not pass beside its badges, by key.
    """
    if repaired is None:
        repaired = repaired_of(found.diagnosis)
    by = "money" if _priced(found) else "tokens"
    candidates = [
        *_controls(found),
        *(_rung(place, found, by, (gates or {}).get(found.rungs[place].key, ()))
          for place in _places(found.rungs)),
    ]  # fmt: skip
    if len(candidates) < 2:
        return None
    declared = found.plan.declared
    prices = found.costs.prices
    case = Case(
        candidates=candidates,
        groups=found.runs[0].groups,
        margin=declared.margin if declared and declared.margin is not None else MARGIN,
        not_shown=[
            frozenset((c.rung, c.baseline))
            for c in found.contrasts
            if c.verdict not in ("better", "worse")
        ],
        requests=prices.requests if prices else None,
        wrong_answer=prices.wrong_answer if prices else None,
    )
    decision = decide(case)
    kind = problem_kind(
        found.rungs,
        str(found.manifest["task"]),
        case.margin,
        nothing=decision.outcome == "nothing",
        repaired=repaired,
    )
    subject = Subject(found, decision, kind, case, (repaired or {}).get(MISSED))
    real = sum(c.verdict in ("better", "worse") for c in found.contrasts)
    return Recommendation(
        decision=decision,
        kind=kind,
        sentences=(what_to_do(subject), problem(subject), next_step(subject)),
        case=case,
        declared=(real, len(found.contrasts)),
        margin_declared=bool(declared and declared.margin is not None),
        by=by,
        updates=_updates(found),
    )


def repaired_of(diagnosis: Diagnosis | None) -> dict[str, Repaired]:
    """The shares of a diagnosis by kind, and by `kind/part`; nothing without one.

    Of the errors under the constraint, where it has those.
    """
    if diagnosis is None:
        return {}
    ours = diagnosis.reference
    name, split, rung = "whole", diagnosis.whole, ours.rung
    if diagnosis.usual:
        name, split, rung = "usual", diagnosis.usual, ours.usual
    found = {}
    for place, share in enumerate(split.shares):
        at = pointer("diagnosis", name, "shares", place, "alone", "net", "value")
        kind = f"{share.kind}/{share.part}" if share.part else share.kind
        found[kind] = Repaired(share.kind, share.alone.net, rung.key, at)
    return found


def _priced(found: Findings) -> bool:
    """Whether every rung's money is known for the requests that are expected."""
    prices = found.costs.prices
    ours = {rung.key for rung in found.rungs if not rung.elsewhere}
    known = all(_total(one, found) is not None for one in found.costs.rungs if one.rung in ours)
    return prices is not None and prices.requests is not None and known


def _total(costs: RungCosts, found: Findings) -> float | None:
    """Money for all requests, training and what else is paid once in it, and updates where they
    were measured."""
    money, prices = costs.money, found.costs.prices
    if money is None or money.request is None or money.machine is None:
        return None
    if prices is None or prices.requests is None:
        return None
    total = money.machine + (money.labels or 0.0) + prices.requests * money.request
    update, times = found.knowledge_update, _updates(found)
    if update is None or times is None:
        return total
    once = next((one.cost.money for one in update.rungs if one.rung == costs.rung), None)
    return None if once is None else total + times * once


def _updates(found: Findings) -> float | None:
    """How many updates the rule counts; None unless some are expected and one was measured."""
    prices = found.costs.prices
    return (prices.updates or None) if prices and found.knowledge_update else None


def _places(rungs: Sequence[RungResult]) -> list[int]:
    """Places of the rungs to choose among: of those that differ by the size of train alone, as a
    learning curve has them, the one that had most; and none that was answered elsewhere, of which
    nobody knows what it takes."""
    most: dict[str, int] = {}
    for place, rung in enumerate(rungs):
        if rung.elsewhere or not rung.measured_by_question:
            continue
        m = rung.manifest
        own = json.dumps(
            [m["identity"]["rung"], m["identity"].get("trials"), m["model"], m["decoding"]],
            sort_keys=True,
        )
        known = most.get(own)
        if known is None or (m["labelled"] or 0) > (rungs[known].manifest["labelled"] or 0):
            most[own] = place
    return sorted(most.values())


def _rung(place: int, found: Findings, by: str, gates: Sequence[Flaw]) -> Candidate:
    rung = found.rungs[place]
    costs = next(one for one in found.costs.rungs if one.rung == rung.key)
    total = _total(costs, found)
    tokens = costs.answering.tokens or 0.0
    order = (2.0, total or 0.0) if by == "money" else (2.0 + rung.tuned, tokens)
    return Candidate(
        key=rung.key,
        at=pointer("rungs", place),
        side=rung.side,
        order=(*order, place),
        tuned=rung.tuned,
        leaks=max(_leaks(rung)),
        flaws=[*_badges(rung, found), *gates],
        total=total,
    )


def _controls(found: Findings) -> Iterator[Candidate]:
    seen: set[str] = set()
    for place, one in enumerate(found.controls):
        known = one.kind not in MODEL_FREE or one.kind in seen
        if known or not one.control.measured_by_question:
            continue
        seen.add(one.kind)
        yield Candidate(
            key=one.control.key,
            at=pointer("controls", place, "result"),
            side=one.control.side,
            order=(1.0, MODEL_FREE.index(one.kind)),
            control=one.kind,
            leaks=max(_leaks(one.control)),
            total=0.0,
        )


def _leaks(rung: RungResult) -> Iterator[int]:
    """Of each run, the leaks that were allowed."""
    for run in rung.runs:
        isolation = run.manifest["isolation"]
        yield len(isolation["leaks"]) if isolation["decision"] == "allowed" else 0


def _badges(rung: RungResult, found: Findings) -> Iterator[Flaw]:
    for i, badge in enumerate(found.checks.get(rung.key, ())):
        if not badge.passed:
            at = pointer("checks", rung.key, i, "text")
            yield Flaw(badge.name, badge.text, at, _meaning(badge))


def _meaning(badge: Badge) -> Literal["low", "invalid", "price"]:
    """What a failed badge says of a rung; one that blocks no verdict is the gate of a price."""
    if not badge.blocks:
        return "price"
    return "invalid" if badge.name in INVALID else "low"
