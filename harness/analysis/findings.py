"""All that one ladder shows, found once: for the terminal, the page, Markdown, MLflow and JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.analysis.checks import checks
from harness.analysis.control_comparisons import ControlComparison, compare_controls
from harness.analysis.declared_contrasts import Plan, contrasts, plan
from harness.analysis.learning_curve import LearningCurve, learning_curve
from harness.analysis.rung_costs import Costs, costs
from harness.analysis.rungs import RungResult, rung_results
from harness.analysis.runs import Ladder, RunResult, warnings
from harness.analysis.train_sizes import of_largest_train
from harness.evidence import sanity
from harness.evidence.contrasts import Contrast
from harness.evidence.sanity import Badge
from harness.evidence.statistics import expected_optimism
from harness.record.ledger import configuration

__all__ = ["Findings", "findings"]


@dataclass(frozen=True)
class Findings:
    """What the runs of one ladder prove, and how far that can be trusted; numbers, no tables.

    `harness.analysis.export.record` gives them as plain data.
    """

    ladder: Ladder
    """What was read."""
    warnings: Sequence[str]
    """What must be said loudly about the runs."""
    rungs: Sequence[RungResult]
    """The rungs over their seeds, in ladder order; of a sweep over sizes of train the largest."""
    controls: Sequence[ControlComparison]
    plan: Plan
    """What was declared before the run."""
    contrasts: Sequence[Contrast]
    """The declared family."""
    checks: Mapping[str, Sequence[Badge]]
    """The badges of each rung, by its key."""
    costs: Costs
    judged: int
    """How many configurations this eval set has judged; 0 if no ledger was kept."""
    curve: LearningCurve | None
    """What smaller train sets gave; None without any."""

    @property
    def runs(self) -> Sequence[RunResult]:
        """In ladder order, controls last."""
        return self.ladder.runs

    @property
    def manifest(self) -> Mapping[str, Any]:
        """Of the first run; what it says of the task holds for all."""
        return self.ladder.manifest

    @property
    def primary(self) -> str:
        """The metric that the ladder is about."""
        return str(self.manifest["primary"])

    @property
    def measures(self) -> list[str]:
        """Metrics to show beside the primary one, in order: those that a rung of the ladder has."""
        told = dict.fromkeys(name for run in self.runs for name in run.manifest["measures"])
        measured = {name for rung in self.rungs for name in rung.metrics}
        return [name for name in told if name in measured and name != self.primary]

    @property
    def labels(self) -> dict[str, str]:
        """How each rung of the ladder is called, by its key."""
        return {rung.key: rung.label for rung in self.rungs}

    @property
    def optimism(self) -> float | None:
        """How much better than it is the best rung looks, if all that were judged are equally good.

        In the unit of the primary metric; None without an interval or a choice.
        """
        if self.judged < 2 or not self.rungs:
            return None
        best = max((rung.primary for rung in self.rungs), key=lambda primary: primary.value)
        return expected_optimism(self.judged, best)

    def blocked(self, contrast: Contrast) -> str:
        """Why the verdict of a contrast is not to be acted on; nothing if it may be."""
        return sanity.blocked(contrast, self.checks)

    def path(self, what: str, ending: str) -> Path:
        """A file about this ladder: `results/<task>/<what>-<eval>.<ending>`."""
        return self.ladder.folder / f"{what}-{self.ladder.eval_set[:8]}.{ending}"


def findings(ladder: Ladder) -> Findings:
    """Compare the rungs of one ladder, hold its controls against them, check and price them."""
    everything, smaller = of_largest_train(rung_results(ladder))
    rungs = [rung for rung in everything if rung.control is None]
    controls = compare_controls([one for one in everything if one.control is not None], rungs)
    planned = plan(rungs, ladder.declarations)
    found = contrasts(rungs, planned)
    return Findings(
        ladder=ladder,
        warnings=warnings(ladder.runs),
        rungs=rungs,
        controls=controls,
        plan=planned,
        contrasts=found,
        checks=checks(rungs, controls),
        costs=costs(rungs, found, ladder.prices),
        judged=_judged(ladder),
        curve=learning_curve([*rungs, *(one for one in smaller if one.control is None)]),
    )


def _judged(ladder: Ladder) -> int:
    """Configurations in the ledger, and runs here that are older than it; 0 without a ledger."""
    if ladder.ledger is None:
        return 0
    own = [run.manifest["identity"] for run in ladder.runs if run.manifest["control"] is None]
    return len({*ladder.ledger, *map(configuration, own)})
