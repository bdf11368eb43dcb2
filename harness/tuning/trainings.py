"""What was trained for a task, each training once: rungs that train alike share its weights."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import __version__
from harness.files import SUMS, alone, changed, vouch, write_whole, writing
from harness.inert import say
from harness.models.engine import Engine
from harness.secrets import redacted
from harness.tuning.method import REPORT, Method, Pair, Report, Tuned, kept

__all__ = ["Trainings"]

IDENTITY = "identity.json"
"""What determined the training, for people."""


@dataclass(frozen=True)
class Trainings:
    """Folders of trainings, `<root>/<hash of everything that determines the weights>`."""

    root: Path
    """`results/<task>/trained`."""
    model: Any
    """Identity of the base model, as JSON."""
    again: Callable[[Path], bool]
    """Whether what stands in a folder is to be trained anew."""

    def fit(
        self, method: Method, engine: Engine, train: Sequence[Pair], dev: Sequence[Pair], seed: int
    ) -> Tuned:
        """Train, or take up what a rung that trains alike has left, finished or not.

        A second process that wants the same training waits for the first. What another precision
        has left is another training. Raises TrainingError.
        """
        method = method.on(engine)
        identity = self.identity(method, train, dev, seed)
        folder = self.folder(identity)
        with alone(folder, "trains"):
            other = changed(folder)
            if other:
                say(f"warning: {folder / other}: is not what training left; training again")
            before = _forgotten(folder) if other or self.again(folder) else None
            folder.mkdir(exist_ok=True)
            write_whole(folder / IDENTITY, json.dumps(identity, indent=1))
            with writing(folder):
                tuned = method.fit(engine, train, dev, seed, folder)
                if not (folder / SUMS).exists():
                    vouch(folder)
        if before and before.sha256 != tuned.report.sha256:
            say(
                f"warning: {folder}: training again gave other weights; what answered with the "
                "earlier ones keeps its scores: run it with force=true too"
            )
        return tuned

    def identity(
        self, method: Method, train: Sequence[Pair], dev: Sequence[Pair], seed: int
    ) -> dict[str, Any]:
        """Everything that determines the weights: conversations by content, not by rung."""
        determining = {
            "harness": __version__,
            "model": self.model,
            "method": type(method).__name__,
            "settings": method.settings,
            "seed": seed,
            "train": _sha256(train),
            "dev": _sha256(dev),
        }
        return redacted(determining)

    def folder(self, identity: dict[str, Any]) -> Path:
        """Where a training is kept; it need not be there yet."""
        return self.root / hashlib.sha256(_canonical(identity).encode()).hexdigest()[:12]


def _forgotten(folder: Path) -> Report | None:
    """The report of what was trained in a folder, which is empty from now on."""
    report = kept(folder) if folder.exists() else None
    # First, so that a process killed in between leaves nothing that passes for finished.
    (folder / REPORT).unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
    return report


def _sha256(pairs: Sequence[Pair]) -> str:
    digest = hashlib.sha256()
    for messages, target in pairs:
        digest.update(_canonical([[dict(m) for m in messages], target]).encode() + b"\n")
    return digest.hexdigest()


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)
