"""One job's configuration, and the objects below it: nothing deeper sees a DictConfig."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException, InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from harness.configuration.general import check_changes, check_values, results_folder
from harness.configuration.mistakes import one_line
from harness.configuration.targets import check_arguments, check_metrics, check_targets
from harness.configuration.teacher import with_teacher
from harness.errors import ConfigError, HarnessError
from harness.home import located
from harness.secrets import redact, redacted, redacted_word
from harness.splits import with_train_share

if TYPE_CHECKING:
    from harness.job import Job
    from harness.probe.probe import Probe
    from harness.task import Task
    from harness.trials import Candidate

__all__ = ["SWEPT", "JobSpec", "key_of"]

UNTOLD = {
    "experiment",
    "rung",
    "task",
    "model",
    "embedder",
    "seed",
    "limit",
    "force",
    "batch_size",
    "results",
    "trusted",
    "controls",
    "dev_questions",
    "trials",
    "train_share",
    "rung.name",
    "rung.predictions",
}
"""Overrides that a result tells by itself, or that do not change it."""
SWEPT = {"decoding": "constrained", "train_share": 1, "seed": 0, "limit": None}
"""What sweeps go through beside rungs, and the usual value of each."""


@dataclass(frozen=True, eq=False)
class JobSpec:
    """What one job is made from; nothing is loaded before it is asked for."""

    composed: DictConfig
    """The configuration, with Hydra's own part."""
    config_dirs: tuple[str, ...]
    """The user's own folders of YAML."""
    sweep: str
    """Which sweep the job belongs to: when it was composed."""

    @property
    def title(self) -> str:
        """The job in a few words: its task, its rung, and what of SWEPT is not as usual."""
        return "  ".join([" / ".join(self.names), *self.swept.values()])

    @property
    def names(self) -> tuple[str, str]:
        """Its task and its rung."""
        with self._resolving():
            return str(self.config.task.name), str(self.config.rung.name)

    @property
    def swept(self) -> dict[str, str]:
        """What of SWEPT is not as usual, as words of a command line."""
        with self._resolving():
            values = {name: self.config[name] for name in SWEPT}
        return {name: f"{name}={v}" for name, v in values.items() if v != SWEPT[name]}

    @property
    def words(self) -> list[str]:
        """The job's own words: one value where the command line may have several."""
        return list(self.composed.hydra.overrides.task)

    @property
    def command(self) -> str:
        """What to type to get this job again; a secret in it is to be typed again."""
        folders = [f"--config-dir={folder}" for folder in self.config_dirs]
        if len(folders) > 1:  # the flag takes one
            several = ",".join(f"'file://{folder}'" for folder in self.config_dirs)
            folders = [f"hydra.searchpath=[{several}]"]
        return shlex.join(["python", "-m", "harness", *folders, *map(redacted_word, self.words)])

    @cached_property
    def config(self) -> DictConfig:
        """The configuration as YAML files and words have it."""
        config = deepcopy(self.composed)
        OmegaConf.set_struct(config, False)
        del config["hydra"]
        return config

    @property
    def results(self) -> Path:
        """The folder of results; it need not be there. Raises ConfigError for what can be none."""
        with self._resolving():
            return results_folder(self.config.results)

    def check(self) -> None:
        """Raise ConfigError for what can be known of the settings before anything is loaded."""
        with self._resolving():
            check_values(self.config)
        _ = self.results, self._trusted
        for part in ("isolation", "contrasts", "prices", "tracking"):
            self.build(part)

    @cached_property
    def task_settings(self) -> str:
        """Whatever determines the task: jobs that have it in common have the same task."""
        with self._resolving():
            settings = OmegaConf.to_container(self._parts.task, resolve=True)
            less = [self.config.limit, self.config.train_share]
            return json.dumps([settings, *less], default=str)

    def build(self, part: str) -> Any:
        """The object that one part of the configuration describes: task, rung, model, …

        The task is all of it, whatever `limit` and `train_share` say. Raises HarnessError for a
        user's mistake.
        """
        with self._resolving():
            node = self._parts[part]
        return self._built(node, part)

    def task(self) -> Task:
        """The task, with only a sample of `limit` eval examples and the `train_share` of train."""
        task: Task = self.build("task")
        with self._resolving():
            return with_train_share(task.limited(self.config.limit), self.config.train_share)

    def job(self, task: Task | None = None) -> Job:
        """All of it; `task` is taken if it was built already. Raises HarnessError."""
        task = task or self.task()  # mistakes in data show before torch loads
        from harness.job import Job
        from harness.models.absent import AbsentModel

        with self._resolving():
            config = self.config
            candidates = self._candidates()
            recorded = candidates[0].rung.recorded  # answered elsewhere: there is nothing to ask
            return Job(
                task=task,
                candidates=candidates,
                decoding=config.decoding,
                model=AbsentModel() if recorded else self.build("model"),
                embedder=self.build("embedder"),
                isolation=self.build("isolation"),
                contrasts=self.build("contrasts"),
                controls=_plain(config.controls),
                dev_questions=config.dev_questions,
                seed=config.seed,
                force=config.force,
                root=self.results,
                config=_recorded(config),
                variant=self._variant(candidates),
                sweep=self.sweep,
                command=self.command,
                probes=[] if recorded else self._probes(),
            )

    def _probes(self) -> list[Probe]:
        """What a fitted rung is asked beside the task; `probes.NAME=null` leaves one out."""
        # Of the whole configuration, as a task may say what leaves its targets alone.
        described = self.config.get("probes") or {}
        return [
            self._built(node, f"probes.{name}")
            for name, node in described.items()
            if node is not None
        ]

    def _variant(self, candidates: Sequence[Candidate]) -> str:
        """The words that make this job another one, without those of a transform that does
        nothing."""
        words = [word for word in self.words if not _told(word)]
        if all(candidate.rung.transform is None for candidate in candidates):
            words = [word for word in words if not key_of(word).startswith("rung.transform")]
        return " ".join(map(redacted_word, words))

    @cached_property
    def _parts(self) -> DictConfig:
        """The configuration without what is read here, ready to build from."""
        config = deepcopy(self.config)
        for name in ("rungs", "perturbations"):
            config.task.pop(name, None)
        config.rung.pop("candidates", None)
        for node in (config.task, config.task.get("answer")):
            if isinstance(node, DictConfig):
                for key, value in node.items_ex(resolve=False):
                    if isinstance(value, str):
                        node[key] = located(value)
        return config

    def _candidates(self) -> list[Candidate]:
        """The settings that the rung tries: first those chosen for the task (`task.rungs`), then
        the rung's own, then those that its YAML names under `candidates`; equal ones once.

        What was typed on the command line holds for all of them. Raises ConfigError if there are
        fewer than `trials`.
        """
        from harness.trials import Candidate

        config = self.config
        found: dict[str, Candidate] = {}
        listed = config.rung.get("candidates")
        if listed is not None and not isinstance(listed, ListConfig):
            raise ConfigError(
                f"rung.candidates={listed!s:.60}: must be a list of settings, or null"
            )
        for changes in (self._chosen, {}, *(listed or [])):
            check_changes("rung.candidates", changes)
            settled, rung = self._settled(changes)
            settings = OmegaConf.to_container(rung, resolve=True)
            words = " ".join(f"{k}={'null' if v is None else v}" for k, v in settled.items())
            key = json.dumps(settings, sort_keys=True)
            if key not in found:
                built = self._built(rung, "rung")
                found[key] = Candidate(built, redacted(settings), redact(words))
        trials = config.trials
        if isinstance(trials, bool) or not isinstance(trials, int) or not 1 <= trials <= len(found):
            raise ConfigError(
                f"trials={trials}: must be from 1 to the {len(found)} settings that rung "
                f"{config.rung.name} has; add to its candidates"
            )
        return list(found.values())[:trials]

    @property
    def first_setting(self) -> dict[str, Any]:
        """The rung's part of the configuration as plain data, set as it is tried first."""
        with self._resolving():
            settings = OmegaConf.to_container(self._settled(self._chosen)[1], resolve=True)
        assert isinstance(settings, dict)
        return {str(key): value for key, value in settings.items()}

    @property
    def _chosen(self) -> Mapping[str, Any]:
        """The settings that were chosen for this rung on this task (`task.rungs`)."""
        chosen = self.config.task.get("rungs") or {}
        check_changes("task.rungs", chosen)
        mine = chosen.get(self.config.rung.name) or {}
        check_changes(f"task.rungs.{self.config.rung.name}", mine)
        return dict(mine)

    def _settled(self, changes: Mapping[str, Any]) -> tuple[dict[str, Any], DictConfig]:
        """The changes that the command line leaves standing, and the rung with them."""
        typed = [key for key in map(key_of, self.words) if "." in key]  # others choose whole files
        settled = {k: v for k, v in changes.items() if not _typed(k, typed)}
        rung = _changed(self._parts, settled).rung
        return settled, with_teacher(rung, self.words, self.config_dirs)

    def _built(self, config: Any, place: str) -> Any:
        """What a `_target_` describes; `place` is where the configuration has it."""
        with self._resolving():
            if not isinstance(config, DictConfig) or "_target_" not in config:
                raise ConfigError(f"{place}={config!s:.60}: describes nothing; it needs a _target_")
            # What is looked at must be what is built: a `${…}` may stand for a whole object.
            resolved = deepcopy(config)
            OmegaConf.resolve(resolved)
            check_targets(resolved, self._trusted)
            check_arguments(resolved, place)
            check_metrics(resolved.get("metrics"), self._trusted)
            try:
                return instantiate(resolved, _convert_="all")
            except InstantiationException as error:
                raise _unwrapped(error) from error

    @property
    def _trusted(self) -> list[str]:
        """Packages whose code a YAML may name. Raises ConfigError if a YAML itself says so."""
        trusted = _plain(self.config.trusted)
        if not isinstance(trusted, list) or not all(isinstance(p, str) for p in trusted):
            raise ConfigError(
                f"trusted={trusted}: must be a list of packages: trusted=[my_formats]"
            )
        if trusted and all(key_of(word) != "trusted" for word in self.words):
            raise ConfigError("trusted: no YAML can say so; say it on the command line")
        return trusted

    @contextmanager
    def _resolving(self) -> Iterator[None]:
        """`${hydra:…}` stands for this job's, as under `hydra.main`; a fault is a ConfigError."""
        hydra = HydraConfig.instance()
        before = hydra.cfg
        hydra.set_config(self.composed)
        try:
            yield
        except (HydraException, OmegaConfBaseException, RecursionError) as error:
            raise ConfigError(one_line(error)) from error
        finally:
            hydra.cfg = before


