"""What the runs of a ladder cost, out of their manifests and predictions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.analysis.declared_contrasts import against
from harness.analysis.rung_costs import (
    Answering,
    Costs,
    Indexing,
    Money,
    Payoff,
    RungCosts,
    Searching,
    Taught,
    Tuning,
)
from harness.analysis.rungs import RungResult
from harness.analysis.runs import known
from harness.evidence.contrasts import Contrast, adjusted
from harness.evidence.cost import (
    Prices,
    Spending,
    answering_flops,
    break_even,
    training_flops,
)
from harness.task import Prediction

__all__ = ["costs"]


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
        if not rung.elsewhere
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

    def of_training(self, name: str) -> float | None:
        """The mean of a number that older runs do not have; None if one of its runs has none."""
        values = [run.manifest["training"].get(name) for run in self.result.runs]
        return None if None in values else _mean(values)

    def per_question(self, *names: str) -> float | None:
        """Of the sum of some of a prediction's counts; None if it is not known."""
        found = known((p for seed in self.predictions for p in seed), *names)
        return _mean(found) if found else None

    @property
    def requests(self) -> list[float] | None:
        """The price of each question's answer, averaged over seeds; None without one. Of what was
        answered elsewhere it is what was told: the prices are of other tokens, another machine."""
        if self.result.elsewhere:
            paid = [[p.cost for p in seed if not p.error] for seed in self.predictions]
        elif self.prices is None:
            return None
        else:
            paid = [[self.prices.answer(p) for p in seed] for seed in self.predictions]
        if any(price is None for seed in paid for price in seed):
            return None
        return [_mean(each) for each in zip(*paid, strict=True)]

    def spent(self, part: str) -> Prediction:
        """All answers of a `search` or a `teacher` as one; nothing without it."""
        names = ("prompt_tokens", "computed_tokens", "completion_tokens")
        prompt, computed, completion = (round(self.mean(part, name)) for name in names)
        seconds = self.mean(part, "seconds")
        return Prediction(part, "", "stop", prompt, computed, completion, seconds)

    @property
    def money(self) -> Money | None:
        requests, labelled = self.requests, self.labelled
        if self.result.elsewhere:
            return Money(_mean(requests), None, None) if requests else None
        if self.prices is None:
            return None
        own = self.prices.machine(self.mean("training", "seconds") + self.mean("index", "seconds"))
        once = [own, self.prices.answer(self.spent("search")), self._teaching(self.prices)]
        known_once = [part for part in once if part is not None]
        return Money(
            request=float(np.mean(requests)) if requests is not None else None,
            machine=sum(known_once) if len(known_once) == len(once) else None,
            labels=self.prices.labels(labelled) if labelled is not None else None,
        )

    def _teaching(self, prices: Prices) -> float | None:
        """What its teacher's answers cost, once; those of a file what the file tells."""
        told = self.result.manifest["teacher"]
        if told and told.get("elsewhere"):
            cost: float | None = told["cost"]
            return cost
        return prices.answer(self.spent("teacher"))

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
    elsewhere = rung.result.elsewhere
    return RungCosts(
        rung=rung.result.key,
        answering=_answering(rung),
        tuning=_tuning(rung) if rung.result.tuned else None,
        indexing=Indexing(rung.mean("index", "seconds"), rung.mean("index", "megabytes"))
        if indexed
        else None,
        taught=_taught(rung) if rung.result.manifest["teacher"] else None,
        labelled=rung.labelled,
        peak_memory_megabytes=None if elsewhere else rung.mean("peak_memory_mb"),
        seconds=None if elsewhere else rung.mean("seconds", "total"),
        money=rung.money,
        searching=rung.searching,
    )


def _taught(rung: _Rung) -> Taught:
    told = rung.result.manifest["teacher"]
    counts = ("asked", "answered", "unparsed", "below", "leaked", "kept")
    means = {name: rung.mean("teacher", name) for name in counts}
    # One teacher has answered for all seeds.
    spent = {name: told[name] for name in ("prompt_tokens", "completion_tokens", "seconds")}
    return Taught(
        told["name"], told["targets"], told["min_score"], **means, **spent, cost=told.get("cost")
    )


def _answering(rung: _Rung) -> Answering:
    parameters = None if rung.result.elsewhere else rung.mean("parameters")
    seconds = known((p for seed in rung.predictions for p in seed), "seconds")
    median, p95 = np.percentile(seconds, [50, 95]).tolist() if seconds else (None, None)

    def flop(*counts: str) -> float | None:
        tokens = rung.per_question(*counts)
        if parameters is None or tokens is None:
            return None
        return answering_flops(parameters, tokens)

    return Answering(
        prompt_tokens=rung.per_question("prompt_tokens"),
        computed_tokens=rung.per_question("computed_tokens"),
        completion_tokens=rung.per_question("completion_tokens"),
        seconds_median=median,
        seconds_p95=p95,
        flop_sent=flop("prompt_tokens", "completion_tokens"),
        flop_computed=flop("computed_tokens", "completion_tokens"),
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
        weights_megabytes=rung.of_training("weights_megabytes"),
        peak_megabytes=rung.of_training("peak_megabytes"),
        answering=rung.result.manifest["training"].get("answering"),
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
