"""The strongest untuned rung, and the runs that change one thing about it: found by what their
manifests say of the rung's slots, never by a run's name."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.analysis.declared_contrasts import Plan, learned_alike
from harness.analysis.rungs import RungResult, on_dev
from harness.record.manifest import answered_with, has_corpus, has_tools

__all__ = ["KINDS", "Change", "Missing", "Reference", "changes", "missing", "reference", "typed"]

KINDS = ("format", "knowledge", "behaviour", "action")
KIND_OF_SLOT = {
    "constraint": "format",
    "retrieval": "knowledge",
    "shots": "behaviour",
    "tuning": "behaviour",
    "tools": "action",
}
"""What kind of problem a failure is that filling this slot repairs."""
PLACEBO = {"retrieval": "random_passages", "tuning": "shuffled_targets"}
"""The control that changes as much without what is claimed for the slot."""
ORACLE, UNCONSTRAINED = "oracle_passages", "unconstrained"
SETTINGS = ("instructions", "role")
"""What a rung says beside its slots and may say otherwise when one of them changes."""


@dataclass(frozen=True)
class Reference:
    """The rung whose errors are looked into."""

    rung: RungResult
    """What it wrote freely, where that was run: then the constraint is one of the changes."""
    usual: RungResult
    """The same rung as the ladder ran it; the same as `rung` where there is no other."""
    chosen_by: str
    """`dev`, `declared` (the untuned rung of a declared contrast) or `place` (the last one)."""


@dataclass(frozen=True)
class Change:
    """One slot that another run sets otherwise."""

    slot: str
    """constraint, retrieval, shots, tuning or tools."""
    run: RungResult
    base: RungResult
    """The run that it changes: the reference, or the reference under the constraint."""
    placebo: RungResult | None
    """The control that repairs what chance repairs; None if there is none or it was not run."""
    searched: RungResult | None
    """The run whose search says whether the right passages were found; None for other slots."""
    also: Sequence[str]
    """What else differs, in words: settings that go with the slot."""

    @property
    def kind(self) -> str:
        """format, knowledge, behaviour or action."""
        return KIND_OF_SLOT[self.slot]

    @property
    def oracle(self) -> bool:
        """Whether it gives the right passages, in place of those that a search finds."""
        return self.run.control == ORACLE


@dataclass(frozen=True)
class Missing:
    """What was not run and would tell more."""

    slot: str
    what: str
    """`change` or `placebo`."""
    command: str


def reference(
    rungs: Sequence[RungResult], controls: Sequence[RungResult], plan: Plan
) -> Reference | None:
    """The strongest untuned rung: chosen on dev where all answered it, never by eval.

    Without dev the untuned rung of a declared contrast, or the last one of the ladder. A rung that
    searched for its prompt is none, if there is another: no other rung changes one thing about it.
    """
    untuned = [rung for rung in rungs if not rung.tuned]
    untuned = [rung for rung in untuned if not rung.manifest.get("search")] or untuned
    usual = [rung for rung in untuned if rung.manifest["decoding"] == "constrained"] or untuned
    if not usual:
        return None
    known = {key: dev.value for key, dev in on_dev(usual).items() if dev}
    if len(known) == len(usual):
        best, by = max(usual, key=lambda rung: known[rung.key]), "dev"
    else:
        declared = {name for pair in plan.pairs for name in pair}
        declared |= set(plan.declared.against) if plan.declared else set()
        named = [rung for rung in usual if rung.manifest["rung"] in declared]
        best, by = (named or usual)[-1], "declared" if named else "place"
    return Reference(_free(best, untuned, controls) or best, best, by)


def changes(
    ours: Reference, rungs: Sequence[RungResult], controls: Sequence[RungResult]
) -> list[Change]:
    """One change of each slot, as far as it was run: of the reference itself if that is there,
    otherwise of the reference under the constraint."""
    found: list[Change] = []
    if ours.usual is not ours.rung:
        found.append(Change("constraint", ours.usual, ours.rung, None, None, ()))
    for slot in ("retrieval", "shots", "tuning", "tools"):
        for base in dict.fromkeys((ours.rung, ours.usual)):
            change = _change(slot, base, ours, rungs, controls)
            if change:
                found.append(change)
                break
    return found


def missing(
    ours: Reference,
    found: Sequence[Change],
    rungs: Sequence[RungResult],
    *,
    sources: bool,
) -> list[Missing]:
    """What would fill the gaps, each with the command to type; `sources`: whether the task names
    the passages that hold an answer."""
    usual, filled = ours.usual.manifest, _slots(ours.usual)
    by_slot = {change.slot: change for change in found}
    wanted: dict[str, dict[str, str]] = {}
    free = usual["decoding"] == "free"
    if free and "decoding=free" in usual["command"]:
        wanted["constraint"] = {"decoding": "constrained"}
    elif not free:
        wanted["constraint"] = {"controls": f"[{UNCONSTRAINED}]"}
    if "retrieval" in filled and sources:
        kinds = (f"{usual['rung']}_{kind}" for kind in (ORACLE, PLACEBO["retrieval"]))
        wanted["retrieval"] = {"controls": f"[{','.join(kinds)}]"}
    elif "retrieval" not in filled and has_corpus(usual):
        shots = {} if "shots" in filled else {"rung.shots": "null"}
        wanted["retrieval"] = {"rung": "rag", **shots}
    if not filled.keys() & {"retrieval", "shots"}:
        wanted["shots"] = {"rung": "few_shot"}
    if has_tools(usual) and not filled.keys() & {"retrieval", "tools"}:
        wanted["tools"] = {"rung": "tools", **({} if "shots" in filled else {"rung.shots": "null"})}
    wanted["tuning"] = {"rung": "rag_lora" if "retrieval" in filled else "lora"}
    lacking = [
        Missing(slot, "change", typed(usual["command"], words))
        for slot, words in wanted.items()
        if slot not in by_slot
    ]
    for slot, kind in PLACEBO.items():
        change = by_slot.get(slot)
        if change and change.placebo is None:
            of = _rung_of(change, rungs).manifest
            words = {"controls": f"[{of['rung']}_{kind}]"}
            lacking.append(Missing(slot, "placebo", typed(of["command"], words)))
    return lacking


def _change(
    slot: str,
    base: RungResult,
    ours: Reference,
    rungs: Sequence[RungResult],
    controls: Sequence[RungResult],
) -> Change | None:
    """The change of one slot. Of several runs one whose placebo was run, then the one in which the
    least else differs, then the best on dev. What the base retrieves is changed by a control: the
    right passages in its place."""
    given = slot in _slots(base)
    if given and slot != "retrieval":
        return None

    def beside(rung: RungResult, kind: str | None) -> RungResult | None:
        of = (c for c in controls if c.control == kind and _is_of(c, rung) and _alike(c, base))
        return next(of, None)

    def distance(rung: RungResult) -> tuple[bool, int, float]:
        dev = rung.dev.value if rung.dev else 0.0
        return beside(rung, PLACEBO.get(slot)) is None, len(_also(base, rung)), -dev

    others = [ours.usual] if given else list(_filling(slot, base, rungs))
    best = min(others, key=distance, default=None)
    oracle = beside(best, ORACLE) if best and slot == "retrieval" else None
    if best is None or (given and oracle is None):
        return None
    return Change(
        slot,
        run=oracle or best,
        base=base,
        placebo=beside(best, PLACEBO.get(slot)),
        searched=None if slot != "retrieval" else base if given else best,
        also=_also(base, best),
    )


def _filling(slot: str, base: RungResult, rungs: Sequence[RungResult]) -> Iterator[RungResult]:
    """Rungs that fill this slot, which the base leaves empty, and change no other: a tuned one
    may do without the examples that its training took the place of."""
    ours = _slots(base)
    for rung in rungs:
        theirs = _slots(rung)
        gone = ours.keys() - theirs.keys() - ({"shots"} if slot == "tuning" else set())
        foreign = [k for k in ours.keys() & theirs.keys() if k not in KIND_OF_SLOT]
        if (
            theirs.keys() - ours.keys() == {slot}
            and not gone
            and all(ours[k] == theirs[k] for k in foreign)
            and _alike(rung, base)
        ):
            yield rung


def _free(
    rung: RungResult, rungs: Sequence[RungResult], controls: Sequence[RungResult]
) -> RungResult | None:
    """What the same rung wrote without the constraint; None if that was not run."""
    if rung.manifest["decoding"] == "free":
        return None
    same = [r for r in rungs if _settings(r) == _settings(rung)]
    same += [c for c in controls if c.control == UNCONSTRAINED and _is_of(c, rung)]
    free = (r for r in same if r.manifest["decoding"] == "free" and _one_model(r, rung))
    return next(free, None)


def _settings(run: RungResult) -> dict[str, Any]:
    """How the rung was set; of a control, how the rung is set that it stands beside."""
    settings = answered_with(run.manifest)
    of = settings.get("of")
    return dict(of if isinstance(of, dict) else settings)


def _slots(run: RungResult) -> dict[str, Any]:
    """The slots that are filled, by name: what describes an object, or several. That of a dialogue
    is its class, as retries and tools are different changes."""
    described: dict[str, Any] = {
        k: v for k, v in _settings(run).items() if v and isinstance(v, dict | list)
    }
    if talk := described.pop("dialogue", None):
        described[str(talk["_target_"]).lower()] = talk
    return described


def _is_of(control: RungResult, rung: RungResult) -> bool:
    """Whether a control stands beside this rung."""
    told, of = control.manifest["identity"]["rung"], control.manifest["control"]["of"]
    if "of" in told:
        return bool(told["of"] == _settings(rung))
    return bool(of == rung.manifest["rung"])


def _rung_of(change: Change, rungs: Sequence[RungResult]) -> RungResult:
    """The rung of a change: itself, or the one that it is a control of."""
    if change.run.control is None:
        return change.run
    return next((r for r in rungs if _is_of(change.run, r)), change.base)


def _alike(run: RungResult, base: RungResult) -> bool:
    """Whether two runs answered under the same conditions."""
    same = run.manifest["decoding"] == base.manifest["decoding"]
    return same and _one_model(run, base) and learned_alike(run, base)


def _one_model(run: RungResult, other: RungResult) -> bool:
    return bool(run.manifest["identity"]["model"] == other.manifest["identity"]["model"])


def _also(base: RungResult, run: RungResult) -> list[str]:
    """What else is set otherwise: settings of slots that both fill, what is said, what is gone."""
    ours, theirs = _settings(base), _settings(run)
    filled, kept = _slots(base), _slots(run)
    before = {k: ours.get(k) for k in SETTINGS} | {k: filled[k] for k in filled if k in kept}
    after = {k: theirs.get(k) for k in SETTINGS} | {k: kept[k] for k in kept if k in filled}
    was, now = dict(_flat(before)), dict(_flat(after))
    said = [f"{k} {was.get(k)} → {now.get(k)}" for k in {**was, **now} if was.get(k) != now.get(k)]
    return [*said, *(f"without {slot}" for slot in filled if slot not in kept)]


def _flat(settings: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in settings.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value


def typed(command: str, words: Mapping[str, str], without: Collection[str] = ()) -> str:
    """A command with some words set otherwise, and some left out."""
    gone = {word.lstrip("+") for word in (*words, *without)}
    kept = [w for w in shlex.split(command) if w.lstrip("+").partition("=")[0] not in gone]
    return shlex.join([*kept, *(f"{key}={value}" for key, value in words.items())])
