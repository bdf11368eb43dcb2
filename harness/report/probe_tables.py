"""Tables of what probes found: what tuning broke, consistency, calibration."""

from __future__ import annotations

from harness.analysis.findings import Findings
from harness.evidence.statistics import Interval
from harness.report.formatting import Table, percent, with_interval

__all__ = ["broken", "calibrated", "consistent", "plain"]


def broken(found: Findings) -> list[Table]:
    """What tuning did to everything but the task, and whether it learned train by heart."""
    return [*_forgetting(found), *_overfitting(found)]


def consistent(found: Findings) -> list[Table]:
    """Whether answers stay the same with another seed, and when a question is put otherwise."""
    return [*_seeds(found), *_perturbed(found)]


def calibrated(found: Findings) -> list[Table]:
    """Whether rungs know when they are right."""
    if not found.calibration:
        return []
    fields = any(one.field for one in found.calibration)
    lines = [
        [
            found.labels[one.rung],
            *([one.field or ""] if fields else []),
            str(one.accuracy.n),
            with_interval(one.accuracy),
            percent(one.confidence),
            with_interval(one.error),
            plain(one.brier),
            with_interval(one.covered),
        ]
        for one in found.calibration
    ]
    headings = [
        "rung", *(["field"] if fields else []), "n", "accuracy", "confidence",
        "calibration error", "Brier", "accuracy at 80% coverage",
    ]  # fmt: skip
    first = found.calibration[0]
    note = (
        "Probabilities of all candidates behind the real prompt, normalised; confidence: that of "
        "the answer given. Calibration error over 10 bins of equal mass, too high where there are "
        "few questions; Brier from 0 to 2; coverage: the most confident first. Intervals over "
        "questions."
    )
    title = f"calibration, % (95% interval): {first.accuracy.n} questions of eval"
    return [Table(title, headings, lines, notes=[note])]


def plain(interval: Interval, sign: str = "") -> str:
    """A number that is no share, with its 95% interval: 2.314 (2.201–2.427)."""
    bounds = interval.low, interval.high
    if bounds[0] is None or bounds[1] is None:
        return f"{interval.value:{sign}.3f}"
    dash = " to " if sign or bounds[0] < 0 else "–"
    return f"{interval.value:{sign}.3f} ({bounds[0]:{sign}.3f}{dash}{bounds[1]:{sign}.3f})"


def _forgetting(found: Findings) -> list[Table]:
    if not found.forgetting:
        return []
    lines = []
    for one in found.forgetting:
        (gate,) = found.gates[one.rung]
        in_format = "" if one.in_format is None else f"{one.in_format} of {len(one.instructions)}"
        lines.append(
            [
                found.labels[one.rung],
                plain(one.before),
                plain(one.after),
                plain(one.increase, "+"),
                f"{one.max_increase:g}",
                gate.outcome,
                plain(one.divergence) if one.divergence else "",
                in_format,
            ]
        )
    headings = [
        "rung", "before", "after", "increase", "limit", "gate", "KL to the base, task",
        "general answers in the task's format",
    ]  # fmt: skip
    n = found.forgetting[0].increase.n
    note = (
        "Before and after tuning on the same passages, paired by passage. KL: of the next token, "
        "tuned from base, along the rung's own answers to eval; it is meant to be large. Last "
        "column: of general instructions, those that only the tuned model answers as if they were "
        "the task."
    )
    late = [found.labels[one.rung] for one in found.forgetting if one.declared_late]
    notes = [note, *(f"{name}: the limit was changed after it was measured." for name in late)]
    title = f"what tuning breaks: cross-entropy on {n} general passages, nats per token (95%)"
    return [Table(title, headings, lines, notes=notes)]


def _overfitting(found: Findings) -> list[Table]:
    if not found.overfitting:
        return []
    lines = [
        [
            found.labels[one.rung],
            f"{one.train:.3f}",
            f"{one.dev:.3f}",
            f"{one.gap:+.3f}",
            f"{one.best_step:.0f} of {one.steps:.0f}",
            f"{one.rise:+.3f}",
        ]
        for one in found.overfitting
    ]
    headings = ["rung", "train", "dev", "dev – train", "best step", "dev rose after it"]
    note = (
        "At the minimum of dev loss, whose weights answer; train: mean of the steps since the "
        "evaluation before, each before its update."
    )
    return [Table("overfitting: loss in nats per token", headings, lines, notes=[note])]


def _seeds(found: Findings) -> list[Table]:
    if not found.consistency.seeds:
        return []
    lines = [
        [
            found.labels[one.rung],
            str(one.seeds),
            with_interval(one.answers),
            with_interval(one.scores) if one.scores else "",
        ]
        for one in found.consistency.seeds
    ]
    headings = ["rung", "seeds", "same answer", "same score"]
    return [Table("agreement of two seeds on a question, % (95% interval)", headings, lines)]


def _perturbed(found: Findings) -> list[Table]:
    perturbed = found.consistency.perturbed
    if not perturbed:
        return []
    graded = any(one.extent.value != one.changed.value for one in perturbed)
    lines = [
        [
            found.labels[one.rung],
            one.perturbation.replace("_", " "),
            str(one.changed.n),
            with_interval(one.changed),
            *([with_interval(one.extent)] if graded else []),
            with_interval(one.difference) if one.difference else "",
        ]
        for one in perturbed
    ]
    headings = [
        "rung", "change", "n", "answers that change", *(["how much of them"] if graded else []),
        f"{found.primary}: with – without",
    ]  # fmt: skip
    note = (
        "Changes that leave every target alone. n: questions that the change makes any difference "
        "to. An answer changes if the task's own measure, with the first answer in the target's "
        "place, is below 100%. Exploratory: nothing here is corrected."
    )
    title = "consistency under changes of the question, % (95% interval)"
    return [Table(title, headings, lines, notes=[note])]
