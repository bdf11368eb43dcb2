"""What each rung costs: to answer, to tune, to run, in money if there are prices; and from which
volume on tuning pays."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.analysis.declared_contrasts import against
from harness.analysis.rungs import RungResult
from harness.evidence.contrasts import Contrast, adjusted
from harness.evidence.cost import (
    BreakEven,
    Prices,
    Spending,
    answering_flops,
    break_even,
    training_flops,
)
from harness.task import Prediction

__all__ = [
    "Answering",
    "Costs",
    "Indexing",
    "Money",
    "Payoff",
    "RungCosts",
    "Searching",
    "Tuning",
    "costs",
]


@dataclass(frozen=True)
class Answering:
    """Of one question; all but the percentiles are means over questions and seeds."""

    prompt_tokens: float
    """As sent."""
    computed_tokens: float
    """Prompt tokens that were computed, after prefixes that prompts share were computed once."""
    completion_tokens: float
    seconds_median: float
    """A question's share of its batch, without retrieval."""
    seconds_p95: float
    """95th percentile of the same."""
    flop_sent: float
    """Floating-point operations of prompt and answer: 2 per parameter and token, as sent."""
    flop_computed: float
    """The same of the tokens that were computed."""


@dataclass(frozen=True)
class Tuning:
    """Of one run that changed weights."""

    seconds: float
    tokens: float
    """Of all examples seen, each with its prompt."""
    trainable: float
    """Parameters."""
    parameters: float
    """Of the whole model."""
    flop: float
    """Floating-point operations: 6 per parameter and token."""
    megabytes: float
    """Of what training left: the adapter."""


@dataclass(frozen=True)
class Indexing:
    """Of one run that retrieves."""

    seconds: float
    """To build the index."""
    megabytes: float


@dataclass(frozen=True)
class Searching:
    """Of one run that searched for its prompt, beside its trials."""

    asked: float
    """Dev questions answered, all prompts together."""
    tokens: float
    """Prompt and answer tokens, those of reflections included."""
    seconds: float


@dataclass(frozen=True)
class Money:
    """In the currency of the prices; None without a price."""

    request: float | None
    """Of one answer, on average."""
    machine: float | None
    """Of training, indexing and searching for a prompt, once."""
    labels: float | None
    """Of labelled examples, once; None too if runs are older than their count."""


@dataclass(frozen=True)
class RungCosts:
    """What one rung costs; seeds are averaged."""

    rung: str
    """Its key."""
    answering: Answering
    tuning: Tuning | None
    indexing: Indexing | None
    labelled: float | None
    """Labelled examples that it needed; None if its runs are older than this count."""
    peak_memory_megabytes: float
    """Of the process, plus a GPU's."""
    seconds: float
    """Of a whole run."""
    money: Money | None
    """None if no prices were given."""
    searching: Searching | None = None


@dataclass(frozen=True)
class Payoff:
    """A tuned rung against an untuned one of its model: what it costs more once, and saves."""

    tuned: str
    untuned: str
    contrast: Contrast | None
    """The declared contrast of the two, or one of its own; None without values per question."""
    break_even: BreakEven | None
    """None if something of it has no price."""


@dataclass(frozen=True)
class Costs:
    """Of all rungs of a ladder."""

    rungs: Sequence[RungCosts]
    payoffs: Sequence[Payoff]
    """Each tuned rung against each untuned one of its model; none without prices."""
    prices: Prices | None
    same_machine: bool
    """Whether all runs had the same processor, cores and device; else seconds do not compare."""
    averaged: bool
    """Whether some rung has several seeds."""


def costs(ladder: Sequence[RungResult], found: Sequence[Contrast], prices: Prices | None) -> Costs:
    """What the rungs of a ladder cost; `found` are its contrasts, which say whether a cheaper rung
    is a worse one."""
    rungs = [_Rung(rung, prices) for rung in ladder]
    pairs = [
        (tuned, untuned)
        for tuned in rungs
        for untuned in rungs
        if tuned.result.tuned and not untuned.result.tuned and tuned.model == untuned.model
    ]
    places = {
        tuple(run.manifest["machine"][k] for k in ("processor", "cores", "device"))
        for rung in ladder
        for run in rung.runs
    }
    return Costs(
        rungs=[_rung_costs(rung) for rung in rungs],
        payoffs=[_payoff(*pair, found) for pair in pairs] if prices else [],
        prices=prices,
        same_machine=len(places) <= 1,
        averaged=any(len(rung.runs) > 1 for rung in ladder),
    )


