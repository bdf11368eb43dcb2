"""The third sentence of a recommendation: what comes next."""

from __future__ import annotations

from harness.analysis.advice_words import RULE, Subject, highest
from harness.analysis.sentences import Number, Sentence, pointer, said

__all__ = ["next_step"]

RECALL = 0.9
"""Share of the right passages: a search that surely finds fewer is to be fixed first."""
MISSED = 0.25
"""Share of the errors of a rung on questions whose passages were not found, likewise."""


def next_step(subject: Subject) -> Sentence:
    """The one thing that matters most once the first sentence is known."""
    match subject.decision.outcome:
        case "inflated":
            return said(
                "Run it again with `isolation.leaks=drop`: the lines behind these {} leaks are "
                "then taken out of what rungs learn from.",
                subject.leaks,
            )
        case "undecided" | "blocked":
            return _meanwhile(subject)
        case "nothing":
            best = subject.best_rung
            return said(
                "Look at the targets before you pay for anything: {} scores {}%, the commonest "
                "answer {}%.",
                best.key, subject.score(best), subject.score(subject.advised),
            )  # fmt: skip
    return (
        _other_controls(subject)
        or _price(subject)
        or _missed(subject)
        or _not_judged(subject, tuned=True)
        or _seeds(subject)
        or _not_judged(subject, tuned=False)
        or _cost(subject)
    )


def _meanwhile(subject: Subject) -> Sentence:
    until = subject.decision.until
    if until:
        return said(
            "Until then {} is safe: no other is better by {} points.", until.key, subject.margin
        )
    best = subject.decision.best
    return said("Until then {} scores highest, {}%.", best.key, subject.score(best))


def _other_controls(subject: Subject) -> Sentence | None:
    """Of several controls that no rung comes near, whether another may be the best."""
    decision, advised = subject.decision, subject.advised
    if advised.key in decision.good_enough:
        return None
    left = (c for c in decision.ranked if c is not advised and c.key not in decision.ruled_out)
    other = highest(left)
    return said(
        "Which control is best is open: {} is {} of {} above {}.",
        advised.key, subject.between(advised, other), subject.metric, other.key,
    )  # fmt: skip


def _price(subject: Subject) -> Sentence | None:
    """What the advised rung costs beside money."""
    for flaw in subject.advised.flaws:
        if flaw.what == "price":
            quoted = Number(flaw.at, flaw.text, "quote")
            return said("It has a price: {} {}.", subject.advised.key, quoted)
    return None


def _missed(subject: Subject) -> Sentence | None:
    """What the search does not find, if that is what stands in the way."""
    missed = subject.missed
    if missed and (missed.share.low or 0.0) > 0.0 and missed.share.value >= MISSED:
        share = Number(missed.at, missed.share.value)
        return said(
            "Fix retrieval before you tune: {}% of the errors of {} are passages that were not "
            "found.",
            share, missed.of,
        )  # fmt: skip
    if missed and missed.share.high is not None and missed.share.high < MISSED:
        return None  # the right passages were shown, and did not help
    if subject.kind.name != "knowledge":
        return None
    for place, rung in enumerate(subject.found.rungs):
        name = next((m for m in rung.metrics if m.startswith("recall_at_")), None)
        recall = rung.metric(name) if name else None
        if name and recall and recall.high is not None and recall.high < RECALL:
            found = Number(pointer("rungs", place, "metrics", name, "value"), recall.value)
            return said(
                "Fix retrieval before you tune: {} is shown {}% of the passages that hold its "
                "answers.",
                rung.key, found,
            )  # fmt: skip
    return None


def _not_judged(subject: Subject, tuned: bool) -> Sentence | None:
    """Which rung's score may be too low to hold it against it, the highest first."""
    for one in sorted(subject.decision.ranked, key=lambda c: -c.mean):
        if one is not subject.advised and one.low and one.tuned == tuned:
            text = Number(one.low[0].at, one.low[0].text, "quote")
            return said("{} was not judged: it {}; fix that and run it again.", one.key, text)
    return None


def _seeds(subject: Subject) -> Sentence | None:
    if subject.advised.side.seeds != 1:
        return None
    what = "training_noise" if subject.advised.tuned else "drawing_noise"
    noise = Number(f"{RULE}/{what}", subject.advised.noise)
    return said(
        "Run `seed=0,1,2` before you rely on it: {} ran with one seed, and {} points of noise "
        "between seeds are assumed.",
        subject.advised.key, noise,
    )  # fmt: skip


def _cost(subject: Subject) -> Sentence:
    """What choosing wrong would cost where a volume is known; otherwise what a question costs."""
    loss, prices = subject.decision.loss, subject.found.costs.prices
    if loss and prices and subject.case.requests:
        numbers = [
            Number(f"{RULE}/requests", subject.case.requests, "count"),
            Number("/recommendation/loss/answers", loss.answers, "count"),
        ]
        money = ""
        if loss.money is not None:
            numbers.append(Number("/recommendation/loss/money", loss.money, "money"))
            money = f" ({{}} {prices.currency})"
        return said(
            f"If that is wrong, {{}} requests lose {{}} right answers{money} on average against "
            "{}.",
            *numbers, loss.against,
        )  # fmt: skip
    if subject.advised.control:
        return said("It scores {}% with no model to run.", subject.score(subject.advised))
    costs = subject.found.costs.rungs
    place = [one.rung for one in costs].index(subject.advised.key)
    at = pointer("costs", "rungs", place, "answering", "prompt_tokens")
    tokens = Number(at, costs[place].answering.prompt_tokens or 0.0, "count")
    return said(
        "{} sends {} tokens a question; say `prices.requests` and prices to weigh that against "
        "training.",
        subject.advised.key, tokens,
    )  # fmt: skip
