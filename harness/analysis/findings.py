"""All that one ladder shows, found once: for the terminal, the page, Markdown, MLflow and JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.analysis.ablation import Ablation, ablation
from harness.analysis.calibration import Calibration, calibration
from harness.analysis.checks import checks
from harness.analysis.consistency import Consistency, consistency
from harness.analysis.control_comparisons import ControlComparison, compare_controls
from harness.analysis.costing import costs
from harness.analysis.data_quality import DataQuality, data_quality
from harness.analysis.declared_contrasts import Plan, contrasts, plan
from harness.analysis.diagnosis import Diagnosis, diagnose
from harness.analysis.dialogues import RungDialogue, dialogues
from harness.analysis.forgetting import Forgetting, forgetting
from harness.analysis.gates import Gate, gates
from harness.analysis.knowledge_update import KnowledgeUpdate, knowledge_update
from harness.analysis.learning_curve import LearningCurve, learning_curve
from harness.analysis.overfitting import Overfitting, overfitting
from harness.analysis.prompt_search import PromptSearch, prompt_searches
from harness.analysis.recommendation import Recommendation, recommend
from harness.analysis.rung_costs import Costs
from harness.analysis.rungs import RungResult, rung_results
from harness.analysis.runs import Ladder, RunResult
from harness.analysis.train_sizes import of_largest_train
from harness.analysis.warnings import warnings
from harness.evidence import sanity
from harness.evidence.contrasts import Contrast
from harness.evidence.sanity import Badge
from harness.evidence.statistics import expected_optimism
from harness.record.ledger import configuration
from harness.record.manifest import altered, spoiled

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
    diagnosis: Diagnosis | None
    """What would fix what fails; None where nothing to compare was run."""
    checks: Mapping[str, Sequence[Badge]]
    """The badges of each rung, by its key."""
    costs: Costs
    dialogues: Sequence[RungDialogue]
    """What came before the answers that count, of the rungs that may ask again."""
    forgetting: Sequence[Forgetting]
    """What tuning did to general text, of the rungs that were probed."""
    overfitting: Sequence[Overfitting]
    """Train against dev, of the tuned rungs."""
    gates: Mapping[str, Sequence[Gate]]
    """What must not break, of each rung that was probed for it, by its key."""
    consistency: Consistency
    """Between seeds, and under changes that leave targets alone."""
    calibration: Sequence[Calibration]
    """Of labels and enums, of the rungs that were probed."""
    ablation: Ablation | None
    """What each slot adds; None if the rungs do not cross at least two of them."""
    judged: int
    """How many configurations this eval set has judged; 0 if no ledger was kept."""
    knowledge_update: KnowledgeUpdate | None
    """What changed facts did to the rungs; None if none was asked about them."""
    data_quality: DataQuality
    """The most doubtful examples of train, and what planted errors did."""
    curve: LearningCurve | None
    """What smaller train sets gave; None without any."""
    searches: Sequence[PromptSearch] = ()
    """What rungs found that search among prompts; none where no rung does."""
    recommendation: Recommendation | None = None
    """What to do; None with fewer than two things to choose among."""

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
    def groups(self) -> int:
        """Groups of questions that share a scenario."""
        return len(set(self.runs[0].groups.values()))

    @property
    def effective_groups(self) -> float:
        """Groups of one size that would say as much."""
        return self.runs[0].effective_groups

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

    def blocked(self, contrast: Contrast) -> dict[str, str]:
        """Why the verdict of a contrast is not to be acted on, by rung; empty if it may be."""
        return sanity.blocked(contrast, self.checks)

    def path(self, what: str, ending: str) -> Path:
        """A file about this ladder: `results/<task>/<what>-<eval>.<ending>`."""
        return self.ladder.folder / f"{what}-{self.ladder.eval_set[:8]}.{ending}"


def findings(ladder: Ladder) -> Findings:
    """Compare the rungs of one ladder, hold its controls against them, check and price them."""
    everything, smaller = of_largest_train(rung_results(ladder))
    rungs = [rung for rung in everything if _of_the_ladder(rung)]
    ours = [rung for rung in rungs if not rung.elsewhere]
    controls = compare_controls([one for one in everything if one.control is not None], rungs)
    planned = plan(rungs, ladder.declarations)
    found = contrasts(rungs, planned)
    priced = costs(rungs, found, ladder.prices)
    talked = dialogues(rungs)
    forgotten = forgetting(rungs)
    gated = gates(forgotten)
    complete = Findings(
        ladder=ladder,
        warnings=[*warnings(ladder.runs), *ladder.left_out],
        rungs=rungs,
        controls=controls,
        plan=planned,
        contrasts=found,
        diagnosis=diagnose(ladder, ours, controls, planned),
        checks=checks(rungs, controls, gated, talked),
        costs=priced,
        dialogues=talked,
        forgetting=forgotten,
        overfitting=overfitting(rungs),
        gates=gated,
        consistency=consistency(rungs),
        calibration=calibration(rungs, ladder.questions),
        ablation=ablation(ours),
        judged=_judged(ladder),
        knowledge_update=knowledge_update(rungs, priced),
        data_quality=data_quality(rungs, everything),
        searches=prompt_searches(rungs),
        curve=learning_curve([*ours, *filter(_of_the_ladder, smaller)]),
    )
    return replace(complete, recommendation=recommend(complete))


def _of_the_ladder(rung: RungResult) -> bool:
    """Neither a control nor a rung whose train was altered on purpose."""
    return rung.control is None and not altered(rung.manifest)


def _judged(ladder: Ladder) -> int:
    """Configurations in the ledger, and runs here that are older than it; 0 without a ledger."""
    if ladder.ledger is None:
        return 0
    runs = [run.manifest for run in ladder.runs]
    own = [m["identity"] for m in runs if m["control"] is None and not spoiled(m)]
    return len({*ladder.ledger, *map(configuration, own)})