@dataclass(frozen=True)
class _Rung:
    """A rung, and what its runs recorded of their costs."""

    result: RungResult
    prices: Prices | None

    @property
    def model(self) -> str:
        return str(self.result.manifest["model"])

    @property
    def predictions(self) -> list[list[Prediction]]:
        """Of each seed, in the order of ids."""
        return [sorted(run.predictions, key=lambda p: p.id) for run in self.result.runs]

    @property
    def labelled(self) -> float | None:
        counts = [run.manifest["labelled"] for run in self.result.runs]
        return None if None in counts else _mean(counts)

    def mean(self, *names: str) -> float:
        """Of a number in the manifest; what a run does not have counts as nothing."""
        return _mean(_inside(run.manifest, names) for run in self.result.runs)

    def per_question(self, *names: str) -> float:
        """Of the sum of some of a prediction's counts."""
        answers = [p for seed in self.predictions for p in seed]
        return _mean(sum(getattr(p, name) for name in names) for p in answers)

    @property
    def requests(self) -> list[float] | None:
        """The price of each question's answer, averaged over seeds; None without one."""
        if self.prices is None:
            return None
        paid = [[self.prices.answer(p) for p in seed] for seed in self.predictions]
        if any(price is None for seed in paid for price in seed):
            return None
        return [_mean(each) for each in zip(*paid, strict=True)]

    @property
    def money(self) -> Money | None:
        if self.prices is None:
            return None
        requests, labelled = self.requests, self.labelled
        machine = self.prices.machine(
            self.mean("training", "seconds") + self.mean("index", "seconds")
        )
        searched = self.search_price
        known = machine is not None and searched is not None
        return Money(
            request=float(np.mean(requests)) if requests is not None else None,
            machine=machine + searched if known else None,  # type: ignore[operator]
            labels=self.prices.labels(labelled) if labelled is not None else None,
        )

    @property
    def search_price(self) -> float | None:
        """Of the search for a prompt: its answers are paid as all answers are; 0 without one."""
        if self.prices is None or self.searching is None:
            return 0.0
        everything = Prediction(
            id="search",
            text="",
            finish="stop",
            prompt_tokens=round(self.mean("search", "prompt_tokens")),
            computed_tokens=round(self.mean("search", "computed_tokens")),
            completion_tokens=round(self.mean("search", "completion_tokens")),
            seconds=self.searching.seconds,
        )
        return self.prices.answer(everything)

    @property
    def searching(self) -> Searching | None:
        """None for a rung that does not search."""
        if not self.result.manifest.get("search"):
            return None
        tokens = ("prompt_tokens", "completion_tokens")
        return Searching(
            asked=self.mean("search", "asked"),
            tokens=sum(self.mean("search", name) for name in tokens),
            seconds=self.mean("search", "seconds"),
        )

    @property
    def spending(self) -> Spending | None:
        """None if an answer or machine time has no price, or if priced labels were not counted."""
        if self.prices is None or (money := self.money) is None:
            return None
        counted = money.labels is not None or self.prices.labelled_example is None
        if (requests := self.requests) is None or money.machine is None or not counted:
            return None
        return Spending(money.machine + (money.labels or 0.0), requests)


def _rung_costs(rung: _Rung) -> RungCosts:
    indexed = rung.result.manifest["index"] is not None
    return RungCosts(
        rung=rung.result.key,
        answering=_answering(rung),
        tuning=_tuning(rung) if rung.result.tuned else None,
        indexing=Indexing(rung.mean("index", "seconds"), rung.mean("index", "megabytes"))
        if indexed
        else None,
        labelled=rung.labelled,
        peak_memory_megabytes=rung.mean("peak_memory_mb"),
        seconds=rung.mean("seconds", "total"),
        money=rung.money,
        searching=rung.searching,
    )


def _answering(rung: _Rung) -> Answering:
    parameters = rung.mean("parameters")
    seconds = [p.seconds for seed in rung.predictions for p in seed]
    median, p95 = np.percentile(seconds, [50, 95])
    sent = rung.per_question("prompt_tokens", "completion_tokens")
    computed = rung.per_question("computed_tokens", "completion_tokens")
    return Answering(
        prompt_tokens=rung.per_question("prompt_tokens"),
        computed_tokens=rung.per_question("computed_tokens"),
        completion_tokens=rung.per_question("completion_tokens"),
        seconds_median=float(median),
        seconds_p95=float(p95),
        flop_sent=answering_flops(parameters, sent),
        flop_computed=answering_flops(parameters, computed),
    )


def _tuning(rung: _Rung) -> Tuning:
    parameters, tokens = rung.mean("parameters"), rung.mean("training", "tokens")
    return Tuning(
        seconds=rung.mean("training", "seconds"),
        tokens=tokens,
        trainable=rung.mean("training", "trainable"),
        parameters=parameters,
        flop=training_flops(parameters, tokens),
        megabytes=rung.mean("training", "megabytes"),
    )


def _payoff(tuned: _Rung, untuned: _Rung, found: Sequence[Contrast]) -> Payoff:
    ours, theirs = tuned.spending, untuned.spending
    return Payoff(
        tuned=tuned.result.key,
        untuned=untuned.result.key,
        contrast=_contrast(tuned.result, untuned.result, found),
        break_even=break_even(ours, theirs) if ours and theirs else None,
    )


def _contrast(tuned: RungResult, untuned: RungResult, found: Sequence[Contrast]) -> Contrast | None:
    for contrast in found:
        if (contrast.rung, contrast.baseline) == (tuned.key, untuned.key):
            return contrast
    if not (tuned.measured_by_question and untuned.measured_by_question):
        return None
    return adjusted([against(tuned, untuned)])[0]


def _inside(record: Any, names: Sequence[str]) -> float:
    for name in names:
        record = record[name] if record else 0.0
    return float(record)


def _mean(values: Iterable[Any]) -> float:
    return float(np.mean(list(values)))
