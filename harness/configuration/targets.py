"""What a `_target_` of a YAML may name: classes of harness and PEFT, and of packages that the user
trusts; and which functions it may name as tools. Hydra itself would call anything that can be
imported."""

from __future__ import annotations

import inspect
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from hydra.utils import get_object
from omegaconf import DictConfig, ListConfig

from harness.configuration.mistakes import suggestion
from harness.errors import ConfigError
from harness.foreign import KNOWN

__all__ = ["check_arguments", "check_metrics", "check_targets"]

TOOLS = "harness.toolbox."
FUNCTIONS = (
    "harness.load.load_task",
    "harness.ladder.external.answered_elsewhere",
    "harness.ladder.transform.data_quality",
)
"""Those of harness that build something; the others do something."""


def check_targets(config: Any, trusted: Collection[str]) -> None:
    """Raise ConfigError for a target outside of `harness`, `peft` and the packages in `trusted`,
    and for a tool's function that is not in `trusted`, before anything of it is imported."""
    for target, described in _described(config):
        package = target.partition(".")[0]
        if package not in KNOWN and package not in trusted:
            raise ConfigError(
                f"_target_: {target}: is code outside of harness and peft; if you trust it, say "
                f"trusted=[{package}]"
            )
        if package in KNOWN and not _builds(target):
            raise ConfigError(f"_target_: {target}: is no class of {package}; fix the _target_")
        if target.startswith(TOOLS) and target.endswith(".Function"):
            _check_function(described, trusted)


def check_metrics(metrics: Any, trusted: Collection[str]) -> None:
    """Raise ConfigError for a metric whose code is not `evaluate`'s own and not in `trusted`:
    `evaluate.load` runs that of a file, or of anybody's space on the hub."""
    for name in metrics or ():
        if not isinstance(name, str) or name in trusted:
            continue
        if not re.fullmatch(r"\w[\w-]*", name) or Path(name).exists():
            raise ConfigError(
                f"task.metrics: {name}: its code would be run; name a metric of `evaluate` itself, "
                f"such as sacrebleu, or, if you trust it, say trusted=[{name}]"
            )


def check_arguments(config: Any, place: str = "") -> None:
    """Raise ConfigError for a setting that a target does not take, with the nearest one that it
    takes, and for one that it needs and that is not there."""
    if isinstance(config, ListConfig):
        for value in config._iter_ex(resolve=False):
            check_arguments(value, place)
    if not isinstance(config, DictConfig) or config._is_none() or config._is_interpolation():
        return
    keys = [str(key) for key in config]
    for key in keys:
        check_arguments(config._get_node(key), ".".join(filter(None, (place, key))))
    target = config.get("_target_") if "_target_" in config else None
    if isinstance(target, str) and target.partition(".")[0] in KNOWN:
        _check_taken(target, [key for key in keys if not key.startswith("_")], place)


def _check_taken(target: str, keys: Collection[str], place: str) -> None:
    try:
        parameters = inspect.signature(get_object(target)).parameters
    except Exception:  # noqa: BLE001 - whatever hinders its import is told where it is built
        return
    if any(one.kind is inspect.Parameter.VAR_KEYWORD for one in parameters.values()):
        return
    for key in keys:
        if key not in parameters:
            hint = suggestion(key, parameters)
            raise ConfigError(
                f"{place}.{key}: there is no such setting{hint}; there are: {', '.join(parameters)}"
            )
    for name, one in parameters.items():
        if one.default is inspect.Parameter.empty and name not in keys:
            raise ConfigError(f"{place}.{name}: is missing; {target} needs it")


def _described(config: Any) -> Iterator[tuple[str, DictConfig]]:
    """Every `_target_`, however deep, with what stands beside it."""
    if isinstance(config, DictConfig):
        for key, value in config.items_ex(resolve=False):
            if key == "_target_":
                yield str(value), config
            else:
                yield from _described(value)
    elif isinstance(config, ListConfig):
        for value in config:
            yield from _described(value)


def _check_function(tool: DictConfig, trusted: Collection[str]) -> None:
    """Raise ConfigError for a function of which the command line did not say that it is trusted."""
    if "_args_" in tool:
        raise ConfigError("task.tools: _args_ leaves a tool's settings unnamed; name each of them")
    place = str(tool.get("function")).rpartition(":")[0]
    code = place if place.endswith(".py") else place.partition(".")[0]
    if code not in trusted:
        raise ConfigError(
            f"task.tools: function={tool.get('function')}: its code would be run; if you trust "
            f"it, say trusted=[{code}]"
        )


def _builds(target: str) -> bool:
    """Whether it is a class that its package defines, or one of the functions that build; what
    does not exist is told apart later, where it is built."""
    if target in FUNCTIONS:
        return True
    try:
        found = get_object(target)
    except Exception:  # noqa: BLE001 - whatever hinders its import is told where it is built
        return True
    home = str(getattr(found, "__module__", "")).partition(".")[0]
    return inspect.isclass(found) and home in KNOWN
