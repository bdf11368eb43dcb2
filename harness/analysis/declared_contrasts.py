"""The declared contrasts of one ladder, and the questions that they are about."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.analysis.rungs import RungResult, on_dev
from harness.evidence.contrasts import Contrast, Contrasts, adjusted, compare
from harness.evidence.statistics import Interval
from harness.record.declaration import Declaration, told_apart

__all__ = ["Choice", "Plan", "against", "changes", "contrasts", "learned_alike", "plan"]


@dataclass(frozen=True)
class Choice:
    """Which untuned rung is the best one for a tuned rung: chosen on dev, so that eval is not."""

    tuned: str
    """Key of the tuned rung."""
    candidates: Mapping[str, Interval | None]
    """The primary metric on dev of each untuned rung of its model and decoding, by key; None for
    one that did not answer dev. Of questions that all of them were judged on: those that picked a
    prompt are not among them."""

    @property
    def best(self) -> str | None:
        """Key of the candidate with the highest value, of equal ones the first.

        None if there is none, or if one of them did not answer dev.
        """
        known = [(value.value, key) for key, value in self.candidates.items() if value]
        if not known or len(known) < len(self.candidates):
            return None
        return max(known, key=lambda one: one[0])[1]


@dataclass(frozen=True)
class Plan:
    """What was declared before the first answer."""

    declared: Contrasts | None
    """None if the runs declared different things: then nothing is tested."""
    pairs: Sequence[tuple[str, str]]
    """Declared pairs of which both rungs ran: rung, baseline."""
    choices: Sequence[Choice]
    """One for each tuned rung, if it was declared that they meet the best untuned one."""
    elsewhere: Sequence[str] = ()
    """Keys of what was answered elsewhere: it is compared with every other rung, in a family of its
    own, without being declared."""
    known: int = 0
    """Configurations that the eval set had judged when this was declared in place of something
    else; 0 if it was declared blind."""
    disagreement: str = ""
    """Where runs declared different things: which runs differ in what, and what to type."""


def plan(ladder: Sequence[RungResult], declarations: Sequence[Declaration] = ()) -> Plan:
    """What was declared last, or, where only the manifests tell, what all runs agree on."""
    here = {rung.manifest["rung"] for rung in ladder}
    if declarations:
        declared, known = Contrasts(**declarations[-1].contrasts), _known(declarations, here)
    else:
        said = [run.manifest["contrasts"] for rung in ladder for run in rung.runs]
        if not said:
            return Plan(None, (), ())
        if any(one != said[0] for one in said):
            return Plan(None, (), (), disagreement=_disagreement(ladder))
        declared, known = Contrasts(**said[0]), 0
    tuned = [rung for rung in ladder if rung.tuned and declared.best_untuned]
    return Plan(
        declared,
        [(rung, baseline) for rung, baseline in declared.pairs if here >= {rung, baseline}],
        [Choice(rung.key, on_dev(_untuned(rung, ladder))) for rung in tuned],
        [rung.key for rung in ladder if rung.elsewhere],
        known,
    )


def _disagreement(ladder: Sequence[RungResult]) -> str:
    """The first run that declared something else than the first of all."""
    runs = [run for rung in ladder for run in rung.runs]
    first = runs[0]
    other = next(r for r in runs if r.manifest["contrasts"] != first.manifest["contrasts"])
    differ, _ = told_apart(first.manifest["contrasts"], other.manifest["contrasts"])
    return (
        f"From {first.label} to {other.label} {differ}. To test one of both, type the command of "
        f"the run that declared it: {first.manifest['command']}, or {other.manifest['command']}"
    )


def _known(declarations: Sequence[Declaration], here: Collection[str]) -> int:
    """How many configurations had been judged when the last declaration was made: since then all
    declared the same of the rungs that are here, whatever they say of others. 0 if that was the
    first."""
    said = [
        {
            **one.contrasts,
            "against": [name for name in one.contrasts["against"] if name in here],
            "pairs": [pair for pair in one.contrasts["pairs"] if {*pair} <= {*here}],
        }
        for one in declarations
    ]
    since = len(said) - 1
    while since and said[since - 1] == said[-1]:
        since -= 1
    return declarations[since].after if since else 0


def contrasts(ladder: Sequence[RungResult], planned: Plan) -> list[Contrast]:
    """Every declared contrast between the rungs of a ladder, corrected as one family; then what was
    answered elsewhere against every other rung, corrected as another: it may be added to a ladder
    that was read, whose verdicts stay what they are.

    Controls are never in it. Empty if the primary metric has no value for a single question.
    """
    if planned.declared is None or not all(rung.measured_by_question for rung in ladder):
        return []
    by_key = {rung.key: rung for rung in ladder}
    best = {choice.tuned: choice.best for choice in planned.choices}
    pairs = planned.declared.declared(
        {key: rung.manifest["rung"] for key, rung in by_key.items() if not rung.elsewhere},
        {tuned: untuned for tuned, untuned in best.items() if untuned is not None},
    )
    once = {frozenset(pair): pair for pair in [*pairs, *_decodings(ladder)]}
    added = {frozenset(pair): pair for pair in _elsewhere(ladder)}
    return [
        contrast
        for family in (once, added)
        for contrast in adjusted(
            [
                against(by_key[rung], by_key[baseline], planned.declared.margin)
                for rung, baseline in family.values()
                if _comparable(by_key[rung], by_key[baseline])
            ]
        )
    ]


def against(rung: RungResult, baseline: RungResult, margin: float | None = None) -> Contrast:
    """One rung compared with another, over all seeds of both."""
    return compare(
        rung.side,
        baseline.side,
        rung.manifest["primary"],
        rung.runs[0].groups,
        margin=margin,
    )


def changes(rungs: Sequence[RungResult], found: Sequence[Contrast]) -> list[dict[str, Any]]:
    """The questions that a rung got better or worse than its baseline.

    Values are averaged over seeds, answers are those of the first seed; the baseline's come first.
    """
    by_key = {rung.key: rung for rung in rungs}
    used = {key for c in found for key in (c.baseline, c.rung)}
    texts = {k: {p.id: p.text for p in by_key[k].runs[0].predictions} for k in used}

    def value(key: str, question: str) -> float:
        return by_key[key].mean(lambda run: run.values[question])

    return [
        {
            "rung": c.rung,
            "baseline": c.baseline,
            "change": change,
            "id": i,
            "values": [value(key, i) for key in (c.baseline, c.rung)],
            "answers": [texts[key][i] for key in (c.baseline, c.rung)],
        }
        for c in found
        for change, ids in (("improved", c.improved), ("worsened", c.worsened))
        for i in ids
    ]


def _untuned(rung: RungResult, ladder: Sequence[RungResult]) -> list[RungResult]:
    """The untuned rungs of the same model and decoding."""
    return [
        other
        for other in ladder
        if not other.tuned
        and other.manifest["model"] == rung.manifest["model"]
        and _decoded_alike(rung, other)
        and learned_alike(rung, other)
    ]


def _decodings(ladder: Sequence[RungResult]) -> list[tuple[str, str]]:
    """Each rung constrained against the same rung free, where a sweep ran both."""
    return [
        (rung.key, free.key)
        for rung in ladder
        for free in ladder
        if _settings(rung) == _settings(free)
        and (rung.manifest["decoding"], free.manifest["decoding"]) == ("constrained", "free")
    ]


def _elsewhere(ladder: Sequence[RungResult]) -> list[tuple[str, str]]:
    """What was answered elsewhere against every other rung; of two files the later one against the
    earlier one."""
    return [
        (rung.key, other.key)
        for place, rung in enumerate(ladder)
        for at, other in enumerate(ladder)
        if rung.elsewhere and (at < place or not other.elsewhere)
    ]


def _settings(rung: RungResult) -> Any:
    """How it was set, or could be, whatever the decoding."""
    identity = rung.manifest["identity"]
    return [identity["rung"], identity.get("trials")]


def _comparable(rung: RungResult, other: RungResult) -> bool:
    """Whether two rungs answered under the same conditions; a rung may be compared with itself
    under another decoding, and with what was answered elsewhere, whose conditions are its own."""
    if rung.elsewhere or other.elsewhere:
        return True
    ours, theirs = rung.manifest, other.manifest
    alike = _decoded_alike(rung, other) or _settings(rung) == _settings(other)
    return bool(ours["model"] == theirs["model"] and alike and learned_alike(rung, other))


def _decoded_alike(rung: RungResult, other: RungResult) -> bool:
    """Whether two rungs were decoded alike, as far as that was a condition of the ladder: one that
    answers freely by its own declaration stands beside rungs of either decoding."""
    ours, theirs = rung.manifest, other.manifest
    declared = ours["declared_free"] or theirs["declared_free"]
    return bool(ours["decoding"] == theirs["decoding"] or declared)


def learned_alike(rung: RungResult, other: RungResult) -> bool:
    """Whether two rungs that read train, or the corpus, read the same one: of a sweep over sizes
    those of one size are compared with each other, and with what reads none."""
    ours, theirs = (r.manifest["identity"]["task"] for r in (rung, other))
    shared = (part for part in ("train", "corpus") if part in ours and part in theirs)
    return all(ours[part] == theirs[part] for part in shared)
