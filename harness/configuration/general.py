"""Settings of the top level, checked before anything is loaded, and the names that there are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, Literal

from omegaconf import DictConfig

from harness.configuration.mistakes import suggestion
from harness.errors import ConfigError
from harness.values import AtLeastOne, Count, Seed, settings

__all__ = ["General", "check_changes", "check_names"]

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
    for name in config:
        if name not in known:
            hint = suggestion(str(name), known)
            raise ConfigError(
                f"{name}: there is no such setting{hint}; there are: {', '.join(sorted(known))}"
            )


def check_changes(place: str, changes: Any) -> None:
    """Raise ConfigError unless these are settings of a rung by their dotted names."""
    if not isinstance(changes, Mapping) or not all(isinstance(key, str) for key in changes):
        raise ConfigError(f"{place}={changes!s:.60}: must be settings by name: {{rung.shots.k: 2}}")
