"""All that a report says in tables."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean, stdev

from harness.analysis.findings import Findings
from harness.analysis.rungs import RungResult
from harness.evidence.statistics import Interval
from harness.report import diagnosis
from harness.report.ablation import ablation_tables
from harness.report.advice import rule_table
from harness.report.control_sentences import sentence
from harness.report.cost_tables import costs
from harness.report.data_quality import data_quality
from harness.report.dialogues import decoded_freely, dialogue_tables
from harness.report.formatting import DASH, Table, footnote, percent, seeds, with_interval
from harness.report.knowledge_update import tables as update_tables
from harness.report.learning_curve import hidden, learning_curves
from harness.report.probe_tables import broken, calibrated, consistent
from harness.report.prompt_search import search_tables
from harness.report.slice_tables import slices
from harness.report.verdicts import chosen, notes, verdicts

__all__ = ["contrasts", "elsewhere", "failed_badges", "scores", "sections", "tables"]

PASSED = {True: "✓", False: "✗"}


def tables(found: Findings) -> list[Table]:
    """All tables of one ladder."""
    return [table for part in sections(found).values() for table in part]


def sections(found: Findings) -> dict[str, list[Table]]:
    """The tables by what they are about, in the order in which they are read."""
    everything = [*found.rungs, *(one.control for one in found.controls)]
    return {
        "recommendation": rule_table(found),
        "ladder": [*scores(found), *_seeds(everything), *_answers(found.rungs)],
        "contrasts": contrasts(found),
        "diagnosis": diagnosis.tables(found),
        "amount": learning_curves(found),
        "slices": slices(found),
        "ablation": ablation_tables(found),
        "controls": [*_controls(found), *_decodings(found.rungs)],
        "effort": [*_trials(found.rungs), *search_tables(found)],
        "dialogues": dialogue_tables(found),
        "broken": broken(found),
        "consistency": consistent(found),
        "calibration": calibrated(found),
        "facts": update_tables(found),
        "cost": costs(found.costs),
        "badges": _badges(found),
        "data": data_quality(found),  # last: it quotes at length, and descriptions are cut
    }


def failed_badges(found: Findings) -> list[str]:
    """What was seen of each rung that failed a badge, one line each."""
    failed = {
        found.labels[key]: [badge.text for badge in badges if not badge.passed]
        for key, badges in found.checks.items()
    }
    return [f"✗ {label} {'; '.join(texts)}." for label, texts in failed.items() if texts]


def scores(found: Findings) -> list[Table]:
    """The primary metric of each rung with its interval, and the measures beside it."""
    if not found.rungs:
        return []
    names = [name.removeprefix("kind/") for name in found.measures]
    return [
        Table(
            "scores, % (95% interval)",
            ["rung", "n", "seeds", found.primary, *names],
            [
                [
                    rung.label,
                    str(rung.manifest["n"]),
                    seeds(rung),
                    with_interval(rung.primary),
                    *(percent(m.value) if (m := rung.metric(n)) else "" for n in found.measures),
                ]
                for rung in found.rungs
            ],
            # The contrasts say it among their notes, if there are any.
            notes=[
                *filter(
                    None,
                    [
                        footnote(found.rungs),
                        elsewhere(found),
                        decoded_freely(found),
                        hidden(found),
                        "" if found.contrasts else chosen(found),
                    ],
                )
            ],
        )
    ]


def elsewhere(found: Findings) -> str:
    """What must be known of answers that were made elsewhere; nothing without any."""
    if not found.plan.elsewhere:
        return ""
    return (
        f"{', '.join(found.plan.elsewhere)}: answered elsewhere, not under this ladder's decoding; "
        "what made the answers, and whether it had seen these questions, is not known here"
    )


def _seeds(everything: Sequence[RungResult]) -> list[Table]:
    """Each seed's own value, where there are several."""
    several = [rung for rung in everything if len(rung.runs) > 1]
    if not several:
        return []
    lines = []
    for rung in several:
        values = [run.primary.value for run in rung.runs]
        each = [f"{run.manifest['seed']}: {percent(run.primary.value)}" for run in rung.runs]
        lines.append([rung.label, ", ".join(each), percent(fmean(values)), percent(stdev(values))])
    headings = ["rung", "of each seed", "mean", "standard deviation"]
    title = f"seeds: {several[0].manifest['primary']}, %"
    return [Table(title, headings, lines, prose=["of each seed"])]


