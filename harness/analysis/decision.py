"""The declared rule: which rung to use, or why that cannot be said yet. Pure.

In this order:

1. Leaks into eval that were allowed: scores are inflated, and nothing is advised.
2. Rungs are taken from the cheapest on, controls without a language model first. One is ruled out
   where another is shown to be better by more than the margin, unless the two were declared to be
   compared and that test found nothing.
3. The cheapest that is left is advised if no other can be better by the margin, all comparisons
   with the best taken together (`harness.evidence.best`); otherwise nothing is decided, and it is
   said how many more questions or seeds would. If only controls without a language model are left,
   the one that scores highest is advised: no rung is, and choosing among them costs nothing.
4. What is advised must pass its gates: a rung whose training did nothing is not advised.

Advice is wrong where the advised rung is worse than the best by more than the margin, and needless
where a cheaper one is not: both together at most 5% of the time, whatever the truth is. Which of
several controls is best is not promised.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Literal

from harness.evidence.best import Comparisons, More, Pair, compare_all_pairs
from harness.evidence.contrasts import Side

__all__ = [
    "DRAWING_NOISE",
    "MARGIN",
    "TRAINING_NOISE",
    "Candidate",
    "Case",
    "Decision",
    "Flaw",
    "Loss",
    "Outcome",
    "decide",
]

MARGIN = 0.02
"""A difference that would not matter, where none was declared (`contrasts.margin`)."""
TRAINING_NOISE, DRAWING_NOISE = 0.01, 0.05
"""Standard deviations over seeds of a tuned rung, and of one that draws its examples: assumed where
one seed ran. docs/experiments.md has 0.7 and 4.9 points."""
CONSTANT = "majority"
"""The control that always gives the commonest answer: where it is good enough, nothing helps."""

Outcome = Literal["tune", "use", "control", "nothing", "undecided", "blocked", "inflated"]
"""What is advised: a tuned rung; one that needs no training; no language model at all; nothing, as
no rung is better than the commonest answer; nothing yet; nothing before a rung is fixed; nothing,
as eval leaked."""


@dataclass(frozen=True)
class Flaw:
    """A gate that a rung does not pass."""

    name: str
    text: str
    """What was seen, as it follows the rung's name."""
    at: str
    """Where the text stands in findings.json, as a JSON pointer."""
    what: Literal["low", "invalid", "price"]
    """`low`: the score may be too low, which speaks against a verdict against the rung and not for
    one; `invalid`: the rung is not what it should be, and is not advised; `price`: what it costs
    beside money, such as what tuning made it forget."""


@dataclass(frozen=True)
class Candidate:
    """What could be advised: a rung, or a control that needs no language model."""

    key: str
    at: str
    """Its place in findings.json, as a JSON pointer."""
    side: Side
    """Its answers' values, by question."""
    order: tuple[float, ...]
    """What it costs, the smaller the cheaper: kind of candidate first, then tokens or money."""
    control: str | None = None
    """What kind of control it is; None for a rung."""
    tuned: bool = False
    leaks: int = 0
    """Leaks into eval of what it reads, if they were allowed."""
    flaws: Sequence[Flaw] = ()
    total: float | None = None
    """Money for all requests that are expected, with what is paid once; None without prices."""

    @property
    def mean(self) -> float:
        """Its score, over questions and seeds."""
        return fmean(value for run in self.side.runs for value in run.values())

    @property
    def noise(self) -> float:
        """Standard deviation over seeds that is assumed of it, if it is random and one seed ran."""
        return TRAINING_NOISE if self.tuned else DRAWING_NOISE

    @property
    def invalid(self) -> bool:
        return any(flaw.what == "invalid" for flaw in self.flaws)

    @property
    def low(self) -> Sequence[Flaw]:
        """Why its score may be too low."""
        return [flaw for flaw in self.flaws if flaw.what == "low"]


@dataclass(frozen=True)
class Case:
    """All that the rule looks at."""

    candidates: Sequence[Candidate]
    groups: dict[str, str]
    """The scenario of each question."""
    margin: float = MARGIN
    not_shown: Collection[frozenset[str]] = ()
    """Two rungs each that were declared to be compared without a difference being found."""
    requests: float | None = None
    """Answers that are expected altogether."""
    wrong_answer: float | None = None
    """What a wrong answer costs."""


@dataclass(frozen=True)
class Loss:
    """What choosing wrong would cost on average, over all requests that are expected."""

    against: str
    """The rung against which most is to be lost."""
    answers: float
    """Right answers lost, on average over what the difference may be."""
    money: float | None
    """The same in money, costs of both rungs in it; None without the price of a wrong answer."""


