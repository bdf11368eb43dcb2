"""What came before the answers that count: retries, and what they repaired; calls of tools."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean
from typing import Any

from harness.analysis.rungs import RungResult
from harness.analysis.runs import RunResult
from harness.record.manifest import dialogue
from harness.task import Prediction
from harness.tool import Call

__all__ = ["Called", "Retries", "RungDialogue", "dialogues"]


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
class Called:
    """One tool, as a rung called it; averaged over seeds."""

    tool: str
    """Its name as the model wrote it; empty for calls that could not be read."""
    calls: float
    """Of a question."""
    questions: float
    """Share of the questions in which it was called."""
    failed: float
    """Share of the calls."""
    seconds: float
    """Of a call, in the mean."""


@dataclass(frozen=True)
class RungDialogue:
    """Of one rung that may ask again before an answer counts; averaged over its seeds."""

    rung: str
    """Its key."""
    kind: str
    """The class of its dialogue in small letters: `retry` or `tools`."""
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
    calling: float | None
    """Share of the questions in which a tool was called; None for a dialogue without tools."""
    failed_calls: float | None
    """Share of the calls that failed; None without a call."""
    tools: Sequence[Called]
    """The tools that were called, the most called first."""


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
        **_calling(answers, kind),
    )


def _calling(answers: Sequence[Prediction], kind: str) -> dict[str, Any]:
    """What was called in these answers, of whichever seed."""
    if kind != "tools":
        return {"calling": None, "failed_calls": None, "tools": []}
    by_tool: dict[str, list[tuple[str, Call]]] = {}
    for place, p in enumerate(answers):
        for call in (a.call for a in p.attempts if a.call):
            by_tool.setdefault(call.tool, []).append((str(place), call))
    tools = [
        Called(
            tool=name,
            calls=len(made) / len(answers),
            questions=len({place for place, _ in made}) / len(answers),
            failed=fmean(call.failed for _, call in made),
            seconds=fmean(call.seconds for _, call in made),
        )
        for name, made in by_tool.items()
    ]
    every = [call for made in by_tool.values() for _, call in made]
    return {
        "calling": fmean(any(a.call for a in p.attempts) for p in answers),
        "failed_calls": fmean(call.failed for call in every) if every else None,
        "tools": sorted(tools, key=lambda one: (-one.calls, one.tool)),
    }


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
