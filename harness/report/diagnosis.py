"""What would fix what fails: in sentences, in tables, and by example."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from harness.analysis.diagnosis import Case, Diagnosis
from harness.analysis.findings import Findings
from harness.analysis.repairs import NONE, SEVERAL, Repair, Share, Split
from harness.analysis.single_changes import typed
from harness.answer.json_object import first_object
from harness.report.formatting import Table, percent, with_interval

__all__ = [
    "CHANGED",
    "Example",
    "examples",
    "hint",
    "name",
    "rows",
    "sentences",
    "tables",
    "telling",
    "whose",
]

NAMES = {
    ("format", ""): "format: the constraint",
    ("knowledge", ""): "knowledge: the right passages",
    ("knowledge", "missed"): "knowledge: missed by retrieval",
    ("knowledge", "unread"): "knowledge: retrieved, not read",
    ("knowledge", "found"): "knowledge: found by retrieval",
    ("behaviour", ""): "behaviour: examples or tuning",
    ("behaviour", "examples"): "worked examples",
    ("behaviour", "tuning"): "tuning",
    ("action", ""): "action: a tool",
    (SEVERAL, ""): "more than one of these",
    (NONE, ""): "none of these",
}
SAID = {
    ("format", ""): "{share} of the errors of {rung} vanish with the constraint alone",
    ("knowledge", ""): "{share} of the errors of {rung} vanish with the right passages alone",
    ("knowledge", "missed"): "{share} of the errors of {rung} are passages that were not found",
    ("knowledge", "unread"): "{share} of the errors of {rung} are passages that were shown and "
    "not used",
    ("knowledge", "found"): "{share} of the errors of {rung} vanish with retrieval alone",
    ("behaviour", "examples"): "{share} of the errors of {rung} vanish with worked examples alone",
    ("behaviour", "tuning"): "{share} of the errors of {rung} vanish with tuning alone",
    ("action", ""): "{share} of the errors of {rung} vanish with tools alone",
    (SEVERAL, ""): "{share} of the errors of {rung} vanish with more than one of these",
    (NONE, ""): "{share} of the errors of {rung} vanish with nothing that was tried: too hard for "
    "this model, or a doubtful target",
}
CHANGED = {
    "constraint": "the constraint",
    "retrieval": "the right passages",
    "shots": "worked examples",
    "tuning": "tuning",
    "tools": "tools",
}
PER_ROW = 3
"""Errors shown of each row; all of them are in the file beside the page."""


@dataclass(frozen=True)
class Example:
    """One error to read."""

    case: Case
    what: str
    """What repairs it."""
    input: str
    target: str
    wrong: str
    right: str | None


def telling(diagnosis: Diagnosis | None) -> bool:
    """Whether there is enough to show: at least two kinds of change that can be told apart."""
    return diagnosis is not None and len(diagnosis.kinds) > 1


def hint(found: Findings) -> str:
    """The command that runs what is missing, if there is too little to show; nothing for a few
    questions, or where nothing is tuned or retrieved."""
    first = found.manifest
    if telling(found.diagnosis) or found.diagnosis is None or first["limit"] is not None:
        return ""
    more = {"+experiment": "diagnosis"}
    command = typed(first["command"], more, without=("rung", "seed", "controls", "decoding"))
    rung = found.diagnosis.reference.usual.label
    return f"What would fix what {rung} gets wrong: {command}"


def sentences(diagnosis: Diagnosis) -> list[str]:
    """One for each kind and part that was measured, with the net share and its interval.

    Of the errors under the constraint, but for what the constraint repairs of those without it.
    """
    left = diagnosis.usual or diagnosis.whole
    said = []
    for (kind, part), text in SAID.items():
        split = diagnosis.whole if kind == "format" else left
        share = split.share(kind, part)
        if share and (part or kind != "knowledge" or not _parts(split, kind)):
            value, _, bounds = with_interval(share.alone.net).partition(" ")
            shown = f"{value}% {bounds}".strip()
            said.append(text.format(share=shown, rung=whose(split, diagnosis)))
    return said


def whose(split: Split, told: Diagnosis) -> str:
    """What the rung is called whose errors these are."""
    ours = told.reference
    free = split is told.whole and ours.rung is not ours.usual
    return f"{ours.usual.label} without the constraint" if free else ours.usual.label


def name(share: Share, split: Split) -> str:
    """What a row is called."""
    if share.kind == SEVERAL and share.part:
        return share.part
    if share.kind == "behaviour" and not share.part and (parts := _parts(split, "behaviour")):
        return "behaviour: " + " or ".join(NAMES["behaviour", part] for part in parts)
    return NAMES[share.kind, share.part]


def rows(split: Split) -> list[Share]:
    """Shares that add up to 1: knowledge in its parts, the other kinds whole."""
    split_up = {"knowledge"} if _parts(split, "knowledge") else set()
    return [s for s in split.shares if bool(s.part) == (s.kind in split_up)]


def tables(found: Findings) -> list[Table]:
    """What repairs the errors; then by field and slice."""
    told = found.diagnosis
    if told is None or not telling(told):
        return []
    return [
        _split(told.whole, told, _notes(told)),
        *([_split(told.usual, told, ())] if told.usual and told.usual is not told.whole else []),
        *_slices(told),
    ]


def examples(found: Findings) -> list[Example]:
    """A few errors of each row of the figure, to read."""
    told = found.diagnosis
    if told is None or not telling(told):
        return []
    shown = []
    for share in rows(told.whole):
        mine = [
            case
            for case in told.cases
            if case.kind == share.kind and (not share.part or case.part == share.part)
        ]
        # Those that the placebo repairs too explain nothing; doubted targets come first.
        best = sorted(mine, key=lambda case: (bool(case.by_placebo), case.suspicion is None))
        shown += [_example(case, name(share, told.whole), found) for case in best[:PER_ROW]]
    return shown


def _example(case: Case, what: str, found: Findings) -> Example:
    question: dict[str, Any] = dict(found.ladder.questions.get(case.id, {}))
    wrong, right = case.answers
    return Example(
        case,
        what,
        input=str(question.get("input", "")),
        target=_value(str(question.get("target", "")), case.field),
        wrong=_value(wrong, case.field),
        right=None if right is None else _value(right, case.field),
    )


def _value(text: str, field: str | None) -> str:
    """One field of a JSON answer as text, or all of an answer that cannot be read."""
    value = first_object(text).value if field else None
    if not isinstance(value, dict):
        return text
    if field not in value:
        return "(not there)"
    return value[field] if isinstance(value[field], str) else json.dumps(value[field])


def _split(split: Split, told: Diagnosis, notes: Sequence[str]) -> Table:
    return Table(
        f"what would fix what {whose(split, told)} gets wrong: % of {split.errors} wrong "
        f"{split.unit} of {split.n} (95% interval, each on its own)",
        ["what repairs them", "alone", "by chance", "alone, net", "whatever else does"],
        [
            [
                ("· " if share.part else "") + name(share, split),
                percent(share.alone.gross),
                _chance(share.alone, share.kind, told),
                with_interval(share.alone.net),
                with_interval(share.reach.net) if share.reach else "",
            ]
            for share in split.shares
            if not share.part
            or (share.part in _parts(split, share.kind) and len(_parts(split, share.kind)) > 1)
        ],
        prose=["what repairs them"],
        notes=notes,
    )


def _chance(repair: Repair, kind: str, told: Diagnosis) -> str:
    """Nothing where no placebo of this kind was run."""
    run = [change for change in told.changes if kind in (change.kind, SEVERAL, NONE)]
    return percent(repair.chance) if any(change.placebo for change in run) else ""


def _parts(split: Split, kind: str) -> list[str]:
    """The parts of a kind; of several those that repair something."""
    of_kind = [share for share in split.shares if share.kind == kind and share.part]
    return [s.part for s in of_kind if kind != SEVERAL or s.alone.gross or s.alone.chance]


def _slices(told: Diagnosis) -> list[Table]:
    if not told.others:
        return []
    whole = rows(told.whole)
    lines = []
    for split in told.others:
        cells = [split.share(share.kind, share.part) for share in whole]
        shown = [percent(cell.alone.net.value) if cell else "" for cell in cells]
        lines.append([split.scope or f"by {split.unit}", str(split.errors), *shown])
    headings = ["errors of", "errors", *(name(share, told.whole) for share in whole)]
    return [Table("what would fix them, by slice: % alone, net", headings, lines)]


def _notes(told: Diagnosis) -> list[str]:
    """How to read the table, and what was not measured."""
    ours = told.reference
    chosen = {"dev": "chosen on dev", "declared": "as declared", "place": "the last of the ladder"}
    said = [f"{ours.usual.label} is the best untuned rung, {chosen[ours.chosen_by]}."]
    held = [CHANGED[c.slot] for c in told.changes if c.base is not ours.rung]
    if held:
        said.append(
            f"Tried under the constraint only: {', '.join(held)}; they count where the constraint "
            "alone does not repair."
        )
    said += [
        f"{CHANGED[c.slot].capitalize()} ({c.run.label}) also differs: {', '.join(c.also)}."
        for c in told.changes
        if c.also
    ]
    bare = [CHANGED[c.slot] for c in told.changes if c.placebo is None]
    if bare:
        said.append(f"By chance: nothing was subtracted for {', '.join(bare)}.")
    if len(bare) < len(told.changes):
        said.append("What placebos repair counts as repaired by none of these.")
    for one in told.missing:
        what = CHANGED[one.slot] if one.what == "change" else f"the placebo of {CHANGED[one.slot]}"
        said.append(f"Not measured: {what}. {one.command}")
    return said
