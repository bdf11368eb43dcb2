"""The first two sentences of a recommendation: what to do, and what kind of problem it is."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.analysis.decision import Candidate, Case, Decision, Outcome
from harness.analysis.problem_kind import ProblemKind, Repaired
from harness.analysis.sentences import Between, Number, Sentence, pointer, said

if TYPE_CHECKING:
    from harness.analysis.findings import Findings

__all__ = ["RULE", "Subject", "highest", "problem", "what_to_do"]

OWN = "/recommendation"
RULE = f"{OWN}/rule"
BRINGS = {
    "knowledge": "passages bring",
    "format": "the constraint alone brings",
    "behaviour": "examples or tuning bring",
    "action": "tools bring",
}
REPAIR = {
    "knowledge": "the right passages repair",
    "format": "the constraint repairs",
    "behaviour": "examples or tuning repair",
    "action": "tools repair",
}
ENDS = (
    ".",
    ", paid back after {} requests.",
    ", paid back after {} requests and {} more for each update.",
)
"""Of the advice to tune, by how many numbers of its payback are known."""


@dataclass(frozen=True)
class Subject:
    """What the sentences speak of."""

    found: Findings
    decision: Decision
    kind: ProblemKind
    case: Case
    missed: Repaired | None
    """Errors on questions whose passages the search did not find; None if that is not known."""

    @property
    def metric(self) -> str:
        return self.found.primary

    @property
    def margin(self) -> Number:
        return Number(f"{RULE}/margin", self.case.margin)

    @property
    def leaks(self) -> Number:
        return Number(f"{OWN}/leaks", max(c.leaks for c in self.case.candidates), "count")

    @property
    def advised(self) -> Candidate:
        """Only where something is advised."""
        assert self.decision.advised is not None
        return self.decision.advised

    @property
    def best_rung(self) -> Candidate:
        """The rung that scored highest, controls aside."""
        return highest(c for c in self.decision.ranked if not c.control)

    def score(self, c: Candidate) -> Number:
        """As findings have it."""
        results = [*self.found.rungs, *(one.control for one in self.found.controls)]
        value = next(r for r in results if r.key == c.key).primary.value
        return Number(f"{c.at}{pointer('metrics', self.metric, 'value')}", value)

    def between(self, one: Candidate, other: Candidate) -> Between:
        """How far one candidate is above another."""
        pairs = list(self.decision.comparisons.pairs)
        pair = self.decision.comparisons.pair(one.key, other.key)
        at = f"{OWN}/comparisons/{pairs.index(pair)}/difference"
        return Between(at, pair.difference, turned=pair.rung != one.key)


def highest(some: Iterable[Candidate]) -> Candidate:
    """The candidate with the highest score, the first of equal ones."""
    return max(some, key=lambda c: c.mean)


def what_to_do(subject: Subject) -> Sentence:
    """The advice itself, or why there is none."""
    return WORDS[subject.decision.outcome](subject)


def _inflated(subject: Subject) -> Sentence:
    return said(
        "No advice: {} leaks into eval were allowed, so that scores are inflated.", subject.leaks
    )


def _nothing(subject: Subject) -> Sentence:
    return _no_rung(
        subject,
        "Nothing helps: {}, the best rung, is {} of {} above always the commonest answer; {} would "
        "not matter.",
    )


def _control(subject: Subject) -> Sentence:
    advised, best = subject.advised, subject.best_rung
    if advised.mean > best.mean:
        return said(
            "Use no language model, but {}: it is {} of {} above {}, the best rung.",
            advised.key, subject.between(advised, best), subject.metric, best.key,
        )  # fmt: skip
    return _no_rung(
        subject,
        f"Use no language model, but {advised.key}: "
        "{}, the best rung, is {} of {} above it; {} would not matter.",
    )


def _tune(subject: Subject) -> Sentence:
    return _above_cheaper(subject, "Tune: {} is")


def _no_rung(subject: Subject, template: str) -> Sentence:
    """The best rung against a control that is advised."""
    best = subject.best_rung
    difference = subject.between(best, subject.advised)
    return said(template, best.key, difference, subject.metric, subject.margin)


def _untuned(subject: Subject) -> Sentence:
    """A rung without training: against the best tuned one, unless none could be judged."""
    advised = subject.advised
    judged = [c for c in subject.decision.ranked if c.tuned and not (c.low or c.invalid)]
    if not judged:
        return _above_cheaper(subject, "Use {}: it is")
    tuned = highest(judged)
    if tuned.mean < advised.mean:
        return said(
            "Do not tune: {} needs no training and is {} of {} above {}, the best tuned rung.",
            advised.key, subject.between(advised, tuned), subject.metric, tuned.key,
        )  # fmt: skip
    return said(
        "Do not tune: {}, the best tuned rung, is {} of {} above {}, which needs no training; {} "
        "would not matter.",
        tuned.key, subject.between(tuned, advised), subject.metric, advised.key, subject.margin,
    )  # fmt: skip


def _above_cheaper(subject: Subject, beginning: str) -> Sentence:
    """A rung against the best of those that cost less."""
    advised, ranked = subject.advised, subject.decision.ranked
    cheaper = ranked[: list(ranked).index(advised)]
    if not cheaper:
        return said(
            f"{beginning} the cheapest, and no other rung is better by {{}} points of {{}}.",
            advised.key, subject.margin, subject.metric,
        )  # fmt: skip
    best = highest(cheaper)
    untuned = [c for c in ranked if not (c.tuned or c.control)]
    role = "the best of what costs less"
    if advised.tuned and untuned and best is highest(untuned):
        role = "the best untuned rung"
    payback = _payback(subject, best)
    end = ENDS[len(payback)]
    difference = subject.between(advised, best)
    return said(
        f"{beginning} {{}} of {{}} above {{}}, {role}{end}",
        advised.key, difference, subject.metric, best.key, *payback,
    )  # fmt: skip


def _payback(subject: Subject, untuned: Candidate) -> list[Number]:
    """Requests after which tuning has paid for itself, and those that each update adds where one
    was measured; nothing without prices or an end."""
    for place, payoff in enumerate(subject.found.costs.payoffs):
        reached = payoff.break_even
        ours = (payoff.tuned, payoff.untuned) == (subject.advised.key, untuned.key)
        if ours and reached and not reached.shrinking and 0 < reached.requests < math.inf:
            first = Number(pointer("break_even", place, "requests"), reached.requests, "count")
            return [first, *_each_update(subject, payoff.tuned, payoff.untuned)]
    return []


def _each_update(subject: Subject, tuned: str, untuned: str) -> list[Number]:
    """Requests that one update adds to those after which tuning has paid for itself."""
    update = subject.found.knowledge_update
    for place, payoff in enumerate(update.payoffs if update else ()):
        if (payoff.tuned, payoff.untuned) == (tuned, untuned) and 0 < payoff.answers < math.inf:
            at = pointer("knowledge_update", "payoffs", place, "answers")
            return [Number(at, payoff.answers, "count")]
    return []


def _blocked(subject: Subject) -> Sentence:
    first = subject.decision.open
    assert first is not None, "what is blocked has a candidate"
    flaw = next(flaw for flaw in first.flaws if flaw.what == "invalid")
    return said("Fix {} first: it {}.", first.key, Number(flaw.at, flaw.text, "quote"))


def _undecided(subject: Subject) -> Sentence:
    decision = subject.decision
    first, more = decision.open, decision.more
    assert first and more, "what is undecided lies between two"
    rival = next(c for c in decision.ranked if c.key == decision.rival)
    told_of: list[Number] = []
    wanted = []
    for name, what, count in (
        ("questions", "eval question", more.questions),
        ("seeds", "seed", more.seeds),
    ):
        if count:
            told_of.append(Number(f"{OWN}/more/{name}", count, "count"))
            wanted.append(f"{{}} more {what}{'' if count == 1 else 's'}")
    joined = " together with " if more.together else ", or "
    would = f"{joined.join(wanted)} would decide it" if wanted else "more of the same will not help"
    high, low = (rival, first) if rival.mean >= first.mean else (first, rival)
    return said(
        f"Undecided: {would}; {{}} is {{}} of {{}} above {{}}, and {{}} would not matter.",
        *told_of, high.key, subject.between(high, low), subject.metric, low.key, subject.margin,
    )  # fmt: skip


WORDS: dict[Outcome, Callable[[Subject], Sentence]] = {
    "inflated": _inflated,
    "blocked": _blocked,
    "undecided": _undecided,
    "nothing": _nothing,
    "control": _control,
    "tune": _tune,
    "use": _untuned,
}


def problem(subject: Subject) -> Sentence:
    """The kind of problem with its evidence, or what would give it."""
    kind = subject.kind
    if kind.shown:
        return _shown(subject)
    if kind.repaired:
        return said(
            f"What is left is mostly {kind.name}: {REPAIR[kind.name]} {{}}% of the errors of {{}}, "
            "net of chance.",
            _repaired(kind.repaired), kind.repaired.of,
        )  # fmt: skip
    measured = Number(f"{OWN}/kind/measured", len(kind.effects), "count")
    if kind.name == "none":
        return said(
            "It is no problem of knowledge, format, behaviour or action: none of {} single changes "
            "that were measured brings {} points.",
            measured, subject.margin,
        )  # fmt: skip
    commands = "; ".join(f"{one.kind}: `{one.command}`" for one in kind.missing)
    return said(
        "The kind of problem is not shown: {} single changes were measured, and none surely brings "
        "{} points{}.",
        measured, subject.margin, f". Not measured: {commands}" if commands else "",
    )  # fmt: skip


def _shown(subject: Subject) -> Sentence:
    """The single change that brings most."""
    kind, effect = subject.kind, subject.kind.shown
    assert effect is not None
    place = list(kind.effects).index(effect)
    over = f"{effect.rung} against {effect.baseline}"
    if effect.rung == effect.baseline:
        over = f"{effect.rung} with it and without, on dev"
    template = f"It is mostly a problem of {kind.name}: {BRINGS[kind.name]} {{}} of {{}} ({{}})"
    brought = Between(f"{OWN}/kind/effects/{place}/difference", effect.difference)
    if kind.repaired is None or kind.repaired.kind == kind.name:
        return said(f"{template}.", brought, subject.metric, over)
    return said(
        f"{template}; but of the errors of {{}} {REPAIR[kind.repaired.kind]} most, "
        "{}% net of chance.",
        brought, subject.metric, over, kind.repaired.of, _repaired(kind.repaired),
    )  # fmt: skip


def _repaired(share: Repaired) -> Number:
    return Number(share.at, share.share.value)
