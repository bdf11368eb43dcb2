"""What every probe says of itself, and what it may use.

A probe measures a rung that is fitted and has answered eval: what tuning broke, how consistent and
how well calibrated its answers are. It changes no answer, so that it is no part of a run's
identity: it can be added to a finished run, which is then fitted again (training is kept) and
answers nothing anew.
"""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

from harness.conditions import Conditions
from harness.ladder.rung import Predictor, Rung
from harness.record.results import RunFolder
from harness.secrets import redacted
from harness.task import Prediction, Task

__all__ = ["FittedRun", "Probe"]


@dataclass(frozen=True)
class FittedRun:
    """All that a probe may use of a run."""

    predictor: Predictor
    """The fitted rung."""
    conditions: Conditions
    """The task, the engine with the base weights, the embedder, the constraint."""
    predictions: Sequence[Prediction]
    """Its answers to eval, every question once."""
    folder: RunFolder
    """The run's; a probe that asks questions keeps its answers here: `conditions.answer(…,
    kept=probe.answers("what"))` goes on where it was interrupted."""
    seed: int

    @property
    def shared(self) -> Path:
        """A folder for what all runs of the task can use: `results/<task>/probes`."""
        return self.folder.path.parents[1] / "probes"

    @property
    def answered(self) -> dict[str, Prediction]:
        """Its answers to eval, by the question's id."""
        return {p.id: p for p in self.predictions}


class Probe(ABC):
    """One thing that a fitted rung is asked beside the task.

    A subclass is a `harness.values.settings` dataclass; conf/config.yaml builds it under
    `probes`. What it finds is kept as `probe-<name>.json` in the run's folder.
    """

    name: ClassVar[str]
    gate: ClassVar[tuple[str, ...]] = ()
    """Names of those settings that judge what was measured, and do not change it: thresholds."""
    enabled: bool | None
    """true: wherever it applies; false: nowhere; null: where it is cheap."""

    @abstractmethod
    def applies(self, rung: Rung, task: Task) -> bool:
        """Whether there is anything to measure; known before a model is loaded."""

    def cheap(self, rung: Rung, task: Task) -> bool:
        """Whether it is measured without being asked for; where it applies."""
        return False

    def wanted(self, rung: Rung, task: Task) -> bool:
        """Whether this rung is to be measured."""
        if self.enabled is False or rung.baseline or not self.applies(rung, task):
            return False
        return self.enabled is True or self.cheap(rung, task)

    def check(self, task: Task) -> None:  # noqa: B027 - most probes need nothing
        """Raise what is known before a model is loaded: a HarnessError for the user's mistake,
        ProbeUnavailableError for what cannot be had."""

    def of(self, task: Task) -> Probe:
        """The probe with what it must know of the task among its settings: where that changes,
        it measures again."""
        return self

    @abstractmethod
    def measure(self, run: FittedRun) -> dict[str, Any]:
        """What is found, as plain data for JSON. Numbers of each question or text rather than
        means: intervals are made when they are read (harness/analysis)."""

    @property
    def settings(self) -> dict[str, Any]:
        """All settings that determine what is found, as plain data."""
        told: Any = asdict(self)  # type: ignore[call-overload]
        unfilled = {k for k, v in told.items() if v == ""}  # `of` had nothing to say
        kept = {k: v for k, v in told.items() if k not in ("enabled", *self.gate, *unfilled)}
        plain: dict[str, Any] = json.loads(json.dumps(kept, default=str))
        return redacted(plain)

    @property
    def limits(self) -> Mapping[str, float]:
        """The thresholds of its gate, by setting."""
        return {name: getattr(self, name) for name in self.gate}

    def answers(self, what: str) -> str:
        """The name of a file for answers in the run's folder: other settings, another file."""
        told = json.dumps(self.settings, sort_keys=True).encode()
        return f"probe-{self.name}-{what}-{hashlib.sha256(told).hexdigest()[:6]}.jsonl"
