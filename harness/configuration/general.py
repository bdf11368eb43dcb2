"""Settings of the top level, checked before anything is loaded, and the names that there are."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, Literal

from omegaconf import DictConfig, OmegaConf

from harness.configuration.mistakes import suggestion
from harness.errors import ConfigError
from harness.values import AtLeastOne, Count, Seed, settings

__all__ = ["General", "check_changes", "check_names", "check_values", "results_folder"]

LONGEST = 255
"""Bytes that a folder's name may have on any file system."""

PARTS = (
    "task", "model", "embedder", "training", "rung", "tracking", "isolation", "contrasts", "prices",
    "probes", "hydra",
)  # fmt: skip
"""What a configuration has beside the fields of `General`."""


@settings("")
class General:
    """What conf/config.yaml sets outside of any group."""

    seed: Seed
    limit: Any
    """`Task.limited` checks it."""
    train_share: Any
    """`splits.with_train_share` checks it."""
    force: bool
    decoding: Literal["constrained", "free"]
    trials: int
    controls: bool | Sequence[str] | None
    dev_questions: Count
    batch_size: AtLeastOne | None
    results: Any
    trusted: Any


def check_names(config: DictConfig) -> None:
    """Raise ConfigError for a name at the top level that means nothing, and for a part that is no
    group of settings, or was taken out."""
    known = [*PARTS, *(field.name for field in fields(General))]
    for name in known:
        if name not in config.keys():  # noqa: SIM118 - what cannot be resolved is there too
            raise ConfigError(f"{name}: was taken out; fix: {name}=VALUE")
    for name in PARTS:
        node = config._get_node(name)
        if not isinstance(node, DictConfig) or node._is_none():
            if name == "probes" and config.get(name) is None:
                continue
            raise ConfigError(
                f"{name}={node!s:.60}: must be a group of settings; choose one with {name}=NAME, "
                f"or set one of its values: {name}.NAME=VALUE"
            )
    for name in map(str, config):
        if name not in known:
            hint = suggestion(name, known)
            raise ConfigError(
                f"{name}: there is no such setting{hint}; there are: {', '.join(sorted(known))}"
            )


def check_values(config: DictConfig) -> None:
    """Raise ConfigError for a value of the top level that cannot be."""
    found: dict[str, Any] = {field.name: config[field.name] for field in fields(General)}
    for name, value in found.items():
        if OmegaConf.is_config(value):
            found[name] = OmegaConf.to_container(value, resolve=True)
    General(**found)


def results_folder(folder: Any) -> Path:
    """Where results go. Raises ConfigError for what is the name of no folder."""
    if not isinstance(folder, str) or not folder.strip():
        raise ConfigError(f"results={folder}: must be a folder, for instance results=results")
    if "\0" in folder or any(len(os.fsencode(part)) > LONGEST for part in Path(folder).parts):
        raise ConfigError(f"results={folder!r:.60}: is the name of no folder; give a shorter one")
    there = next(p for p in (Path(folder).resolve(), *Path(folder).resolve().parents) if p.exists())
    if not there.is_dir():
        raise ConfigError(f"results={folder}: {there} is no folder; choose another")
    return Path(folder).resolve()


def check_changes(place: str, changes: Any) -> None:
    """Raise ConfigError unless these are settings of a rung by their dotted names."""
    if not isinstance(changes, Mapping) or not all(isinstance(key, str) for key in changes):
        raise ConfigError(f"{place}={changes!s:.60}: must be settings by name: {{rung.shots.k: 2}}")
