"""What would fix what fails: the errors of the strongest untuned rung, by what repairs them.

The explanation of an error is counterfactual: what makes the same question right when that one
thing is changed. Some become right by any change at all, so that every change counts by how much
more it repairs than its placebo does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.analysis.control_comparisons import ControlComparison
from harness.analysis.declared_contrasts import Plan
from harness.analysis.repairs import FIELD, NONE, SEVERAL, Errors, Split, errors_of
from harness.analysis.rungs import RungResult
from harness.analysis.runs import Ladder
from harness.analysis.single_changes import (
    KINDS,
    Change,
    Missing,
    Reference,
    changes,
    missing,
    reference,
)

__all__ = ["Case", "Diagnosis", "diagnose"]

GRADED = 0.5
"""An answer of a graded measure, such as token F1, is wrong below this."""


@dataclass(frozen=True)
class Case:
    """One error of the reference."""

    id: str
    field: str | None
    """None where the whole answer counts."""
    kind: str
    """The kind of change that repairs it, `several` or `none`; in the first seed."""
    part: str
    repaired_by: Sequence[str]
    """Slots."""
    by_placebo: Sequence[str]
    """Slots whose placebo repairs it, whether or not the change does."""
    run: str | None
    """Key of the first run that repairs it."""
    answers: tuple[str, str | None]
    """The wrong one and, of that run, the right one."""
    suspicion: str | None
    """What an audit said against its target; None if nothing is known against it."""


@dataclass(frozen=True)
class Diagnosis:
    """What repairs the errors of the strongest untuned rung; of several seeds those of the
    first."""

    reference: Reference
    changes: Sequence[Change]
    missing: Sequence[Missing]
    measure: str
    """The primary metric, or the first one beside it that single questions have."""
    threshold: float
    """Scores below it are errors; for fields, of each field."""
    whole: Split
    """The errors of `reference.rung`."""
    usual: Split | None
    """The errors of `reference.usual`, under the constraint where there is one; the same as `whole`
    where the constraint is no change; None if nothing of it is wrong, or nothing else was changed.
    """
    others: Sequence[Split]
    """`whole` by field and by tag; and by question, where fields are what is counted."""
    cases: Sequence[Case]
    """Every error of `whole`."""

    @property
    def kinds(self) -> list[str]:
        """Kinds of change that were run."""
        run = {change.kind for change in self.changes}
        return [kind for kind in KINDS if kind in run]


def diagnose(
    ladder: Ladder,
    rungs: Sequence[RungResult],
    controls: Sequence[ControlComparison],
    plan: Plan,
) -> Diagnosis | None:
    """None where no run changes one thing about the strongest untuned rung, nothing of it is wrong,
    or single questions have no value."""
    beside = [one.control for one in controls]
    ours = reference(rungs, beside, plan)
    found = changes(ours, rungs, beside) if ours else []
    if ours is None or not found:
        return None
    scores = ours.rung.runs[0].scores
    told = ours.rung.manifest
    measures = [name for name in (told["primary"], *told["measures"]) if name in scores][:1]
    fields = [str(name) for name in scores if str(name).startswith(FIELD)]
    if not measures:
        return None
    threshold = 1.0 if fields or scores[measures[0]].isin((0.0, 1.0)).all() else GRADED
    gold = {i: set(q["sources"]) for i, q in ladder.questions.items() if q.get("sources")}
    errors = errors_of(ours.rung, found, fields or measures, threshold, gold)
    if not errors.wrong:
        return None
    whole = errors.split()
    usual: Split | None = whole
    others = list(errors.slices(ours.rung.tagged))
    if fields:
        others.append(errors_of(ours.rung, found, measures, threshold, gold).split())
    if ours.usual is not ours.rung:
        held = changes(Reference(ours.usual, ours.usual, ours.chosen_by), rungs, beside)
        left = errors_of(ours.usual, held, fields or measures, threshold, gold)
        usual = left.split() if held and left.wrong else None
    return Diagnosis(
        reference=ours,
        changes=found,
        missing=missing(ours, found, rungs, sources=bool(gold)),
        measure=measures[0],
        threshold=threshold,
        whole=whole,
        usual=usual,
        others=others,
        cases=_cases(errors, ours.rung, found, ladder.doubted),
    )


def _cases(
    errors: Errors, run: RungResult, found: Sequence[Change], doubted: Mapping[str, str]
) -> list[Case]:
    """Every error, by kind of what repairs it."""
    by_slot = {change.slot: change for change in found}
    texts = {r.key: _texts(r) for r in (run, *(change.run for change in found))}
    cases = []
    for place, (question, score) in enumerate(errors.wrong):
        slots = [slot for slot, (real, _) in errors.repaired.items() if real[place]]
        kinds = list(dict.fromkeys(by_slot[slot].kind for slot in slots))
        one = kinds[0] if len(kinds) == 1 else SEVERAL if kinds else NONE
        first = by_slot[slots[0]].run.key if slots else None
        cases.append(
            Case(
                id=question,
                field=score.removeprefix(FIELD) if score.startswith(FIELD) else None,
                kind=one,
                part=" + ".join(kinds) if one == SEVERAL else errors.part(one, place),
                repaired_by=slots,
                by_placebo=[slot for slot, (_, chance) in errors.repaired.items() if chance[place]],
                run=first,
                answers=(texts[run.key][question], texts[first][question] if first else None),
                suspicion=doubted.get(question),
            )
        )
    return sorted(cases, key=lambda case: (*KINDS, SEVERAL, NONE).index(case.kind))


def _texts(run: RungResult) -> dict[str, str]:
    """Answers of the first seed, by question."""
    return {p.id: p.text for p in run.runs[0].predictions}
