"""What the variance of a difference of two rungs comes from: questions, seeds, single answers.

Crossed random factors (Cornfield and Tukey 1956), as in `statistics.standard_error`: what each
factor's means vary by holds the noise of single answers too, and that is taken off.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from harness.evidence.statistics import Labels, Values, group_sums

__all__ = ["VarianceParts", "answers_variance", "variance_parts"]


@dataclass(frozen=True)
class VarianceParts:
    """Parts of the variance of a mean difference, in the squared unit of the metric."""

    questions: float
    """The choice of questions, by whole groups."""
    seeds: float | None
    """Training, or drawing examples; None if a random rung has one seed: not measured."""
    answers: float
    """What neither a question nor a seed explains."""

    @property
    def error(self) -> float:
        """The standard error, as far as it was measured."""
        return self.with_more()

    @property
    def binds(self) -> Literal["questions", "seeds"] | None:
        """What more of would narrow the difference most; None if that is not known."""
        if self.seeds is None or self.error == 0.0:
            return None
        more_questions, more_seeds = self.with_more(questions=2), self.with_more(seeds=2)
        return "questions" if more_questions <= more_seeds else "seeds"

    def with_more(self, questions: float = 1.0, seeds: float = 1.0) -> float:
        """The standard error with so many times the questions and the seeds."""
        several = (self.seeds or 0.0) / seeds
        single = self.answers / (questions * seeds)
        return float((self.questions / questions + several + single) ** 0.5)


def variance_parts(
    ours: Values, theirs: Values, labels: Labels, random: tuple[bool, bool]
) -> VarianceParts | None:
    """Of the mean difference of two rungs, [seeds, questions] each; None for one group.

    `random` says of each whether the seed makes a difference in it.
    """
    groups, n = int(labels.max()) + 1, len(labels)
    if groups < 2:
        return None
    few = groups / (groups - 1)
    difference = ours.mean(0) - theirs.mean(0)
    questions = few * float((group_sums(difference - difference.mean(), labels) ** 2).sum()) / n**2
    several = [side for side in (ours, theirs) if len(side) > 1]
    answers = sum(answers_variance(side, labels) for side in several)
    seeds = sum(float(side.mean(1).var(ddof=1)) / len(side) for side in several)
    unknown = any(r and len(side) == 1 for r, side in zip(random, (ours, theirs), strict=True))
    return VarianceParts(
        questions=max(0.0, questions - answers),
        seeds=None if unknown else max(0.0, seeds - answers),
        answers=answers,
    )


def answers_variance(side: Values, labels: Labels) -> float:
    """What the noise of single answers gives to the variance of the mean of a side of several
    seeds, [seeds, questions]; 0 for one group."""
    groups = int(labels.max()) + 1
    if groups < 2:
        return 0.0
    rest = side - side.mean(0) - side.mean(1, keepdims=True) + side.mean()
    seeds, n = side.shape
    squares = sum(float((group_sums(row, labels) ** 2).sum()) for row in rest)
    few = groups / (groups - 1)
    return float(few * squares / (n * seeds) ** 2 * seeds / (seeds - 1))
