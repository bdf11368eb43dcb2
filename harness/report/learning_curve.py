"""How much data: the learning curves in tables and sentences."""

from __future__ import annotations

from collections.abc import Mapping

from harness.analysis.findings import Findings
from harness.analysis.learning_curve import ENOUGH, REACH, Crossing, Curve, LearningCurve
from harness.report.formatting import Table, percent, short, with_interval

__all__ = ["hidden", "learning_curves", "line", "sentences"]

DRAWN_ONCE = (
    "The sizes are one draw of examples: how others of that number would have done is not in the "
    "intervals. Dev is whole at every size."
)


def hidden(found: Findings) -> str:
    """What the ordinary tables leave out; nothing if they show all sizes."""
    if found.curve is None:
        return ""
    left = [c.label for c in found.curve.curves if any(p.key not in found.labels for p in c.points)]
    if not left:
        return ""
    return (
        f"{', '.join(left)}: on the largest train set ({found.curve.sizes[-1]:,} examples); "
        "smaller ones stand in the learning curve alone."
    )


def line(found: Findings) -> str:
    """Where tuning passes, in one line; nothing without a learning curve."""
    if found.curve is None:
        return ""
    passed = [_passes(one, found.labels) for one in found.curve.crossings]
    return f"how much data: {'; '.join(passed)}" if passed else ""


def sentences(found: Findings) -> list[str]:
    """What the curves show, each a sentence; none without a learning curve."""
    if found.curve is None:
        return []
    said = []
    for one in found.curve.crossings:
        said.append(f"{_passes(one, found.labels)}.")
        said += filter(None, [_binds(one, found.curve, found.labels)])
    return said + [_held_out(curve) for curve in found.curve.curves if curve.held_out]


def learning_curves(found: Findings) -> list[Table]:
    """The points, the fitted laws, and where tuned rungs pass."""
    if found.curve is None:
        return []
    return [_points(found, found.curve), *_laws(found.curve), *_crossings(found)]


def _points(found: Findings, curve: LearningCurve) -> Table:
    by_size = [{point.size: point for point in one.points} for one in curve.curves]
    lines = [
        [
            f"{size:,}",
            *(with_interval(points[size].score) if size in points else "" for points in by_size),
        ]
        for size in curve.sizes
    ]
    levels = [
        f"{rung.label} {percent(rung.primary.value)}"
        for rung in found.rungs
        if rung.key in curve.levels
    ]
    notes = [
        f"Without train: {', '.join(levels)}." if levels else "",
        *(_steps(one) for one in curve.curves if one.tuned),
        DRAWN_ONCE,
        *(f"{_passes(one, found.labels)}." for one in curve.crossings if one.at is None),
    ]
    return Table(
        f"learning curve: {found.primary} by train examples, % (95% interval)",
        ["train examples", *(one.label for one in curve.curves)],
        lines,
        notes=[*filter(None, notes)],
    )


def _steps(curve: Curve) -> str:
    """How long a rung was trained at each size: the same epochs are few steps on few examples."""
    steps = ", ".join(f"{point.steps:.0f}" for point in curve.points if point.steps is not None)
    return f"Steps of {curve.label}, by size: {steps}."


def _laws(curve: LearningCurve) -> list[Table]:
    lines = []
    for one in curve.curves:
        if one.law is None or one.held_out is None:
            continue
        held = one.held_out
        lines.append(
            [
                one.label,
                percent(one.law.a),
                short(100 * one.law.b),
                f"{one.law.c:.2f}",
                percent(held.predicted),
                percent(held.measured),
                f"{100 * held.miss:+.1f}",
                f"{held.in_errors:+.1f}",
            ]
        )
    headings = ["rung", "a", "b", "c", "predicted", "measured", "miss", "standard errors"]
    note = (
        "Predicted: what the law says of the largest size if it is fitted to the others alone. A "
        "miss of more than 2 standard errors: the law does not hold there."
    )
    title = "power law: error = a + b · n^-c, %; the largest size held out"
    return [Table(title, headings, lines, notes=[note])] * bool(lines)