def contrasts(found: Findings) -> list[Table]:
    """Whether the differences are real."""
    if not found.contrasts:
        return []
    lines = []
    for verdict in verdicts(found):
        c = verdict.contrast
        lines.append(
            [
                f"{found.labels[c.rung]} – {found.labels[c.baseline]}",
                with_interval(c.delta),
                f"{c.p_adjusted:.4f}" if c.p_adjusted >= 0.0001 else "<0.0001",
                "" if c.identical else percent(c.detectable),
                str(len(c.improved)),
                str(len(c.worsened)),
                f"{c.verdict}, blocked" if verdict.blocked else c.verdict,
            ]
        )
    steps = sorted({1 - c.step for c in found.contrasts})
    levels = dict.fromkeys(f"{100 * level:.3g}%" for level in (steps[0], steps[-1]))
    return [
        Table(
            f"declared contrasts: {found.contrasts[0].metric}, paired by question, points "
            f"({' to '.join(levels)} interval, by Holm)",
            ["rung – baseline", "difference", "p (Holm)", "detectable", "better on", "worse on",
             "verdict"],
            lines,
            prose=["verdict"],
            notes=notes(found),
        )
    ]  # fmt: skip


def _controls(found: Findings) -> list[Table]:
    if not found.controls:
        return []
    lines = [
        [
            one.control.label,
            with_interval(one.control.primary),
            one.rung.label if one.rung else "",
            with_interval(one.difference) if one.difference else "",
            sentence(one),
        ]
        for one in found.controls
    ]
    note = "Exploratory: controls are in no declared contrast, and nothing here is corrected."
    marked = [*(one.control for one in found.controls), *(o.rung for o in found.controls if o.rung)]
    return [
        Table(
            f"controls: {found.primary}, % (95% interval, each on its own)",
            ["control", found.primary, "held against", "rung – control", "what it shows"],
            lines,
            prose=["what it shows"],
            notes=[note, *filter(None, [footnote(marked)])],
        )
    ]


def _decodings(ladder: Sequence[RungResult]) -> list[Table]:
    """What rungs score on dev with and without the constraint: format by grammar or by tuning?"""
    both = [(rung, free) for rung in ladder if (free := rung.manifest["dev_free"])]
    if not both:
        return []
    lines = []
    for rung, free in both:
        difference = Interval(**free["difference"]) if "difference" in free else None
        lines.append(
            [
                rung.label,
                str(free["n"]),
                percent(free["value"] + difference.value) if difference else "",
                percent(free["value"]),
                with_interval(difference) if difference else "",
            ]
        )
    headings = ["rung", "n", "constrained", "free", "constrained – free"]
    title = f"format by grammar or by tuning? {ladder[0].manifest['primary']} on dev, %"
    return [Table(title, headings, lines)]


def _trials(ladder: Sequence[RungResult]) -> list[Table]:
    """How many settings each rung tried on dev, and how far apart they were."""
    tried = [rung for rung in ladder if rung.trials]
    if not tried:
        return []
    lines = []
    for rung in tried:
        values = [trial["value"] for trial in rung.trials]
        chosen = rung.trials[rung.manifest["chosen"]]
        lines.append(
            [
                rung.label,
                str(len(values)),
                percent(min(values)),
                percent(max(values)),
                percent(chosen["value"]),
                chosen["settings"] or "as in its YAML",
            ]
        )
    headings = ["rung", "trials", "worst", "best", "chosen", "its settings"]
    counts = sorted({rung.trials[0]["n"] for rung in tried})
    n = " to ".join(str(count) for count in dict.fromkeys((counts[0], counts[-1])))
    title = f"effort: {ladder[0].manifest['primary']} on {n} dev questions, %"
    return [Table(title, headings, lines, prose=["its settings"])]


def _answers(ladder: Sequence[RungResult]) -> list[Table]:
    """How answers ended, and whether they could be read at all."""
    recalls = sorted({m for rung in ladder for m in rung.metrics if m.startswith("recall_at_")})
    lines = []
    for rung in ladder:
        n = rung.manifest["n"]
        shares = {
            name: rung.mean(lambda run, name=name: run.metrics[name].value)  # type: ignore[misc]
            for name in ("stopped", "truncated", "readable", "failed")
        }
        lines.append(
            [
                rung.label,
                DASH if rung.elsewhere else percent(shares["stopped"]),
                DASH if rung.elsewhere else _count(shares["truncated"] * n),
                _count((1 - shares["readable"]) * n),
                _count(shares["failed"] * n),
                *(with_interval(m) if (m := rung.metric(name)) else "" for name in recalls),
            ]
        )
    headings = ["rung", "stopped by itself, %", "cut off", "unreadable", "failed", *recalls]
    return [Table("answers (counts per seed)", headings, lines)] * bool(lines)


def _badges(found: Findings) -> list[Table]:
    """Which checks each rung passed, and what was seen where it did not."""
    names = list(dict.fromkeys(b.name for badges in found.checks.values() for b in badges))
    if not names:
        return []
    lines = []
    for key, badges in found.checks.items():
        passed = {badge.name: PASSED[badge.passed] for badge in badges}
        lines.append([found.labels[key], *(passed.get(name, "") for name in names)])
    notes = failed_badges(found)
    return [Table("badges: is a score worth reading?", ["rung", *names], lines, notes=notes)]


def _count(mean: float) -> str:
    """A count, or the mean of the seeds' counts."""
    return f"{mean:.1f}".removesuffix(".0")
