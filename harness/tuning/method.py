"""What tunes: one interface for adapters, full fine-tuning and whatever else changes weights."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from harness.errors import RungUnavailableError
from harness.files import make_durable, write_whole
from harness.models.engine import Conversation, Engine
from harness.slot import Slot
from harness.task import Materials

__all__ = ["Curve", "Method", "Pair", "Report", "Tuned", "keep", "kept"]

Pair = tuple[Conversation, str]
"""A training conversation: the messages up to the model's turn, and what it should write."""

REPORT = "training.json"
"""Written last: training that left none goes on where it stopped."""


@dataclass(frozen=True)
class Curve:
    """What training left behind."""

    points: list[dict[str, float]]
    """One record per step or dev evaluation: step, epoch and loss, or dev_loss, dev_accuracy,
    stop_rate."""
    steps: int
    best_step: int
    seconds: float
    tokens: int
    """Tokens of all examples seen, each with its whole prompt."""
    weights_megabytes: float | None = None
    """Memory of all weights while training: the base model's, and an adapter's."""
    peak_megabytes: float | None = None
    """The most memory that training held, these weights among it; of the last part, if it was
    interrupted. None for both where training is older than these numbers."""
    losses: list[list[float]] = field(default_factory=list, compare=False, repr=False)
    """Of each example its loss in each epoch, per completion token; kept in a file of their own
    (`tuning/example_losses.py`), and empty where training was finished earlier."""

    @property
    def stop_rate(self) -> float:
        """At the best step; 0 where it was not measured."""
        rates = {p["step"]: p["stop_rate"] for p in self.points if "stop_rate" in p}
        return rates.get(self.best_step, 0.0)


@dataclass(frozen=True)
class Report:
    """What training did; None for what a method does not have. Kept as `training.json`."""

    trainable: int | None = None
    """Trainable parameters."""
    megabytes: float | None = None
    """Of the weights that training left on disk."""
    examples: int | None = None
    distinct: int | None = None
    """Of these examples, as the model sees them."""
    zero_step: dict[str, int] | None = None
    """A control: of so many `questions` the model before its first step answered so many
    `identical`, letter for letter, to the base model."""
    sha256: str | None = None
    """Of the weights that training left on disk."""
    effect: float | None = None
    """Largest change of a logit by training on the first dev prompts; 0 is training without
    effect."""
    ranks: dict[str, int] | None = None
    """Of an adapter that allocates them: `initial`, `target` and `final` over all layers; at last
    `least` and `most` of one layer."""
    dtype: str | None = None
    """In which products were computed while training."""
    stop_rate: float | None = None
    """Share of dev answers behind which the model puts the stop token first."""
    answering: str | None = None
    """Which weights answer, where that is not the obvious: the full base model with what training
    left."""
    curve: Curve | None = None
    head: dict[str, Any] | None = None
    """Of a classification head: how many `labels` it knows, its `temperature`, its cross-entropy
    on `dev` before and after that (`n`, `raw`, `scaled`, nats); where a solver fitted it, in how
    many `iterations`, and whether it `converged`."""

    def record(self) -> dict[str, Any]:
        """The report without the points of its curve, and the curve's figures beside it."""
        record = asdict(self)
        curve: dict[str, Any] = record.pop("curve") or {}
        return record | {k: v for k, v in curve.items() if k not in ("points", "losses")}


@dataclass(frozen=True)
class Tuned:
    """What answers after training, and the report on it."""

    engine: Engine
    report: Report
    folder: Path
    """Where its weights are kept."""


class Method(Slot, ABC):
    """A way to change what a model answers by training it: a slot of a rung."""

    @property
    def reads(self) -> Collection[str]:
        return ("train", "dev")

    @property
    def random(self) -> bool:
        return True

    def labelled(self, materials: Materials) -> int:
        """Training needs train, and dev to know when to stop."""
        return len(materials.train) + len(materials.dev)

    def check(self, materials: Materials) -> None:
        if not materials.train:
            raise RungUnavailableError(f"it trains, but {materials.no_train}")

    @property
    def writes(self) -> bool:
        """Whether what it leaves writes text, token by token; else no constraint holds it, and
        general text tells nothing of it."""
        return True

    def on(self, engine: Any) -> Method:
        """The method with what its settings leave to the machine said."""
        return self

    def base(self, engine: Any) -> Any:
        """The engine as it is before training, with the very weights that are tuned: what its
        training changed is the difference from it."""
        return engine

    @property
    @abstractmethod
    def settings(self) -> Any:
        """All that determines what it makes of the same conversations, as JSON."""

    @abstractmethod
    def fit(
        self, engine: Any, train: Sequence[Pair], dev: Sequence[Pair], seed: int, folder: Path
    ) -> Tuned:
        """Train, or take up what an earlier run has finished.

        `engine` is one whose capabilities say that it is tunable. `folder` keeps the weights, the
        report, what examples lost (`example_losses.jsonl`, if the method knows) and checkpoints on
        the way. Raises TrainingError if training changes nothing.
        """


def kept(folder: Path) -> Report | None:
    """The report of training that was finished in this folder; None too if it cannot be read."""
    path = folder / REPORT
    if not path.exists():
        return None
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        curve = record.pop("curve", None)
        return Report(**record, curve=Curve(**curve) if curve else None)
    except (ValueError, TypeError, AttributeError):
        return None


def keep(folder: Path, report: Report) -> None:
    """Write down that training is finished, when what it left survives a loss of power."""
    for path in [*folder.glob("*"), *folder.glob("*/*")]:
        if path.is_file():
            make_durable(path)
    record = asdict(report)
    if report.curve:
        del record["curve"]["losses"]
    write_whole(folder / REPORT, json.dumps(record, indent=1))
