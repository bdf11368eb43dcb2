"""From the words of a command line to the configuration of each job."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml
from hydra import version
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import ConfigRepository
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra._internal.utils import create_config_search_path
from hydra.core.config_search_path import SearchPathQuery
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.core.utils import setup_globals
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from harness.configuration.general import check_names
from harness.configuration.mistakes import one_line
from harness.configuration.spec import JobSpec, key_of
from harness.configuration.words import named_after
from harness.errors import ConfigError
from harness.home import CONF
from harness.reading import UnreadableError, text_of
from harness.secrets import redacted_word

__all__ = ["compose"]

BROKEN = (
    yaml.YAMLError, ValueError, TypeError, LookupError, AttributeError, AssertionError,
    RecursionError, OSError,
)  # fmt: skip
"""What Hydra and its readers raise beside their own errors where words or YAML make no sense."""

OmegaConf.register_new_resolver("named_after", named_after, replace=True)


def compose(
    words: Sequence[str], *, config_dirs: Sequence[str | Path] = (), sweep: bool = True
) -> list[JobSpec]:
    """The jobs that the words of a command line describe, in the order of running.

    Without `sweep` the words are one job, and the configuration's own rungs are not swept.
    `config_dirs` are folders of YAML beside harness's own. Raises ConfigError.

    >>> [spec.title for spec in compose(["+task=support_json", "rung=prompt,lora", "seed=0"])]
    ['support_json / prompt', 'support_json / lora']
    """
    version.setbase("1.3")
    setup_globals()
    folders = [Path(folder).absolute() for folder in config_dirs]
    loader = _loader(folders)
    for word in words:
        if not isinstance(word, str) or "\0" in word:
            raise ConfigError(f"{word!r:.60}: is no override; fix: NAME=VALUE")
    try:
        composed = _composed(loader, list(words), sweep)
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigError(one_line(error)) from error
    except BROKEN as error:
        raise ConfigError(_broken(loader, list(words), sweep, folders, error)) from error
    if not composed:
        raise ConfigError("nothing to run: a sweep among the words is empty")
    for config in composed:
        if "task" not in config:
            tasks = ", ".join(sorted(loader.get_group_options("task")))
            raise ConfigError(f"which task? say +task=NAME; there are: {tasks}")
        check_names(config)
    now = f"{datetime.now():%Y-%m-%d_%H-%M-%S}"
    return [JobSpec(config, tuple(map(str, folders)), now) for config in composed]


def _broken(
    loader: Any, words: Sequence[str], sweep: bool, folders: Sequence[Path], error: Exception
) -> str:
    """What is wrong where Hydra or the YAML reader gave up, also if it did not say where."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        return one_line(error)
    for path in (path for folder in folders for path in sorted(folder.rglob("*.yaml"))):
        try:
            yaml.compose(text_of(path), Loader=yaml.SafeLoader)
        except UnreadableError as unreadable:
            return f"{path}: {unreadable}"
        except yaml.YAMLError as fault:
            return f"{path}: not YAML ({' '.join(str(fault).split()):.200}); fix the file"
        except RecursionError:
            return f"{path}: is nested too deeply; fix the file"
    for word in words:
        try:
            _composed(loader, [other for other in words if other is not word], sweep)
        except (ConfigError, HydraException, OmegaConfBaseException, *BROKEN):
            continue
        return f"{redacted_word(word):.200}: {one_line(error)}; fix it or leave it out"
    return f"{' '.join(map(redacted_word, words)):.200}: {one_line(error)}; fix the words"


class _ReadOnce(ConfigRepository):  # type: ignore[misc]
    """Files that are parsed once for all jobs: Hydra would parse them again for each."""

    def initialize_sources(self, config_search_path: Any) -> None:
        super().initialize_sources(config_search_path)
        self._read: dict[str, Any] = {}

    def load_config(self, config_path: str) -> Any:
        if config_path not in self._read:
            self._read[config_path] = super().load_config(config_path)
        return copy.deepcopy(self._read[config_path])  # composing writes into what it gets

    def __deepcopy__(self, memo: Any) -> _ReadOnce:
        return copy.copy(self)  # Hydra copies it to give the copy other sources, which reads anew


def _loader(folders: Sequence[Path]) -> Any:
    """A reader of harness's YAML and of the user's own folders, without Hydra's global state.

    Raises ConfigError.
    """
    search = create_config_search_path(str(CONF))
    for folder in folders:
        if not folder.is_dir():
            raise ConfigError(f"{folder}: no such folder; fix --config-dir")
        end = SearchPathQuery(provider="schema")
        search.prepend(provider="command-line", path=f"file://{folder}", anchor=end)
    loader = ConfigLoaderImpl(config_search_path=search)
    loader.repository = _ReadOnce(config_search_path=search)
    return loader


def _composed(loader: Any, words: list[str], sweep: bool) -> list[DictConfig]:
    """The configuration of each job."""
    parser = OverridesParser.create(config_loader=loader)
    given = parser.parse_overrides(words)
    _check_once(given)
    if not sweep:
        return [loader.load_configuration("config", words, run_mode=RunMode.RUN)]
    # What is swept by default may depend on whole files, such as +experiment=look. Single settings
    # are left to the jobs: `rung=few_shot,rag rung.shots.k=2` has no meaning before it is swept.
    files = [
        o.input_line
        for o in given
        if o.is_hydra_override() or loader.repository.group_exists(o.key_or_group)
    ]
    general = loader.load_configuration("config", files, run_mode=RunMode.MULTIRUN)
    params = general.hydra.sweeper.params or {}
    if any(key_of(name) == "trusted" for name in params):
        raise ConfigError("trusted: cannot be swept, and no YAML can say so; say trusted=[…] alone")
    swept = [f"{name}={values}" for name, values in params.items()]
    typed = [o.input_line for o in given if not o.is_hydra_override()]
    (jobs,) = BasicSweeper.split_arguments(parser.parse_overrides([*swept, *typed]), None)
    return [_one(loader, general, job) for job in jobs]


def _check_once(given: Sequence[Override]) -> None:
    """Raise ConfigError for a setting that is typed twice: the last one would silently win."""
    first: dict[str, str] = {}
    for override in given:
        key, word = override.get_key_element(), override.input_line
        if key in first:
            values = ",".join(one.partition("=")[2] for one in (first[key], word))
            both = f", or say {redacted_word(f'{key}={values}')} to run both"
            raise ConfigError(
                f"{redacted_word(first[key])} and {redacted_word(word)}: are the same setting "
                f"twice; keep one{both if word != first[key] else ''}"
            )
        first[key] = word


def _one(loader: Any, general: DictConfig, words: list[str]) -> DictConfig:
    """The configuration of one job. Raises ConfigError, with the name that was probably meant."""

    def names(mistaken: str) -> list[str]:
        others = [word for word in words if key_of(word) != mistaken]
        try:
            config = loader.load_sweep_config(general, others)
        except HydraException:
            return []
        plain = OmegaConf.to_container(config, resolve=False)
        return [name for name in _names(plain) if not name.startswith("hydra")]

    try:
        config: DictConfig = loader.load_sweep_config(general, words)
        return config
    except HydraException as error:
        raise ConfigError(one_line(error, names)) from error


def _names(settings: Any, above: str = "") -> list[str]:
    """The dotted names of all that can be set in a configuration, given as plain data."""
    found: list[str] = []
    for key, value in settings.items() if isinstance(settings, dict) else ():
        found += [f"{above}{key}", *_names(value, f"{above}{key}.")]
    return found
