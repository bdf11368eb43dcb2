"""What kind of problem a task is: the single change that brings most, with its evidence.

By what rungs gain over rungs that lack one thing: passages, examples or tuning, tools, the
constraint; and, where that names none, by what repairs the errors of the best untuned rung. No kind
is named without a difference that is real after Holm's correction and larger than the margin, or a
share of the errors that is surely above what chance repairs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from harness.analysis.declared_contrasts import against
from harness.analysis.rungs import RungResult
from harness.evidence.statistics import CONFIDENCE, Interval
from harness.record.manifest import has_corpus, has_tools

__all__ = ["Effect", "Kind", "Missing", "ProblemKind", "Repaired", "problem_kind"]

Kind = Literal["knowledge", "format", "behaviour", "action", "none", "unknown"]
KINDS: tuple[Kind, ...] = ("knowledge", "format", "behaviour", "action")

ADDED: dict[Kind, tuple[tuple[str, str], ...]] = {
    "knowledge": (("rag", "few_shot"), ("rag_lora", "lora")),
    "behaviour": (("few_shot", "prompt"), ("lora", "prompt")),
    "action": (("tools", "few_shot"),),
}
"""Rungs by name, each with the one that lacks the thing alone. What the constraint adds to the bare
prompt (format) is measured on dev, by the run of the prompt itself."""
BARE = "prompt"


@dataclass(frozen=True)
class Effect:
    """What a single change brings."""

    kind: Kind
    rung: str
    """Key of the rung that has it."""
    baseline: str
    """Key of the rung that lacks it; for the constraint the same rung, decoded freely on dev."""
    difference: Interval
    p: float
    p_adjusted: float = float("nan")
    """After Holm's correction over the effects."""


@dataclass(frozen=True)
class Repaired:
    """Share of the errors of the best untuned rung that a single change repairs, net of chance."""

    kind: str
    """One of KINDS, `several` or `none`."""
    share: Interval
    of: str
    """Key of the rung whose errors they are."""
    at: str
    """Where the share stands in findings.json, as a JSON pointer."""


@dataclass(frozen=True)
class Missing:
    """A kind of which nothing was measured."""

    kind: Kind
    command: str
    """What to type to have it measured."""


@dataclass(frozen=True)
class ProblemKind:
    """The kind with its evidence."""

    name: Kind
    effects: Sequence[Effect]
    """All that were measured."""
    shown: Effect | None
    """The one that names the kind; None if a diagnosis does, or nothing."""
    repaired: Repaired | None
    """Of the change that repairs most of the errors; None if that is not known of any."""
    missing: Sequence[Missing]


def problem_kind(
    rungs: Sequence[RungResult],
    task: str,
    margin: float,
    nothing: bool = False,
    repaired: Mapping[str, Repaired] | None = None,
) -> ProblemKind:
    """Name the kind of problem of a task.

    `nothing` says that no rung is better than the commonest answer: then it is none of the kinds.
    `repaired` is what a diagnosis of the errors found, by kind.
    """
    effects = _adjusted(list(_effects(rungs)))
    known = {effect.kind for effect in effects}
    missing = [Missing(kind, _command(kind, task)) for kind in _asked(rungs) if kind not in known]
    found = ProblemKind("unknown", effects, None, None, missing)
    if nothing:
        return replace(found, name="none")
    shares = {kind: repaired[kind] for kind in KINDS if repaired and kind in repaired}
    certain = {kind: one for kind, one in shares.items() if (one.share.low or 0.0) > 0.0}
    if certain:
        most = max(certain, key=lambda kind: certain[kind].share.value)
        found = replace(found, name=most, repaired=certain[most])
    real = [e for e in effects if e.p_adjusted < 1 - CONFIDENCE and e.difference.value > margin]
    if real:
        shown = max(real, key=lambda e: e.difference.value)
        return replace(found, name=shown.kind, shown=shown)
    return found


def _effects(rungs: Sequence[RungResult]) -> Iterator[Effect]:
    for kind, pairs in ADDED.items():
        for name, lacking in pairs:
            pair = _pair(name, lacking, rungs)
            if pair:
                contrast = against(*pair)
                yield Effect(kind, pair[0].key, pair[1].key, contrast.delta, contrast.p)
    for rung in rungs:
        free = rung.manifest["dev_free"] if rung.manifest["rung"] == BARE else None
        if free and "p" in free:
            found = Interval(**free["difference"])
            yield Effect("format", rung.key, rung.key, found, free["p"])
            return


def _pair(
    name: str, lacking: str, rungs: Sequence[RungResult]
) -> tuple[RungResult, RungResult] | None:
    """The first two rungs of these names that have all else in common, those under the constraint
    before freely decoded ones."""
    usual_first = sorted(rungs, key=lambda rung: rung.manifest["decoding"] != "constrained")
    for rung in usual_first:
        for other in usual_first:
            names = (rung.manifest["rung"], other.manifest["rung"])
            alike = all(rung.manifest[k] == other.manifest[k] for k in ("model", "decoding"))
            by_question = rung.measured_by_question and other.measured_by_question
            if names == (name, lacking) and alike and by_question:
                return rung, other
    return None


def _adjusted(effects: Sequence[Effect]) -> list[Effect]:
    if not effects:
        return []
    from statsmodels.stats.multitest import multipletests

    corrected = multipletests([e.p for e in effects], method="holm")[1]
    return [replace(e, p_adjusted=float(p)) for e, p in zip(effects, corrected, strict=True)]


def _asked(rungs: Sequence[RungResult]) -> Iterator[Kind]:
    """Kinds that can be measured on this task: passages need a corpus, the constraint a grammar."""
    manifests = [rung.manifest for rung in rungs]
    if any(has_corpus(m) for m in manifests):
        yield "knowledge"
    if any(m["decoding"] == "constrained" for m in manifests):
        yield "format"
    yield "behaviour"
    if any(has_tools(m) for m in manifests):
        yield "action"


def _command(kind: Kind, task: str) -> str:
    if kind == "format":
        return f"python -m harness +task={task} rung={BARE}"
    pairs = ADDED[kind]
    return f"python -m harness +task={task} rung={','.join(reversed(pairs[0]))}"
