"""Controls against their rungs: how much of a score comes without the thing that is claimed for it.

All of it is exploratory: no contrast with a control is declared, and none is corrected.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.analysis.declared_contrasts import against
from harness.analysis.rungs import RungResult
from harness.evidence.contrasts import Contrast
from harness.evidence.statistics import CONFIDENCE, Interval

__all__ = ["ControlComparison", "compare_controls"]

BARE = "prompt"
"""The rung above which a tuned one is said to gain."""


@dataclass(frozen=True)
class ControlComparison:
    """One control beside a rung."""

    control: RungResult
    rung: RungResult | None
    """The rung that it is a control of, or the best of the ladder; None if that was not run."""
    contrast: Contrast | None
    """The rung against the control; None where single questions have no value."""
    bare: RungResult | None
    """The bare prompt of the rung's model; None if it was not run."""

    @property
    def kind(self) -> str:
        return str(self.control.manifest["control"]["kind"])

    @property
    def of(self) -> str | None:
        """Name of the rung that it is a control of; None if of all."""
        of: str | None = self.control.manifest["control"]["of"]
        return of

    @property
    def judges(self) -> bool:
        """Whether a tuned rung must be above it, or its training taught it nothing of the task."""
        return bool(self.control.manifest["control"]["judges"])

    @property
    def shows(self) -> str:
        """What the control is, in words."""
        return str(self.control.manifest["control"]["shows"])

    @property
    def difference(self) -> Interval | None:
        """Rung minus control; the interval is this difference's own, not simultaneous."""
        if self.rung is None:
            return None
        if self.contrast is not None:
            return self.contrast.delta
        ours, theirs = self.rung.primary, self.control.primary
        return Interval(ours.value - theirs.value, None, None, ours.n, "none")

    @property
    def nothing_detectable(self) -> bool:
        """Whether a test found no difference, at 5% and uncorrected."""
        return self.contrast is not None and self.contrast.p >= 1 - CONFIDENCE

    @property
    def remaining(self) -> float | None:
        """Share of the rung's gain over the bare prompt that the control has too.

        None without a bare prompt, or without a gain.
        """
        if self.rung is None or self.bare is None:
            return None
        base, full = self.bare.primary.value, self.rung.primary.value
        return (self.control.primary.value - base) / (full - base) if full > base else None


def compare_controls(
    controls: Sequence[RungResult], ladder: Sequence[RungResult]
) -> list[ControlComparison]:
    """Each control against the rung that it belongs to."""
    found = []
    for control in controls:
        rung = _rung(control, ladder)
        by_question = rung and rung.measured_by_question and control.measured_by_question
        contrast = against(rung, control) if rung and by_question else None
        found.append(ControlComparison(control, rung, contrast, _bare(rung, ladder)))
    return found


def _rung(control: RungResult, ladder: Sequence[RungResult]) -> RungResult | None:
    """The rung that the control names, or the best rung of the ladder by the primary metric."""
    of = control.manifest["control"]["of"]
    if of is None:
        return max(ladder, key=lambda rung: rung.primary.value, default=None)
    found = [r for r in ladder if r.manifest["rung"] == of and _alike(r, control, "model")]
    same = [r for r in found if _alike(r, control, "variant")]
    return next(iter([*same, *found]), None)


def _bare(rung: RungResult | None, ladder: Sequence[RungResult]) -> RungResult | None:
    bare = (r for r in ladder if r.manifest["rung"] == BARE)
    return next((r for r in bare if rung and _alike(r, rung, "model")), None)


def _alike(rung: RungResult, other: RungResult, what: str) -> bool:
    return bool(rung.manifest[what] == other.manifest[what])
