"""The recommendation as it is read: three sentences, and what the rule was given."""

from __future__ import annotations

from harness.analysis.advice_words import highest
from harness.analysis.decision import Candidate
from harness.analysis.findings import Findings
from harness.analysis.recommendation import Recommendation
from harness.evidence.statistics import CONFIDENCE
from harness.report.formatting import Table, percent, short, with_interval

__all__ = ["advice", "rule", "rule_table"]


def advice(found: Findings) -> list[str]:
    """What to do, what kind of problem it is, what comes next; nothing without a recommendation."""
    return [one.text for one in found.recommendation.sentences] if found.recommendation else []


def rule(found: Findings) -> str:
    """What the rule was given, in a line; nothing without a recommendation."""
    told = found.recommendation
    if told is None:
        return ""
    decision, whose = told.decision, "declared" if told.margin_declared else "not declared"
    real, family = told.declared
    out = ", ".join(decision.ruled_out) or "none"
    return (
        f"Rule: margin {percent(told.case.margin)} points ({whose}), {CONFIDENCE:.0%} for "
        f"{len(decision.ranked) - 1} comparisons with the best together; good enough: "
        f"{', '.join(decision.good_enough) or 'none'}; ruled out: {out}"
        f"{f'; {real} of {family} declared differences real' if family else ''}{_volume(told)}."
    )


def _volume(told: Recommendation) -> str:
    """What money is counted for."""
    if told.by != "money":
        return ""
    updates = f" and {told.updates:,.0f} updates" if told.updates else ""
    return f"; money for {told.case.requests or 0:,.0f} requests{updates}"


def rule_table(found: Findings) -> list[Table]:
    """The rule's inputs: one line for each candidate, the cheapest first."""
    told = found.recommendation
    if told is None:
        return []
    best = told.decision.best
    prices = found.costs.prices
    headings = ["candidate", found.primary, f"{best.key} is ahead by", "good enough", "gates"]
    if told.by == "money" and prices:
        headings.insert(1, prices.currency)
    return [
        Table(
            "the rule's inputs: candidates, the cheapest first; points (95%, all comparisons with "
            "the best together)",
            headings,
            [_line(c, best, told, "money" in told.by) for c in told.decision.ranked],
            prose=["good enough", "gates"],
            notes=[rule(found)],
        )
    ]


def _line(c: Candidate, best: Candidate, told: Recommendation, money: bool) -> list[str]:
    decision = told.decision
    cost = [short(c.total or 0.0)] if money else []
    if c.key in decision.good_enough:
        standing = "yes: no other can be better by the margin"
    elif c.key in decision.ruled_out:
        better = [other for other in decision.ranked if other.key in decision.ruled_out[c.key]]
        named = [other.key for other in better]
        if len(better) > 2:
            named = [highest(better).key, f"{len(better) - 1} others"]
        standing = f"no: {' and '.join(named)} better by more"
    else:
        standing = "not known"
    return [
        c.key,
        *cost,
        percent(c.mean),
        _above(best, c, told),
        standing,
        "; ".join(flaw.text for flaw in c.flaws) or "passed",
    ]


def _above(best: Candidate, c: Candidate, told: Recommendation) -> str:
    """How far the best is above a candidate."""
    if c is best:
        return ""
    pair = told.decision.comparisons.pair(best.key, c.key)
    value, low, high = pair.above(best.key)
    return with_interval(type(pair.difference)(value, low, high, pair.difference.n, ""))
