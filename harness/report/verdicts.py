"""The declared contrasts in words."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from harness.analysis.declared_contrasts import Choice, Plan
from harness.analysis.findings import Findings
from harness.analysis.gates import prices
from harness.evidence.contrasts import Contrast
from harness.report.formatting import percent, with_interval

__all__ = ["Verdict", "chosen", "notes", "planned", "reading", "verdicts"]


@dataclass(frozen=True)
class Verdict:
    """A declared contrast in words."""

    contrast: Contrast
    text: str
    """One sentence: which is better, and by how much."""
    detail: str
    """What else must be known to read it; often nothing."""
    blocked: str
    """Why it is not to be acted on, or nothing; what an earlier verdict says of a rung is not
    said again."""

    @property
    def kind(self) -> str:
        """holds, open (nothing detectable was found) or blocked."""
        if self.blocked:
            return "blocked"
        return "open" if self.contrast.verdict == "no detectable difference" else "holds"


def verdicts(found: Findings) -> list[Verdict]:
    """One for each declared contrast; what the better rung breaks is part of the sentence."""
    made = []
    told: set[str] = set()
    for c in found.contrasts:
        text, detail = _sentences(c, found.labels)
        reasons = found.blocked(c)
        blocked = "; ".join(
            f"{rung}, as above" if rung in told else f"{rung} {reason}"
            for rung, reason in reasons.items()
        )
        told |= reasons.keys()
        made.append(Verdict(c, text + _price(c, found), detail, blocked))
    return made


def notes(found: Findings) -> list[str]:
    """How to read the verdicts."""
    return [*filter(None, [planned(found.plan), reading(found), chosen(found)])]


def planned(plan: Plan) -> str:
    """Which contrasts were declared before anything ran, and how the best untuned was chosen."""
    if plan.declared is None:
        return " ".join(
            filter(
                None, ["The runs declared different contrasts: none is tested.", plan.disagreement]
            )
        )
    said = [f"every rung against {name}" for name in plan.declared.against]
    said += [f"{rung} against {baseline}" for rung, baseline in plan.pairs]
    said += dict.fromkeys(map(_choice, plan.choices))
    added = "What was answered elsewhere is compared with every other rung." * bool(plan.elsewhere)
    if not said:
        return added
    when = "before the run"
    if plan.known:
        when = f"anew when {plan.known} configurations had been judged, so that it is exploratory"
    return " ".join(filter(None, [f"Declared {when}: {'; '.join(said)}.", added]))


def reading(found: Findings) -> str:
    """How to read the table of contrasts, and what it does not cover; nothing without contrasts."""
    if not found.contrasts:
        return ""
    tests = ", ".join(dict.fromkeys(c.test for c in found.contrasts if not c.identical))
    first = found.contrasts[0]
    levels = [f"5% / {n}" if n > 1 else "5%" for n in _families(found)]
    level = " and, for what was answered elsewhere, ".join(levels)
    unequal = first.effective_groups < first.groups - 0.05
    worth = f" (worth {first.effective_groups:.1f} of one size)" if unequal else ""
    return (
        f"{tests or 'no test'} over {first.groups} groups of questions{worth}; an interval leaves "
        "out 0 exactly if p (Holm) is below 5%; detectable: the smallest true difference found "
        f"with 80% power at {level}, Holm's first step. No detectable difference is not equality."
    )


def _families(found: Findings) -> list[int]:
    """How many contrasts each correction is for: of what was declared, and of what was answered
    elsewhere; one number where there is only one family."""
    added = [len({c.rung, c.baseline} & set(found.plan.elsewhere)) > 0 for c in found.contrasts]
    families = dict(zip(added, (c.family for c in found.contrasts), strict=True))
    return [families[kind] for kind in sorted(families)]


def chosen(found: Findings) -> str:
    """What the choice among all that was judged adds to the best score; often nothing."""
    if found.judged < 2 or not found.rungs:
        return ""
    said = f"This eval set has judged {found.judged} configurations"
    if found.optimism is None:
        return f"{said}."
    return (
        f"{said}; the best of {found.judged} equally good ones would look up to about "
        f"{percent(found.optimism)} points better than it is, by chance."
    )


def _price(c: Contrast, found: Findings) -> str:
    """What the rung that a verdict speaks for did to all but the task; nothing if that is within
    the limits."""
    decided = c.verdict in ("better", "worse")
    words = {"failed": "at the price of", "undecided": "at a price that is undecided,"}
    return "".join(
        f"{', ' if decided else f'; {found.labels[key]} '}{words[gate.outcome]} {gate.price}"
        for key, gate in prices(c, found.gates)
    )


def _choice(choice: Choice) -> str:
    """How the best untuned rung was found."""
    what = "every tuned rung against the best untuned one"
    if choice.best is None:
        missing = [key for key, value in choice.candidates.items() if value is None]
        unknown = ", ".join(missing) or "there is none"
        return f"{what}, which is not known (no answers on dev: {unknown})"
    known = {key: value for key, value in choice.candidates.items() if value}
    values = ", ".join(f"{key} {percent(value.value)}" for key, value in known.items())
    n = next(iter(known.values())).n
    return f"{what}, {choice.best}, chosen on {n} dev questions ({values})"


def _sentences(c: Contrast, labels: Mapping[str, str]) -> tuple[str, str]:
    """A contrast in words, and what else must be known."""
    rung, baseline = labels[c.rung], labels[c.baseline]
    if c.identical:
        return f"{rung} and {baseline} scored the same on every question", ""
    difference = f"{with_interval(c.delta)} points of {c.metric}"
    match c.verdict:
        case "better" | "worse":
            return f"{rung} is {c.verdict} than {baseline}: {difference}", ""
        case "equivalent":
            text = f"{rung} and {baseline} are equivalent within the stated margin: {difference}"
            return text, ""
        case _:
            found = percent(c.detectable)
            detail = f"a true difference of {found} points would have been found 4 times in 5"
            if c.detectable == math.inf:
                detail = f"{c.groups} groups of questions are too few to find any difference"
            return f"no detectable difference between {rung} and {baseline}: {difference}", detail
