"""A folder of `save_pretrained`, looked at before anything of it is loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from harness.errors import TaskError, WeightsError, first_line
from harness.reading import UnreadableError, json_of, text_of
from harness.task import Example, Task

__all__ = ["check_layout"]

WEIGHTS = ("*.safetensors", "*.safetensors.index.json")
TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt")


def check_layout(folder: Path, task: Task) -> None:
    """Raise WeightsError for a folder that is no instruct model of transformers, TaskError for a
    question that alone is longer than its context."""
    config = _read(folder, "config.json")
    if not any(path.is_file() for kind in WEIGHTS for path in folder.glob(kind)):
        raise WeightsError(f"{folder}: holds no *.safetensors; save the model with save_pretrained")
    if not any((folder / name).is_file() for name in TOKENIZERS):
        raise WeightsError(f"{folder}: holds no tokenizer; save it there with save_pretrained")
    written = (folder / "chat_template.jinja", folder / "chat_template.json")
    if not any(path.is_file() for path in written):
        told = _read(folder, "tokenizer_config.json").get("chat_template")
        if not told and not (folder / "additional_chat_templates").is_dir():
            raise WeightsError(f"{folder}: has no chat template; choose an instruct model")
    context = config.get("max_position_embeddings")
    if isinstance(context, int) and (folder / "tokenizer.json").is_file():
        _check_lengths(folder, context, task)


def _read(folder: Path, name: str) -> dict[str, Any]:
    if not (folder / name).is_file():
        raise WeightsError(f"{folder}: holds no {name}; give a folder of save_pretrained")
    try:
        found = json_of(text_of(folder / name))
    except UnreadableError as error:
        raise WeightsError(f"{folder / name}: {error}; save the model again") from error
    if not isinstance(found, dict):
        raise WeightsError(f"{folder / name}: is no object; save the model again")
    return found


def _check_lengths(folder: Path, context: int, task: Task) -> None:
    """Raise TaskError for the longest question if it does not fit by itself, whatever a rung says
    beside it."""
    try:
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    except Exception as error:  # the library raises nothing but Exception
        raise WeightsError(
            f"{folder / 'tokenizer.json'}: cannot be read ({first_line(error)}); save it again"
        ) from error
    m = task.materials
    longest: Example = max(task.eval, key=lambda example: len(example.input))
    tokens = len(tokenizer.encode(longest.input, add_special_tokens=False).ids)
    if tokens + m.max_new_tokens > context:
        raise TaskError(
            f"{longest.where}: the input alone has {tokens:,} tokens, and with "
            f"{m.max_new_tokens:,} for the answer (task.max_new_tokens) that is more than the "
            f"{context:,} that the model can take; shorten it or choose another model"
        )
