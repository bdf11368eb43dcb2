"""Settings chosen on dev: every rung tries the same number of candidates, eval judges the best."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Any

from harness.ladder.rung import Rung
from harness.task import Prediction

__all__ = ["Candidate", "Trial", "best"]


@dataclass(frozen=True)
class Candidate:
    """One way in which a rung may be set."""

    rung: Rung
    settings: Any
    """The rung's part of the configuration, as plain data; it determines the result."""
    words: str
    """What differs from the rung as its YAML has it, as overrides; empty if nothing."""


@dataclass(frozen=True)
class Trial:
    """What one candidate did on dev."""

    settings: str
    """The candidate's `words`."""
    value: float
    """The primary metric."""
    n: int
    """Dev questions."""
    seconds: float
    """Wall seconds of fitting and answering."""
    tokens: float
    """Prompt and answer tokens per question."""

    def record(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def of(
        cls, candidate: Candidate, value: float, predictions: Sequence[Prediction], seconds: float
    ) -> Trial:
        tokens = fmean(p.prompt_tokens + p.completion_tokens for p in predictions)
        return cls(candidate.words, value, len(predictions), seconds, tokens)


def best(
    candidates: Sequence[Candidate], attempt: Callable[[int], Trial]
) -> tuple[int, list[Trial]]:
    """The place of the candidate that is best on dev, the one of fewer tokens of two that are
    equal; and all trials."""
    trials = [attempt(place) for place in range(len(candidates))]
    places = range(len(trials))
    return max(places, key=lambda i: (trials[i].value, -trials[i].tokens, -i)), trials
