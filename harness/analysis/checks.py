"""Badges of each rung: its own, and those that need the rest of the ladder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from harness.analysis.control_comparisons import ControlComparison
from harness.analysis.declared_contrasts import against
from harness.analysis.dialogues import RungDialogue
from harness.analysis.gates import Gate, badge
from harness.analysis.rungs import RungResult
from harness.evidence import sanity
from harness.evidence.sanity import Badge

__all__ = ["checks"]


def checks(
    ladder: Sequence[RungResult],
    controls: Sequence[ControlComparison],
    gates: Mapping[str, Sequence[Gate]],
    talked: Sequence[RungDialogue] = (),
) -> dict[str, list[Badge]]:
    """The badges of each rung of a ladder, by its key; those of its gates last."""
    return {
        rung.key: [
            *_badges(rung, ladder, controls),
            *(badge(gate) for gate in gates.get(rung.key, ())),
            *(made for one in talked if one.rung == rung.key for made in _asked_again(one)),
        ]
        for rung in ladder
    }


def _badges(
    rung: RungResult, ladder: Sequence[RungResult], controls: Sequence[ControlComparison]
) -> list[Badge]:
    model = rung.manifest["model"]
    alike = [run for other in ladder for run in other.runs if run.manifest["model"] == model]
    templates = {run.manifest["template"] for run in alike} - {None}
    made = sanity.worst(
        [sanity.badges(run.manifest, run.metrics, run.curve, templates) for run in rung.runs]
    )
    judges = {
        one.control.label: one.contrast
        if one.rung is rung and one.contrast
        else against(rung, one.control)
        for one in controls
        if _judges(one, rung)
    }
    if judges:
        made.append(sanity.above(judges))
    most = 0 if rung.elsewhere else max(len(other.trials) for other in ladder)
    return [*made, sanity.effort(len(rung.trials), most)] if most else made


def _asked_again(told: RungDialogue) -> Iterator[Badge]:
    """Badges of what came before the answers that count."""
    if told.retries and told.retries.repeated is not None:
        yield sanity.retried(told.retries.repeated)
    if told.calling is not None:
        yield sanity.called(told.calling, told.failed_calls)


def _judges(one: ControlComparison, rung: RungResult) -> bool:
    """Whether a control is one that this rung must be above."""
    measured = one.contrast is not None and rung.measured_by_question
    return rung.tuned and one.judges and measured and (one.of is None or one.rung is rung)
