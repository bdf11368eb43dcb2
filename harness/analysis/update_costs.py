"""What an update costs each rung, and how many of them tuning can bear."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from harness.analysis.rung_costs import Costs, Payoff
from harness.analysis.rungs import RungResult
from harness.evidence.cost import Prices

__all__ = ["VOLUME", "UpdateCost", "UpdatePayoff", "update_cost", "update_payoffs"]

VOLUME = 1_000_000
"""Answers in the course of which updates are counted."""


@dataclass(frozen=True)
class UpdateCost:
    """What bringing one rung up to date takes, once for each update."""

    rung: str
    """Its key."""
    way: str
    """`index`: the corpus is indexed anew, which is what was measured. `train`: it is trained anew
    on examples with the new answers; `examples`: those it shows are answered anew. Neither of the
    two was tried. `none`: it reads nothing that states facts."""
    seconds: float
    """Of the machine: indexing or training."""
    labelled: float | None
    """Labelled examples whose answers change; None if train names no sources."""
    money: float | None
    """In the currency of the prices; None without prices for all of it."""


@dataclass(frozen=True)
class UpdatePayoff:
    """A tuned rung against an untuned one that follows: how many updates its saving can bear."""

    tuned: str
    untuned: str
    extra: float
    """How much more an update costs the tuned rung."""
    answers: float
    """Between two updates, from which on the tuned rung saves more than an update costs it; 0:
    updates cost it no more; infinite: its answers are not cheaper."""
    low: float | None
    """95% interval of `answers`, over questions."""
    high: float | None
    updates: float
    """In the course of VOLUME answers, after which tuning has stopped paying, its first training
    included; infinite: updates cost it no more."""
    updates_low: float | None
    updates_high: float | None


def update_cost(rung: RungResult, records: Sequence[Mapping[str, Any]], costs: Costs) -> UpdateCost:
    """Of one rung; `records` are what its seeds left of the update."""
    (own,) = (one for one in costs.rungs if one.rung == rung.key)
    restated = [record["restated"] for record in records]
    labelled = None if None in restated else fmean(restated)
    if records[0]["asked_again"]:
        way, seconds, labelled = "index", fmean(r["index_seconds"] or 0.0 for r in records), 0.0
    elif own.tuning:
        way, seconds = "train", own.tuning.seconds
    elif own.labelled:
        way, seconds = "examples", 0.0
    else:
        way, seconds, labelled = "none", 0.0, 0.0
    return UpdateCost(rung.key, way, seconds, labelled, _money(seconds, labelled, costs.prices))


def update_payoffs(found: Sequence[UpdateCost], costs: Costs) -> list[UpdatePayoff]:
    """Each tuned rung against each untuned one that an update can reach; none without prices."""
    known = {cost.rung: cost for cost in found}
    payoffs = [
        _payoff(payoff, known[payoff.tuned], known[payoff.untuned])
        for payoff in costs.payoffs
        if payoff.tuned in known and payoff.untuned in known
    ]
    return [payoff for payoff in payoffs if payoff]


def _payoff(payoff: Payoff, tuned: UpdateCost, untuned: UpdateCost) -> UpdatePayoff | None:
    reached = payoff.break_even
    if reached is None or tuned.money is None or untuned.money is None or untuned.way == "none":
        return None
    extra, saving = tuned.money - untuned.money, reached.saving

    def answers(saved: float | None) -> float | None:
        if saved is None or extra <= 0:
            return None if saved is None else 0.0
        return extra / saved if saved > 0 else math.inf

    def updates(saved: float | None) -> float | None:
        if saved is None or extra <= 0:
            return None if saved is None else math.inf
        return max(0.0, (VOLUME * saved - reached.extra) / extra)

    return UpdatePayoff(
        tuned=tuned.rung,
        untuned=untuned.rung,
        extra=extra,
        answers=answers(saving.value) or 0.0,
        low=answers(saving.high),
        high=answers(saving.low),
        updates=updates(saving.value) or 0.0,
        updates_low=updates(saving.low),
        updates_high=updates(saving.high),
    )


def _money(seconds: float, labelled: float | None, prices: Prices | None) -> float | None:
    """Of the machine's time and of labels; labels without a price cost nothing, as elsewhere."""
    if prices is None or (machine := prices.machine(seconds)) is None:
        return None
    if prices.labelled_example is None:
        return machine
    return None if labelled is None else machine + (prices.labels(labelled) or 0.0)
