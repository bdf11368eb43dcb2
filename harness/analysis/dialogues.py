"""What came before the answers that count: retries, and what they repaired."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean

from harness.analysis.rungs import RungResult
from harness.analysis.runs import RunResult
from harness.record.manifest import dialogue
from harness.task import Prediction

__all__ = ["Retries", "RungDialogue", "dialogues"]


@dataclass(frozen=True)
class Retries:
    """Answers that were refused, and what asking again did; shares of the questions, averaged over
    seeds."""

    refused: float
    """First answers that were refused."""
    repaired: Sequence[float]
    """Of the questions, those whose answer was valid after one retry, after two, and so on."""
    left: float
    """Of the questions, those whose last answer is still not valid."""
    repeated: float | None
    """Of the retries, those that wrote the refused text again; None without a retry."""


@dataclass(frozen=True)
class RungDialogue:
    """Of one rung that may ask again before an answer counts; averaged over its seeds."""

    rung: str
    """Its key."""
    kind: str
    """The class of its dialogue in small letters: `retry`."""
    free: bool
    """Whether it answers freely by its own declaration."""
    answers: float
    """Texts that were written for a question, the last one among them."""
    earlier_tokens: float
    """Share of all tokens, of prompts and texts, that went into what came before the last text."""
    earlier_seconds: float
    """The same share of the answering time."""
    retries: Retries | None
    """None for a dialogue that refuses nothing."""


def dialogues(rungs: Sequence[RungResult]) -> list[RungDialogue]:
    """Of the rungs that may say more than one thing to the model."""
    return [_told(rung, kind) for rung in rungs if (kind := dialogue(rung.manifest))]


def _told(rung: RungResult, kind: str) -> RungDialogue:
    answers = [p for run in rung.runs for p in run.predictions]
    earlier = [a for p in answers for a in p.attempts]
    tokens = sum(p.prompt_tokens + p.completion_tokens for p in answers)
    seconds = sum(p.seconds for p in answers)
    before = sum(a.prompt_tokens + a.completion_tokens for a in earlier)
    return RungDialogue(
        rung=rung.key,
        kind=kind,
        free=rung.manifest["declared_free"],
        answers=1 + len(earlier) / len(answers),
        earlier_tokens=before / tokens if tokens else 0.0,
        earlier_seconds=sum(a.seconds for a in earlier) / seconds if seconds else 0.0,
        retries=_retries(rung) if kind == "retry" else None,
    )


def _retries(rung: RungResult) -> Retries:
    answers = [p for run in rung.runs for p in run.predictions]
    most = max(len(p.attempts) for p in answers)
    valid = [_valid(run) for run in rung.runs]

    def share(times: int) -> float:
        """Of the questions that took so many retries and ended in a valid answer."""
        each = [
            fmean(len(p.attempts) == times and p.id in ids for p in run.predictions)
            for run, ids in zip(rung.runs, valid, strict=True)
        ]
        return fmean(each)

    again = [texts for p in answers for texts in _successive(p)]
    return Retries(
        refused=fmean(bool(p.attempts) for p in answers),
        repaired=[share(times) for times in range(1, most + 1)],
        left=1 - sum(map(len, valid)) / len(answers),
        repeated=fmean(old == new for old, new in again) if again else None,
    )


def _valid(run: RunResult) -> set[str]:
    """Ids of the questions whose last answer the format admits."""
    name = "valid" if "valid" in run.scores else "readable"
    return {str(i) for i, value in run.scores[name].items() if value == 1.0}


def _successive(prediction: Prediction) -> list[tuple[str, str]]:
    """Each refused text with the one that was written after it."""
    texts = [*(a.text.strip() for a in prediction.attempts), prediction.text.strip()]
    return list(pairwise(texts))
