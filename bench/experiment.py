"""The same objects that `python -m harness` would build from the same words."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.experiment import compose
from harness.ladder.rung import Predictor, Rung
from harness.models.embedder import Embedder
from harness.models.local.engine import LocalEngine
from harness.task import Task

__all__ = ["Experiment", "experiment"]


@dataclass(frozen=True)
class Experiment:
    """One task, rung and model."""

    task: Task
    rung: Rung
    model: LocalEngine
    embedder: Embedder
    seed: int

    def predictor(self) -> Predictor:
        """The rung, ready to answer; it must not train."""
        with tempfile.TemporaryDirectory() as folder:
            return self.rung.fit(
                self.task.materials, self.model, self.embedder, self.seed, Path(folder)
            )

    def prompts(self, count: int) -> list[list[int]]:
        """Token ids of what the rung asks for the first `count` questions; it must not train."""
        asked = self.predictor().render(self.task.limited(count).questions)
        return [self.model.encode(a.messages) for a in asked]


def experiment(words: Sequence[str]) -> Experiment:
    """What the words of a command line describe, for instance `+task=support_json rung=rag`."""
    spec = compose(words)[0]
    return Experiment(
        task=spec.build("task"),
        rung=spec.build("rung"),
        model=spec.build("model").load(),
        embedder=spec.build("embedder"),
        seed=spec.config.seed,
    )
