"""What a report says in tables: the same for the terminal, for HTML and for MLflow."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean, stdev

from harness.evidence.statistics import Interval
from harness.report.costs import costs
from harness.report.entries import Entry, footnote
from harness.report.findings import Findings
from harness.report.text import Table, percent, with_interval

__all__ = ["sections", "tables"]

SCORES = (
    "exact", "accuracy", "macro_f1", "token_f1", "contains", "rouge_l", "valid",
    "kind/format", "kind/behaviour", "kind/knowledge", "kind/action",
)  # fmt: skip
"""Metrics beside the primary one that the first table shows, as far as a task has them."""

KNOWLEDGE = "kind/knowledge"
PASSED = {True: "✓", False: "✗"}


def tables(found: Findings) -> list[Table]:
    """All tables of one ladder."""
    return [table for part in sections(found).values() for table in part]


def sections(found: Findings) -> dict[str, list[Table]]:
    """The tables by what they are about, in the order in which they are read."""
    ladder = found.ladder
    everything = [*ladder, *(one.control for one in found.controls)]
    return {
        "ladder": [*_scores(found), *_seeds(everything), *_answers(ladder)],
        "contrasts": _contrasts(found),
        "slices": _slices(ladder),
        "controls": [*_controls(found), *_decodings(ladder)],
        "effort": _trials(ladder),
        "cost": costs(ladder, found.contrasts),
        "badges": _badges(found),
    }


def _scores(found: Findings) -> list[Table]:
    ladder = found.ladder
    if not ladder:
        return []
    primary = ladder[0].manifest["primary"]
    others = _measured(ladder, [name for name in SCORES if name != primary])
    return [
        Table(
            "scores, % (95% interval)",
            ["rung", "n", "seeds", primary, *(name.removeprefix("kind/") for name in others)],
            [
                [
                    entry.label,
                    str(entry.manifest["n"]),
                    entry.seeds,
                    with_interval(entry.primary),
                    *(percent(m.value) if (m := entry.metric(name)) else "" for name in others),
                ]
                for entry in ladder
            ],
            # The contrasts say it among their notes, if there are any.
            notes=[*filter(None, [footnote(ladder), "" if found.contrasts else found.chosen])],
        )
    ]


def _seeds(everything: Sequence[Entry]) -> list[Table]:
    """Each seed's own value, where there are several."""
    several = [entry for entry in everything if len(entry.rows) > 1]
    if not several:
        return []
    lines = []
    for entry in several:
        values = [row.primary.value for row in entry.rows]
        each = [f"{row.manifest['seed']}: {percent(row.primary.value)}" for row in entry.rows]
        lines.append([entry.label, ", ".join(each), percent(fmean(values)), percent(stdev(values))])
    headings = ["rung", "of each seed", "mean", "standard deviation"]
    title = f"seeds: {several[0].manifest['primary']}, %"
    return [Table(title, headings, lines, prose=["of each seed"])]


def _contrasts(found: Findings) -> list[Table]:
    """Whether the differences are real."""
    if not found.contrasts:
        return []
    labels = {entry.key: entry.label for entry in found.ladder}
    verdicts = [
        f"{v.contrast.verdict}, blocked" if v.blocked else v.contrast.verdict
        for v in found.verdicts
    ]
    return [
        Table(
            f"declared contrasts: {found.contrasts[0].metric}, paired by question, points "
            "(95% interval)",
            ["rung – baseline", "difference", "p (Holm)", "detectable", "better on", "worse on",
             "verdict"],
            [
                [
                    f"{labels[c.rung]} – {labels[c.baseline]}",
                    with_interval(c.delta),
                    f"{c.p_adjusted:.4f}" if c.p_adjusted >= 0.0001 else "<0.0001",
                    "" if c.identical else percent(c.detectable),
                    str(len(c.improved)),
                    str(len(c.worsened)),
                    verdict,
                ]
                for c, verdict in zip(found.contrasts, verdicts, strict=True)
            ],
            prose=["verdict"],
            notes=found.notes,
        )
    ]  # fmt: skip


def _slices(ladder: Sequence[Entry]) -> list[Table]:
    """The kinds of field over all questions, and the primary metric of each tag value."""
    if not ladder:
        return []
    primary = ladder[0].manifest["primary"]
    kinds = _measured(ladder, [name for name in SCORES if name.startswith("kind/")])
    tags = dict.fromkeys(tag for e in ladder for row in e.rows for tag in row.slices)
    wanted = [(f"{kind.removeprefix('kind/')} fields", "", kind) for kind in kinds]
    for tag in tags:
        wanted += [(tag, tag, primary), ("  its knowledge fields", tag, KNOWLEDGE)]
    lines = []
    for name, tag, metric in wanted:
        cells = [entry.slice(tag, metric) if tag else entry.metric(metric) for entry in ladder]
        known = [c for c in cells if c is not None]
        if known:
            lines.append([name, str(known[0].n), *(with_interval(c) if c else "" for c in cells)])
    headings = ["slice", "n", *(entry.label for entry in ladder)]
    return [Table(f"kinds and slices: {primary}, % (95% interval)", headings, lines)] * bool(lines)


