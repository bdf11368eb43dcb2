"""The declared contrasts of one ladder, and the questions that they are about."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.evidence.contrasts import Contrast, Contrasts, Side, adjusted, compare
from harness.report.entries import Entry, entries
from harness.report.ladder import Row
from harness.report.text import percent

__all__ = [
    "against",
    "best_untuned",
    "changes",
    "changes_path",
    "contrasts",
    "planned",
    "reading",
    "write_changes",
]


def contrasts(rows: Sequence[Row]) -> list[Contrast]:
    """Every contrast that all runs of a ladder declared, corrected as one family.

    Controls are never in it. Empty if the primary metric has no value for a single question.
    """
    ladder = {entry.key: entry for entry in entries(rows) if entry.control is None}
    declared = _declared(list(ladder.values()))
    if declared is None or not all(row.values for row in rows):
        return []
    rungs = {key: entry.manifest["rung"] for key, entry in ladder.items()}
    pairs = declared.declared(rungs, best_untuned(list(ladder.values())))
    once = {frozenset(pair): pair for pair in [*pairs, *_decodings(ladder)]}
    return adjusted(
        [
            against(ladder[rung], ladder[baseline], declared.margin)
            for rung, baseline in once.values()
            if _comparable(ladder[rung], ladder[baseline])
        ]
    )


def _decodings(ladder: Mapping[str, Entry]) -> list[tuple[str, str]]:
    """Each rung constrained against the same rung free, where a sweep ran both."""
    return [
        (key, other)
        for key, entry in ladder.items()
        for other, free in ladder.items()
        if _settings(entry) == _settings(free)
        and (entry.manifest["decoding"], free.manifest["decoding"]) == ("constrained", "free")
    ]


def _settings(entry: Entry) -> Any:
    """How its rung was set, or could be, whatever the decoding."""
    identity = entry.manifest["identity"]
    return [identity["rung"], identity.get("trials")]


def _comparable(entry: Entry, other: Entry) -> bool:
    """Whether two rungs answered under the same conditions; a rung may be compared with itself
    under another decoding."""
    ours, theirs = entry.manifest, other.manifest
    alike = ours["decoding"] == theirs["decoding"] or _settings(entry) == _settings(other)
    return bool(ours["model"] == theirs["model"] and alike)


def against(entry: Entry, baseline: Entry, margin: float | None = None) -> Contrast:
    """One line of the report compared with another, over all seeds of both."""
    return compare(
        _side(entry),
        _side(baseline),
        entry.manifest["primary"],
        entry.rows[0].groups,
        margin=margin,
    )


def _side(entry: Entry) -> Side:
    """The runs of one line; the seed of a rung that is not random is None."""
    random = entry.manifest["seed"] is not None
    return Side(entry.key, [row.values for row in entry.rows], random)


def best_untuned(ladder: Sequence[Entry]) -> dict[str, str]:
    """For each tuned rung, by key, the untuned rung of its model that is best on dev.

    The cheaper one of two that are equal. Without the rungs of a model of which not all untuned
    ones answered dev: eval must not choose.
    """
    best = {}
    for entry in ladder:
        rivals = _rivals(entry, ladder)
        known = [(rival.dev.value, rival.key) for rival in rivals if rival.dev]
        if entry.tuned and known and len(known) == len(rivals):
            best[entry.key] = max(known, key=lambda one: one[0])[1]
    return best


def planned(ladder: Sequence[Entry]) -> str:
    """Which contrasts were declared before anything ran, and how the best untuned was chosen."""
    declared = _declared(ladder)
    if declared is None:
        return "The runs declared different contrasts: none is tested."
    said = [f"every rung against {name}" for name in declared.against]
    here = {entry.manifest["rung"] for entry in ladder}
    said += [" against ".join(pair) for pair in declared.pairs if here >= set(pair)]
    tuned = [entry for entry in ladder if entry.tuned]
    if declared.best_untuned and tuned:
        chosen = best_untuned(ladder)
        said += dict.fromkeys(_choice(entry, ladder, chosen.get(entry.key)) for entry in tuned)
    return f"Declared before the run: {'; '.join(said)}." if said else ""


def _choice(entry: Entry, ladder: Sequence[Entry], best: str | None) -> str:
    """How the best untuned rung was found, in words."""
    rivals = _rivals(entry, ladder)
    what = "every tuned rung against the best untuned one"
    if best is None:
        unknown = ", ".join(rival.key for rival in rivals if not rival.dev) or "there is none"
        return f"{what}, which is not known (no answers on dev: {unknown})"
    values = ", ".join(f"{r.key} {percent(r.dev.value)}" for r in rivals if r.dev)
    n = rivals[0].dev.n if rivals[0].dev else 0
    return f"{what}, {best}, chosen on {n} dev questions ({values})"


def _rivals(entry: Entry, ladder: Sequence[Entry]) -> list[Entry]:
    """The untuned rungs of the same model and decoding."""
    return [
        e
        for e in ladder
        if not e.tuned and all(e.manifest[k] == entry.manifest[k] for k in ("model", "decoding"))
    ]


def reading(found: Sequence[Contrast]) -> str:
    """How to read the table of contrasts, and what it does not cover."""
    tests = ", ".join(dict.fromkeys(c.test for c in found if not c.identical)) or "no test"
    return (
        f"{tests} over {found[0].groups} groups of questions; detectable: the smallest true "
        "difference found with 80% power. No detectable difference is not equality."
    )


def changes(rows: Sequence[Row], found: Sequence[Contrast]) -> list[dict[str, Any]]:
    """The questions that a rung got better or worse than its baseline.

    Values are averaged over seeds, answers are those of the first seed; the baseline's come first.
    """
    lines = {entry.key: entry for entry in entries(rows)}
    used = {key for c in found for key in (c.baseline, c.rung)}
    texts = {k: {p.id: p.text for p in lines[k].rows[0].folder.predictions()} for k in used}
    return [
        {
            "rung": c.rung,
            "baseline": c.baseline,
            "change": change,
            "id": i,
            "values": [_value(lines[key], i) for key in (c.baseline, c.rung)],
            "answers": [texts[key][i] for key in (c.baseline, c.rung)],
        }
        for c in found
        for change, ids in (("improved", c.improved), ("worsened", c.worsened))
        for i in ids
    ]


def changes_path(rows: Sequence[Row]) -> Path:
    """`contrasts-<eval>.jsonl`, beside the rungs' folders."""
    name = f"contrasts-{rows[0].manifest['fingerprints']['eval'][:8]}.jsonl"
    return rows[0].folder.path.parents[1] / name


def write_changes(rows: Sequence[Row], found: Sequence[Contrast]) -> None:
    """Write the changed questions down, one line per contrast and question."""
    lines = [json.dumps(line, ensure_ascii=False) + "\n" for line in changes(rows, found)]
    changes_path(rows).write_text("".join(lines), encoding="utf-8")


def _value(entry: Entry, question: str) -> float:
    return entry.mean(lambda row: row.values[question])


def _declared(ladder: Sequence[Entry]) -> Contrasts | None:
    """What the runs agree on having declared; None if they do not."""
    said = [row.manifest["contrasts"] for entry in ladder for row in entry.rows]
    if not said or any(one != said[0] for one in said):
        return None
    # Older results were declared before there was a choice on dev, and before there were pairs.
    return Contrasts(**{"best_untuned": False, "pairs": []} | said[0])