@dataclass(frozen=True)
class Decision:
    """What the rule found."""

    outcome: Outcome
    advised: Candidate | None
    """None where nothing is advised."""
    ranked: Sequence[Candidate]
    """All candidates, the cheapest first."""
    comparisons: Comparisons
    good_enough: Sequence[str]
    """Candidates that no other can better by the margin."""
    ruled_out: dict[str, list[str]]
    """By key of a candidate, those that are shown to be better by more than the margin."""
    open: Candidate | None = None
    """If undecided, or to be fixed first: the cheapest that is not ruled out."""
    rival: str | None = None
    """If undecided, the candidate that it cannot be told from."""
    more: More | None = None
    """If undecided, what would decide between the two."""
    until: Candidate | None = None
    """If undecided, what is safe meanwhile: the cheapest that is good enough, if one is."""
    loss: Loss | None = None
    """Of the advised one; None if nothing is advised or no volume is known."""

    @property
    def best(self) -> Candidate:
        """The candidate that scored highest, of equal ones the cheapest."""
        return max(self.ranked, key=lambda c: c.mean)


def decide(case: Case) -> Decision:
    """Apply the rule to two candidates or more."""
    ranked = sorted(case.candidates, key=lambda c: c.order)
    noise = {c.key: c.noise for c in ranked}
    compared = compare_all_pairs([c.side for c in ranked], case.groups, noise)
    good = [c.key for c in ranked if compared.good_enough(c.key, case.margin)]
    out = {
        c.key: [
            other
            for other in compared.better(c.key, case.margin)
            if frozenset((c.key, other)) not in case.not_shown
        ]
        for c in ranked
    }
    left = [c for c in ranked if not out[c.key]]
    first = left[0]
    found = Decision("undecided", None, ranked, compared, good, {k: v for k, v in out.items() if v})
    if any(c.leaks for c in ranked):
        return replace(found, outcome="inflated")
    if first.key not in good:
        if any(c.control is None for c in left):
            return _undecided(found, first, case)
        first = max(left, key=lambda c: c.mean)
    if first.invalid:
        return replace(found, outcome="blocked", open=first)
    loss = _loss(first, found, case) if case.requests else None
    return replace(found, outcome=_of(first), advised=first, loss=loss)


def _of(advised: Candidate) -> Outcome:
    if advised.control is not None:
        return "nothing" if advised.control == CONSTANT else "control"
    return "tune" if advised.tuned else "use"


def _undecided(found: Decision, first: Candidate, case: Case) -> Decision:
    """What would decide about the cheapest candidate that is left.

    Where others seem better by more than the margin, one that is shown to be is enough; otherwise
    none may be left that can be.
    """
    compared = found.comparisons.others(first.key)
    others = [(o, pair) for o, pair in compared if pair.above(o)[2] >= case.margin]
    beyond = [(o, pair) for o, pair in others if pair.above(o)[0] > case.margin]

    def questions(one: tuple[str, Pair]) -> float:
        more = one[1].more(case.margin).questions
        return math.inf if more is None else more

    rival, pair = min(beyond, key=questions) if beyond else max(others, key=questions)
    until = next((c for c in found.ranked if c.key in found.good_enough and not c.invalid), None)
    return replace(found, open=first, rival=rival, more=pair.more(case.margin), until=until)


def _loss(advised: Candidate, found: Decision, case: Case) -> Loss | None:
    """The difference is taken as normal around what was seen (expected opportunity loss)."""
    losses = []
    for other in found.ranked:
        if other is advised:
            continue
        pair = found.comparisons.pair(advised.key, other.key)
        value, volume = pair.above(other.key)[0], case.requests or 0.0
        answers = volume * _positive_part(value, pair.error.value)
        money = None
        if case.wrong_answer is not None and None not in (advised.total, other.total):
            worth = volume * case.wrong_answer
            saved = (advised.total or 0.0) - (other.total or 0.0)
            money = _positive_part(worth * value + saved, worth * pair.error.value)
        losses.append(Loss(other.key, answers, money))
    return max(losses, key=lambda loss: (loss.money or 0.0, loss.answers))


def _positive_part(mean: float, deviation: float) -> float:
    """The mean of what a normal variable exceeds zero by."""
    from scipy.stats import norm

    if deviation <= 0.0 or not math.isfinite(deviation):
        return max(0.0, mean)
    z = mean / deviation
    return float(deviation * norm.pdf(z) + mean * norm.cdf(z))
