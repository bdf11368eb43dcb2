"""General text, and general instructions: what a model is asked that no task is about."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import yaml

from harness.errors import ConfigError, ProbeUnavailableError, WeightsError
from harness.home import located, places
from harness.models.weights import Weights
from harness.sampling import hash_order
from harness.sources import read_file

__all__ = ["instructions", "own_file", "passages"]

ROWS = (".jsonl", ".csv", ".parquet")
PLACE = "probes.forgetting"
FEWEST = 2
"""Passages, for an interval."""
OWN = Path(__file__).with_name("general.yaml")


def passages(source: str | Weights, field: str, count: int, without: Sequence[str]) -> list[str]:
    """`count` texts of a file, always the same ones, in the order of their hashes.

    A file of rows (.jsonl, .csv, .parquet) has them under `field`; any other is text whose
    paragraphs stand between blank lines. Texts that the task shows (`without`) are no general
    ones. Raises ProbeUnavailableError for a package that cannot be fetched or whose texts are all
    the task's, ConfigError and TaskError for a file that is not as it must be.
    """
    try:
        path = source.resolve() if isinstance(source, Weights) else own_file(source, "passages")
    except WeightsError as error:
        raise ProbeUnavailableError(
            f"its passages cannot be had ({error}); or give a file: {PLACE}.passages=FILE"
        ) from error
    found = _rows(path, field) if path.suffix in ROWS else _paragraphs(path)
    left_out = {" ".join(text.split()) for text in without}
    texts = [text for text in dict.fromkeys(found) if " ".join(text.split()) not in left_out]
    if len(texts) < FEWEST:
        fault = ConfigError if len(set(found)) < FEWEST else ProbeUnavailableError
        raise fault(
            f"{PLACE}.passages={path}: has {len(texts)} passages that the task does not show; "
            f"give a file with more: {PLACE}.passages=FILE"
        )
    return sorted(texts, key=hash_order)[:count]


def instructions(source: str | None) -> list[str]:
    """A YAML list of texts; harness's own without a `source`. Raises ConfigError."""
    path = OWN if source is None else own_file(source, "instructions")
    try:
        listed = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        listed = error
    if not isinstance(listed, list) or not all(isinstance(one, str) for one in listed):
        raise ConfigError(
            f"{PLACE}.instructions={path}: is not a YAML list of texts; write `- …` lines, and "
            "put a text with a colon into quotes"
        )
    return list(listed)


def own_file(name: str, setting: str) -> Path:
    """The path of a file that a setting names. Raises ConfigError."""
    path = Path(located(name))
    if not path.is_file():
        raise ConfigError(f"{PLACE}.{setting}={name}: no such file (looked for {places(name)})")
    return path


def _rows(path: Path, field: str) -> list[str]:
    found = []
    for row in read_file(path):
        text = row.values.get(field)
        if not isinstance(text, str) or not text.strip():
            raise ConfigError(
                f"{row.where}: has no text under '{field}'; fix it or {PLACE}.field "
                f"(there are: {', '.join(map(str, row.values))})"
            )
        found.append(text.strip())
    return found


def _paragraphs(path: Path) -> list[str]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 ({error.reason}); save the file as UTF-8") from error
    return [part.strip() for part in re.split(r"\n\s*\n", text) if part.strip()]
