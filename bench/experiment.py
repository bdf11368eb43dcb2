"""The same objects that `python -m harness` would build from the same words."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import OmegaConf

from harness.ladder.rung import Predictor, Rung
from harness.models.embedder import Embedder
from harness.models.local.engine import LocalEngine
from harness.task import Task

__all__ = ["Experiment", "experiment"]

CONF = Path(__file__).resolve().parent.parent / "conf"


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


def experiment(overrides: list[str]) -> Experiment:
    """What the words of a command line describe, for instance `+task=support_json rung=rag`."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("config", overrides=[*overrides, "tracking=none"])
    OmegaConf.resolve(config)
    OmegaConf.set_struct(config, False)
    config.rung.pop("candidates")
    config.task.pop("rungs", None)
    built: dict[str, Any] = {
        k: instantiate(config[k], _convert_="all") for k in ("task", "rung", "model", "embedder")
    }
    return Experiment(**built | {"model": built["model"].load()}, seed=config.seed)
