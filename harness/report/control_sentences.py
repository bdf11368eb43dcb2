"""What each control shows, in a sentence."""

from __future__ import annotations

from harness.analysis.control_comparisons import ControlComparison
from harness.analysis.rungs import RungResult
from harness.evidence.statistics import Interval
from harness.report.formatting import percent

__all__ = ["sentence"]


def sentence(one: ControlComparison) -> str:
    """What a control is, and what its score says of its rung."""
    if one.rung is None or one.difference is None:
        return f"there is no {one.of or 'rung'} to hold it against"
    return f"{one.shows}: {_difference(one, one.rung, one.difference)}"


def _difference(one: ControlComparison, rung: RungResult, difference: Interval) -> str:
    """Rung minus control, in the words that fit the kind of control."""
    above = difference.value > 0
    points = f"{percent(abs(difference.value))} points"
    nothing = f"no detectable difference from {rung.label}" if one.nothing_detectable else ""
    match one.kind:
        case "random_passages" if nothing:
            return "retrieval adds nothing detectable"
        case "random_passages":
            return f"retrieval {'adds' if above else 'costs'} {points}"
        case "oracle_passages":
            return nothing or f"{points} {'below' if above else 'above'} {rung.label}"
        case "shuffled_targets":
            return _remaining(one, difference)
    return nothing or f"{rung.label} is {points} {'above' if above else 'below'} it"


def _remaining(one: ControlComparison, difference: Interval) -> str:
    """How much of a tuned rung's gain needs no pairing of inputs with their targets."""
    if one.remaining is None or one.bare is None:
        return f"the pairing of inputs and targets is worth {percent(difference.value)} points"
    if one.remaining <= 0:
        return f"nothing of the gain over {one.bare.label} remains without the pairing"
    return (
        f"{100 * one.remaining:.0f}% of the gain over {one.bare.label} remains without the "
        "pairing (format and priors)"
    )