def _crossings(found: Findings) -> list[Table]:
    assert found.curve is not None
    lines = []
    for one in found.curve.crossings:
        if one.at is None or one.untuned is None:
            continue
        lines.append(
            [
                f"{found.labels[one.tuned]} – {found.labels[one.untuned]}",
                _n(one.at.n, one),
                f"{_n(one.at.low, one)} to {_n(one.at.high, one)}",
                _n(one.at.certain, one),
                *_parts(one),
            ]
        )
    headings = ["tuned – untuned", "passes at", "95% interval", "lower bound passes at",
                "standard error", "questions, %", "seeds, %", "single answers, %"]  # fmt: skip
    note = (
        "The untuned rung is the best on dev at the largest size. The standard error is that of "
        "the difference there, in points, and the shares are of its variance. Nothing is said "
        f"beyond {REACH:.0f} times the largest size."
    )
    title = "train examples at which tuning passes"
    return [Table(title, headings, lines, notes=[note])] * bool(lines)


def _parts(one: Crossing) -> list[str]:
    """The standard error at the largest size, and the shares of its variance."""
    parts = one.parts
    if parts is None:
        return ["", "", "", ""]
    error = percent(parts.error)
    if parts.seeds is None or parts.error == 0.0:
        return [error, "", "not measured" if parts.seeds is None else "", ""]
    shares = (parts.questions, parts.seeds, parts.answers)
    return [error, *(f"{100 * share / parts.error**2:.0f}" for share in shares)]


def _passes(one: Crossing, labels: Mapping[str, str]) -> str:
    """Where one tuned rung passes, without a full stop."""
    tuned = labels[one.tuned]
    if one.untuned is None:
        return f"{tuned}: the best untuned rung is not known, as one did not answer dev"
    untuned = labels[one.untuned]
    if one.at is None:
        return f"{tuned} against {untuned}: no curve is fitted, that needs {ENOUGH} sizes of both"
    at = one.at
    interval = f"95% interval {_n(at.low, one)} to {_n(at.high, one)}"
    if at.n == float("inf"):
        return (
            f"{tuned} does not pass {untuned} within {REACH:.0f}x of the data, "
            f"{one.last:,.0f} train examples ({interval})"
        )
    certain = (
        f"its lower bound does not within {REACH:.0f}x of the data"
        if at.certain == float("inf")
        else f"its lower bound does at {_n(at.certain, one)}"
    )
    return f"{tuned} passes {untuned} at {_n(at.n, one)} train examples ({interval}); {certain}"


def _n(size: float, one: Crossing) -> str:
    """A size of train, or that it lies outside of what was looked at."""
    if size == float("inf"):
        return f"over {one.last:,.0f}"
    return f"{one.first:,} or fewer" if size <= one.first else f"{size:,.0f}"


def _binds(one: Crossing, curve: LearningCurve, labels: Mapping[str, str]) -> str:
    """What more of would narrow the difference at the largest size; nothing if it has no error."""
    if one.parts is None or one.untuned is None or one.parts.error == 0.0:
        return ""
    parts, pair = one.parts, f"{labels[one.tuned]} – {labels[one.untuned]}"
    if parts.binds is None:
        return (
            f"Whether questions or seeds bind is not known for {pair}: with one seed the noise of "
            "training is not measured."
        )
    doubled = {
        "questions": parts.with_more(questions=2),
        "seeds": parts.with_more(seeds=2),
    }
    said = ", ".join(f"with twice the {what} {percent(error)}" for what, error in doubled.items())
    return (
        f"{parts.binds.capitalize()} bind at {curve.sizes[-1]:,} examples: the standard error of "
        f"{pair} is {percent(parts.error)} points, {said}."
    )


def _held_out(curve: Curve) -> str:
    assert curve.held_out is not None
    held = curve.held_out
    return (
        f"{curve.label} at {held.size:,}, held out: {percent(held.predicted)} predicted from the "
        f"smaller sizes, {percent(held.measured)} measured, a miss of {100 * held.miss:+.1f} "
        f"points ({held.in_errors:+.1f} standard errors)."
    )
