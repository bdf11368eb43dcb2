"""Checkpoints of weights that fill a disk: the last one whole, of the best one the weights alone.

A checkpoint of full fine-tuning is three times the weights: they and the two moments of Adam. The
weights that were best on dev share their file with their checkpoint while that is there (a hard
link), and stay when it goes.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

from transformers import TrainerCallback
from transformers.trainer import TRAINER_STATE_NAME
from transformers.trainer_callback import ExportableState
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR

from harness.errors import RungUnavailableError
from harness.files import PART

__all__ = ["OneCheckpoint", "best_weights", "check_disk"]

MOST_ON_DISK = 7
"""Times the weights, while a checkpoint is written: it, the one before, and the best weights."""


class OneCheckpoint(TrainerCallback, ExportableState):  # type: ignore[misc]
    """Keeps one checkpoint, and `best-STEP` beside it. A later one replaces it when it is whole, so
    that training that is killed at any time goes on from one of the two.

    It must be asked after early stopping: a resumed Trainer puts callbacks that have a state behind
    all others, in the order that they had, and so this one has a state, with nothing in it.
    """

    def state(self) -> dict[str, Any]:
        return {"args": {}, "attributes": {}}

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        _tidy(Path(args.output_dir), state)

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        _tidy(Path(args.output_dir), state)

    def on_evaluate(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        # The Trainer would train on from where it stopped early; from the checkpoint before that
        # it stops there again.
        if control.should_training_stop and state.global_step < state.max_steps:
            control.should_save = False


def best_weights(folder: Path, step: int) -> Path:
    """Where the weights of a step are kept that were best on dev."""
    return folder / f"best-{step}"


def check_disk(folder: Path, weights: int) -> None:
    """Raise RungUnavailableError if checkpoints of so many bytes of weights do not fit.

    `folder` is that of the training; what stands in it already counts as room.
    """
    files = [path.stat() for path in folder.rglob("*") if path.is_file()]
    own = sum({file.st_ino: file.st_size for file in files}.values())
    free = shutil.disk_usage(folder).free
    needed = MOST_ON_DISK * weights - own
    if needed > free:
        raise RungUnavailableError(
            f"{folder}: its checkpoints need {needed:,} bytes ({needed / 1e9:.1f} GB), of which "
            f"{free:,} are free; make room, or say results=FOLDER on a larger disk"
        )


def _tidy(folder: Path, state: Any) -> None:
    """Bring a folder of checkpoints to what `OneCheckpoint` keeps; harmless when repeated."""
    if state.best_global_step is None:
        return
    best = best_weights(folder, state.best_global_step)
    of_best = folder / f"{PREFIX_CHECKPOINT_DIR}-{state.best_global_step}"
    if not best.exists() and of_best.exists():
        _keep_weights(of_best, best)
    last = folder / f"{PREFIX_CHECKPOINT_DIR}-{state.global_step}"
    for path in [*folder.glob("best-*"), *folder.glob(f"{PREFIX_CHECKPOINT_DIR}-*")]:
        if path not in (best, last):
            shutil.rmtree(path)


def _keep_weights(checkpoint: Path, target: Path) -> None:
    """The weights of a checkpoint in a folder of their own: there whole or not at all."""
    scratch = target.with_name(target.name + PART)
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    for path in [*checkpoint.glob("*.safetensors"), *checkpoint.glob("*.json")]:
        if path.name == TRAINER_STATE_NAME:
            continue
        try:
            os.link(path, scratch / path.name)
        except OSError:  # a file system without hard links
            shutil.copy2(path, scratch / path.name)
    scratch.rename(target)
