"""The declared contrasts of one ladder, and the questions that they are about."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.evidence.contrasts import Contrast, Contrasts, Side, adjusted, compare
from harness.report.ladder import Row

__all__ = ["changes", "changes_path", "contrasts", "reading", "write_changes"]


def contrasts(rows: Sequence[Row]) -> list[Contrast]:
    """Every contrast that all runs of a ladder declared, corrected as one family.

    Runs of one key are seeds of the same thing. Empty if the primary metric has no value for a
    single question.
    """
    declared = _declared(rows)
    if declared is None or not all(row.values for row in rows):
        return []
    seeds: dict[str, list[Row]] = {}
    for row in rows:
        seeds.setdefault(row.key, []).append(row)
    found = []
    for rung, baseline in declared.pairs({k: r[0].manifest["rung"] for k, r in seeds.items()}):
        if seeds[rung][0].manifest["model"] != seeds[baseline][0].manifest["model"]:
            continue
        found.append(
            compare(
                _side(rung, seeds[rung]),
                _side(baseline, seeds[baseline]),
                rows[0].manifest["primary"],
                rows[0].groups,
                margin=declared.margin,
            )
        )
    return adjusted(found)


def reading(found: Sequence[Contrast]) -> str:
    """How to read the table of contrasts, and what it does not cover."""
    tests = ", ".join(dict.fromkeys(c.test for c in found if not c.identical)) or "no test"
    return (
        f"{tests} over {found[0].groups} groups of questions; detectable: the smallest true "
        f"difference found with 80% power; {_noise(found)}. "
        "No detectable difference is not equality."
    )


def _noise(found: Sequence[Contrast]) -> str:
    """Whether chance in the rungs themselves is covered."""
    single = ", ".join(dict.fromkeys(name for c in found for name in c.one_seed))
    if single:
        return (
            f"one seed each of {single}: the noise of training and of drawing shots is not measured"
        )
    seeds = {n for c in found for n in c.seeds if n is not None}
    if not seeds:
        return "nothing in these rungs is random"
    counts = " to ".join(str(n) for n in sorted({min(seeds), max(seeds)}))
    return f"over {counts} seeds of each random rung"


def changes(rows: Sequence[Row], found: Sequence[Contrast]) -> list[dict[str, Any]]:
    """The questions that a rung got better or worse than its baseline.

    Values and answers are those of the first seed of each, the baseline's first.
    """
    first = {row.key: row for row in reversed(rows)}
    texts = {key: {p.id: p.text for p in row.folder.predictions()} for key, row in first.items()}
    return [
        {
            "rung": c.rung,
            "baseline": c.baseline,
            "change": change,
            "id": i,
            "values": [first[key].values[i] for key in (c.baseline, c.rung)],
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


def _side(rung: str, rows: Sequence[Row]) -> Side:
    """The runs of one key; the seed of a rung that is not random is None."""
    return Side(rung, [row.values for row in rows], rows[0].manifest["seed"] is not None)


def _declared(rows: Sequence[Row]) -> Contrasts | None:
    """What the runs agree on having declared; None if they do not."""
    said = [row.manifest["contrasts"] for row in rows]
    return Contrasts(**said[0]) if all(one == said[0] for one in said) else None
