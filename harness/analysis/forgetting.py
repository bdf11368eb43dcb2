"""What tuning did to everything but the task: general text, general instructions, divergence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.analysis.measured import mean, measured
from harness.analysis.rungs import RungResult
from harness.evidence.statistics import Interval

__all__ = ["Forgetting", "SideBySide", "forgetting"]

PROBE = "forgetting"


@dataclass(frozen=True)
class SideBySide:
    """A general instruction, answered by the base model and by the tuned one."""

    instruction: str
    before: str
    after: str
    before_in_format: bool | None
    """Whether the answer is one in the task's own format; None where any text is."""
    after_in_format: bool | None


@dataclass(frozen=True)
class Forgetting:
    """One tuned rung before and after tuning, over its seeds."""

    rung: str
    """Its key."""
    seeds: int
    """How many were measured."""
    before: Interval
    """Cross-entropy on general passages, in nats per token: the mean over passages."""
    after: Interval
    increase: Interval
    """After minus before, paired by passage."""
    divergence: Interval | None
    """KL(tuned ‖ base) of the next token on the task's own prompts, along the answers that the
    rung gave, in nats per token; None if it was not measured."""
    instructions: Sequence[SideBySide]
    """Of the first seed."""
    max_increase: float
    """What was declared to be allowed."""
    declared_late: bool
    """Whether that was changed when the measurement was known."""

    @property
    def in_format(self) -> int | None:
        """General instructions that the tuned rung answers in the task's format and its base does
        not; None where any text is in the format."""
        if any(one.after_in_format is None for one in self.instructions):
            return None
        return sum(
            bool(one.after_in_format) and not one.before_in_format for one in self.instructions
        )


def forgetting(rungs: Sequence[RungResult]) -> list[Forgetting]:
    """The tuned rungs that were measured."""
    return [one for rung in rungs if (one := _forgetting(rung))]


def _forgetting(rung: RungResult) -> Forgetting | None:
    found = measured(rung, PROBE)
    if not found:
        return None
    told = [one.found for _, one in found]
    rows = [[p for p in each["passages"] if p["tokens"]] for each in told]
    before = [[p["before"] for p in each] for each in rows]
    after = [[p["after"] for p in each] for each in rows]
    increase = [[p["after"] - p["before"] for p in each] for each in rows]
    each_alone = [str(place) for place in range(len(rows[0]))]
    first = found[0][1]
    return Forgetting(
        rung=rung.key,
        seeds=len(found),
        before=mean(before[:1], each_alone),
        after=mean(after, each_alone),
        increase=mean(increase, each_alone),
        divergence=_divergence(rung, [each["divergence"] for each in told]),
        instructions=[SideBySide(**one) for one in told[0]["instructions"]],
        max_increase=first.limit["max_increase"],
        declared_late=any(one.declared_late for _, one in found),
    )


def _divergence(
    rung: RungResult, seeds: Sequence[Sequence[dict[str, float | str]]]
) -> Interval | None:
    """Over the questions that every seed answered."""
    by_id = [{str(q["id"]): float(q["kl"]) for q in questions} for questions in seeds]
    ids = [i for i in by_id[0] if all(i in each for each in by_id)]
    if not ids:
        return None
    groups = [rung.runs[0].groups[i] for i in ids]
    return mean([[each[i] for i in ids] for each in by_id], groups)