def _controls(found: Findings) -> list[Table]:
    if not found.controls:
        return []
    primary = found.controls[0].control.manifest["primary"]
    lines = []
    for one in found.controls:
        lines.append(
            [
                one.control.label,
                with_interval(one.control.primary),
                one.rung.label if one.rung else "",
                with_interval(one.difference) if one.difference else "",
                one.shows,
            ]
        )
    note = "Exploratory: controls are in no declared contrast, and nothing here is corrected."
    marked = [*(one.control for one in found.controls), *(o.rung for o in found.controls if o.rung)]
    return [
        Table(
            f"controls: {primary}, % (95% interval)",
            ["control", primary, "held against", "rung – control", "what it shows"],
            lines,
            prose=["what it shows"],
            notes=[note, *filter(None, [footnote(marked)])],
        )
    ]


def _decodings(ladder: Sequence[Entry]) -> list[Table]:
    """What rungs score on dev with and without the constraint: format by grammar or by tuning?"""
    both = [(e, free) for e in ladder if (free := e.manifest["dev_free"])]
    if not both:
        return []
    lines = []
    for entry, free in both:
        difference = Interval(**free["difference"]) if "difference" in free else None
        lines.append(
            [
                entry.label,
                str(free["n"]),
                percent(free["value"] + difference.value) if difference else "",
                percent(free["value"]),
                with_interval(difference) if difference else "",
            ]
        )
    headings = ["rung", "n", "constrained", "free", "constrained – free"]
    title = f"format by grammar or by tuning? {ladder[0].manifest['primary']} on dev, %"
    return [Table(title, headings, lines)]


def _trials(ladder: Sequence[Entry]) -> list[Table]:
    """How many settings each rung tried on dev, and how far apart they were."""
    tried = [entry for entry in ladder if entry.trials]
    if not tried:
        return []
    lines = []
    for entry in tried:
        values = [trial["value"] for trial in entry.trials]
        chosen = entry.trials[entry.manifest["chosen"]]
        lines.append(
            [
                entry.label,
                str(len(values)),
                percent(min(values)),
                percent(max(values)),
                percent(chosen["value"]),
                chosen["settings"] or "as in its YAML",
            ]
        )
    headings = ["rung", "trials", "worst", "best", "chosen", "its settings"]
    n = tried[0].trials[0]["n"]
    title = f"effort: {ladder[0].manifest['primary']} on {n} dev questions, %"
    return [Table(title, headings, lines, prose=["its settings"])]


def _answers(ladder: Sequence[Entry]) -> list[Table]:
    """How answers ended, and whether they could be read at all."""
    recalls = sorted(
        {m for e in ladder for r in e.rows for m in r.metrics if m.startswith("recall_at_")}
    )
    lines = []
    for entry in ladder:
        n = entry.manifest["n"]
        shares = {
            name: entry.mean(lambda row, name=name: row.metrics[name].value)  # type: ignore[misc]
            for name in ("stopped", "truncated", "readable", "failed")
        }
        lines.append(
            [
                entry.label,
                percent(shares["stopped"]),
                _count(shares["truncated"] * n),
                _count((1 - shares["readable"]) * n),
                _count(shares["failed"] * n),
                *(with_interval(m) if (m := entry.metric(name)) else "" for name in recalls),
            ]
        )
    headings = ["rung", "stopped by itself, %", "cut off", "unreadable", "failed", *recalls]
    return [Table("answers (counts per seed)", headings, lines)] * bool(lines)


def _badges(found: Findings) -> list[Table]:
    """Which checks each rung passed, and what was seen where it did not."""
    names = list(dict.fromkeys(b.name for badges in found.badges.values() for b in badges))
    if not names:
        return []
    labels = {entry.key: entry.label for entry in found.ladder}
    lines = []
    for key, badges in found.badges.items():
        passed = {badge.name: PASSED[badge.passed] for badge in badges}
        lines.append([labels[key], *(passed.get(name, "") for name in names)])
    failed = {
        labels[key]: [badge.text for badge in badges if not badge.passed]
        for key, badges in found.badges.items()
    }
    notes = [f"✗ {label} {'; '.join(texts)}." for label, texts in failed.items() if texts]
    return [Table("badges: is a score worth reading?", ["rung", *names], lines, notes=notes)]


def _measured(ladder: Sequence[Entry], names: Sequence[str]) -> list[str]:
    return [name for name in names if any(name in r.metrics for e in ladder for r in e.rows)]


def _count(mean: float) -> str:
    """A count, or the mean of the seeds' counts."""
    return f"{mean:.1f}".removesuffix(".0")
