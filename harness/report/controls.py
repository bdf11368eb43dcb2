"""What the controls show: how much of a score comes without the thing that is claimed for it.

All of it is exploratory: no contrast with a control is declared, and none is corrected.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.evidence.contrasts import Contrast
from harness.evidence.statistics import CONFIDENCE, Interval
from harness.report.contrasts import against
from harness.report.entries import Entry
from harness.report.text import percent

__all__ = ["Held", "detectable", "held"]

WITHOUT_MODEL = {
    "majority": "always the commonest answer",
    "nearest_answer": "copying the answer of the most similar training example",
    "linear_classifier": "a linear classifier of the training examples",
}


@dataclass(frozen=True)
class Held:
    """One control, held against a rung."""

    control: Entry
    rung: Entry | None
    """The rung that it is a control of, or the best of the ladder; None if that was not run."""
    contrast: Contrast | None
    """The rung against the control; None where single questions have no value."""
    shows: str
    """In one sentence."""

    @property
    def difference(self) -> Interval | None:
        """Rung minus control."""
        if self.rung is None:
            return None
        if self.contrast is not None:
            return self.contrast.delta
        ours, theirs = self.rung.primary, self.control.primary
        return Interval(ours.value - theirs.value, None, None, ours.n, "none")


def held(controls: Sequence[Entry], ladder: Sequence[Entry]) -> list[Held]:
    """Each control against the rung that it belongs to."""
    found = []
    for control in controls:
        rung = _rung(control, ladder)
        contrast = against(rung, control) if rung and _by_question(rung, control) else None
        one = Held(control, rung, contrast, "")
        found.append(Held(control, rung, contrast, _shows(one, ladder)))
    return found


def detectable(contrast: Contrast) -> bool:
    """Whether an exploratory difference is one, without a correction."""
    return contrast.p < 1 - CONFIDENCE


def _rung(control: Entry, ladder: Sequence[Entry]) -> Entry | None:
    """The rung that the control names, or the best rung of the ladder by the primary metric."""
    of = control.manifest["control"]["of"]
    if of is None:
        return max(ladder, key=lambda entry: entry.primary.value, default=None)
    found = [e for e in ladder if e.manifest["rung"] == of and _alike(e, control, "model")]
    same = [e for e in found if _alike(e, control, "variant")]
    return next(iter([*same, *found]), None)


def _shows(one: Held, ladder: Sequence[Entry]) -> str:
    rung, difference = one.rung, one.difference
    if rung is None or difference is None:
        return f"there is no {one.control.manifest['control']['of'] or 'rung'} to hold it against"
    kind = str(one.control.control)
    nothing = one.contrast is not None and not detectable(one.contrast)
    points = f"{percent(abs(difference.value))} points"
    above = difference.value > 0
    match kind:
        case "random_passages":
            adds = (
                "adds nothing detectable" if nothing else f"{'adds' if above else 'costs'} {points}"
            )
            return f"passages at random: retrieval {adds}"
        case "oracle_passages":
            away = f"{points} {'below' if above else 'above'} {rung.label}"
            reached = f"no detectable difference from {rung.label}" if nothing else away
            return f"the right passages, which perfect retrieval would find (ceiling): {reached}"
        case "shuffled_targets":
            return f"trained on other examples' targets: {_remains(one.control, rung, ladder)}"
    away = f"{rung.label} is {points} {'above' if above else 'below'} it"
    reached = f"no detectable difference from {rung.label}" if nothing else away
    return f"{WITHOUT_MODEL.get(kind, kind)}: {reached}"


def _remains(control: Entry, rung: Entry, ladder: Sequence[Entry]) -> str:
    """How much of a tuned rung's gain needs no pairing of inputs with their targets."""
    prompts = [e for e in ladder if e.manifest["rung"] == "prompt" and _alike(e, rung, "model")]
    base = prompts[0].primary.value if prompts else None
    if base is None or rung.primary.value <= base:
        points = percent(rung.primary.value - control.primary.value)
        return f"the pairing of inputs and targets is worth {points} points"
    share = (control.primary.value - base) / (rung.primary.value - base)
    if share <= 0:
        return f"nothing of the gain over {prompts[0].label} remains without the pairing"
    return (
        f"{100 * share:.0f}% of the gain over {prompts[0].label} remains without the pairing "
        "(format and priors)"
    )


def _alike(entry: Entry, other: Entry, what: str) -> bool:
    return bool(entry.manifest[what] == other.manifest[what])


def _by_question(*lines: Entry) -> bool:
    return all(row.values for entry in lines for row in entry.rows)