def _recorded(config: DictConfig) -> str:
    """The resolved configuration as YAML, without secrets."""
    plain = OmegaConf.to_container(config, resolve=True)
    kept = redacted(plain)
    if kept == plain:
        return OmegaConf.to_yaml(config, resolve=True)
    return yaml.safe_dump(kept, sort_keys=False, allow_unicode=True)


def _plain(value: Any) -> Any:
    """A list as Python's own."""
    return list(value) if isinstance(value, ListConfig) else value


def key_of(word: str) -> str:
    """What a word sets: `a.b` in `+a.b=c`."""
    return word.lstrip("+~").split("=", 1)[0]


def _told(word: str) -> bool:
    return key_of(word) in UNTOLD or key_of(word).startswith(("tracking", "prices.", "probes"))


def _typed(key: str, typed: Sequence[str]) -> bool:
    """Whether the command line has set a key, something below it or something above it."""
    return any(f"{key}.".startswith(f"{t}.") or f"{t}.".startswith(f"{key}.") for t in typed)


def _changed(config: DictConfig, changes: Mapping[str, Any]) -> DictConfig:
    """A copy of the configuration with other values: dotted key → value."""
    copy = deepcopy(config)
    for key, value in changes.items():
        OmegaConf.update(copy, key, value)
    return copy


def _unwrapped(error: InstantiationException) -> BaseException:
    """What really happened, behind Hydra's wrapping: the user's mistake or our fault."""
    if str(error).startswith("Error locating target"):
        return ConfigError(f"{str(error).splitlines()[0]}; fix the _target_")
    cause: BaseException = error
    while cause.__cause__ is not None:
        cause = cause.__cause__
        if isinstance(cause, HarnessError):
            return cause
    if isinstance(cause, TypeError) and "argument" in str(cause):
        return ConfigError(f"{cause}; fix the YAML or the override")
    return cause
