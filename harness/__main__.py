"""`python -m harness`: from the command line to jobs. The only file that imports hydra."""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException, InstantiationException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from harness.errors import ConfigError, HarnessError, RungUnavailableError

if TYPE_CHECKING:
    from harness.evidence.cost import Prices
    from harness.record.results import RunFolder
    from harness.report.mlflow import Tracking
    from harness.run import Job
    from harness.trials import Candidate

__all__ = ["main"]

CONF = Path(__file__).resolve().parent.parent / "conf"
UNTOLD = {
    "rung",
    "task",
    "model",
    "embedder",
    "seed",
    "limit",
    "force",
    "batch_size",
    "results",
    "controls",
    "dev_questions",
    "trials",
}
"""Overrides that a result tells by itself, or that do not change it."""

OTHER_MODES = {
    "--multirun", "-m", "--run", "-r", "--cfg", "-c", "--info", "-i", "--shell-completion", "-sc",
}  # fmt: skip
"""What of Hydra's own goes without a sweep, or asks for one itself."""

_finished: list[tuple[RunFolder, Tracking, str, Prices]] = []
"""What this process has run: folder, where it is mirrored, the sweep, and what it was priced at."""


_left_out: list[str] = []
"""Rungs that a task cannot have, and why."""


class _Stop(BaseException):
    """A user's mistake on its way out: hydra would print its own lines about an Exception."""


@hydra.main(version_base="1.3", config_path=str(CONF), config_name="config")  # type: ignore[untyped-decorator]
def _sweep(config: DictConfig) -> None:
    """One job of a sweep."""
    try:
        _one(config)
    except HarnessError as error:
        raise _Stop(str(error)) from error


def _one(config: DictConfig) -> None:
    if "task" not in config:
        raise ConfigError(f"which task? say +task=NAME; there are: {', '.join(_tasks())}")
    prices: Prices = _build(config.prices)
    job = _assemble(config)
    from harness.run import run

    tracking: Tracking = _build(config.tracking)
    number = HydraConfig.get().job.get("num", 0)
    loud = f"  LIMIT: only the first {job.task.limit} eval examples" if job.task.limit else ""
    print(f"[{number}] {job.task.name} / {job.rung.name}{loud}", file=sys.stderr)
    try:
        folder = run(job)
    except RungUnavailableError as error:
        _left_out.append(f"{job.rung.name} is left out of {job.task.name}: {error}")
        print(f"warning: {_left_out[-1]}", file=sys.stderr)
        return
    for done in (folder, *_controls(job, folder)):
        if all(done.path != earlier.path for earlier, *_ in _finished):
            _track(partial(tracking.mirror, done), done.path)
            _finished.append((done, tracking, job.sweep, prices))


def _controls(job: Job, folder: RunFolder) -> Iterator[RunFolder]:
    """The controls beside a job; one that cannot be had is no reason to lose the rung."""
    from harness.run import run

    for control in job.beside(folder):
        try:
            yield run(control)
        except HarnessError as error:
            print(f"warning: control {control.rung.name} is left out: {error}", file=sys.stderr)


def _assemble(config: DictConfig) -> Job:
    """The typed objects below the configuration; nothing deeper sees a DictConfig."""
    resolved = OmegaConf.to_yaml(config, resolve=True)
    OmegaConf.set_struct(config, False)
    chosen = config.task.pop("rungs", None) or {}
    task = _build(config.task).limited(config.limit)  # mistakes in data show before torch loads
    from harness.run import Job

    overrides = list(HydraConfig.get().overrides.task)
    return Job(
        task=task,
        candidates=_candidates(config, chosen.get(config.rung.name) or {}),
        decoding=config.decoding,
        model=_build(config.model),
        embedder=_build(config.embedder),
        isolation=_build(config.isolation),
        contrasts=_build(config.contrasts),
        controls=config.controls,
        dev_questions=config.dev_questions,
        seed=config.seed,
        batch_size=config.batch_size,
        force=config.force,
        root=Path(config.results).resolve(),
        config=resolved,
        variant=" ".join(o for o in overrides if not _told(o)),
        sweep=_sweep_name(),
        command=shlex.join(["python", "-m", "harness", *_config_dirs(), *overrides]),
    )


def _candidates(config: DictConfig, chosen: Mapping[str, Any]) -> list[Candidate]:
    """The settings that the rung tries: first those chosen for the task (`task.rungs`), then the
    rung's own, then those that its YAML names under `candidates`; equal ones once.

    What was typed on the command line holds for all of them. Raises ConfigError if there are
    fewer than `trials`.
    """
    from harness.trials import Candidate

    keys = (o.lstrip("+~").split("=", 1)[0] for o in HydraConfig.get().overrides.task)
    typed = [key for key in keys if "." in key]  # the others choose whole files
    found: dict[str, Candidate] = {}
    for changes in (chosen, {}, *(config.rung.pop("candidates", None) or [])):
        settled = {k: v for k, v in changes.items() if not _typed(k, typed)}
        rung = _changed(config, settled).rung
        settings = OmegaConf.to_container(rung, resolve=True)
        words = " ".join(f"{k}={'null' if v is None else v}" for k, v in settled.items())
        key = json.dumps(settings, sort_keys=True)
        if key not in found:
            found[key] = Candidate(_build(rung), settings, words)
    trials = config.trials
    if isinstance(trials, bool) or not isinstance(trials, int) or not 1 <= trials <= len(found):
        raise ConfigError(
            f"trials={trials}: must be from 1 to the {len(found)} settings that rung "
            f"{config.rung.name} has; add to its candidates"
        )
    return list(found.values())[:trials]


def _typed(key: str, typed: Sequence[str]) -> bool:
    """Whether the command line has set a key, something below it or something above it."""
    return any(f"{key}.".startswith(f"{t}.") or f"{t}.".startswith(f"{key}.") for t in typed)


def _changed(config: DictConfig, changes: Mapping[str, Any]) -> DictConfig:
    """A copy of the configuration with other values: dotted key → value."""
    copy = deepcopy(config)
    OmegaConf.set_struct(copy, False)
    for key, value in changes.items():
        OmegaConf.update(copy, key, value)
    return copy


def _build(config: DictConfig) -> Any:
    """What a `_target_` describes."""
    try:
        return hydra.utils.instantiate(config, _convert_="all")
    except InstantiationException as error:
        raise _unwrapped(error) from error


def _unwrapped(error: InstantiationException) -> BaseException:
    """What really happened, behind hydra's wrapping: the user's mistake or our fault."""
    if str(error).startswith("Error locating target"):
        return ConfigError(f"{str(error).splitlines()[0]}; mend the _target_")
    cause: BaseException = error
    while cause.__cause__ is not None:
        cause = cause.__cause__
        if isinstance(cause, HarnessError):
            return cause
    if isinstance(cause, TypeError) and "argument" in str(cause):
        return ConfigError(f"{cause}; mend the YAML or the override")
    return cause


def _told(override: str) -> bool:
    key = override.lstrip("+~").split("=", 1)[0]
    return key in UNTOLD or key.startswith(("tracking", "prices."))


def _config_dirs() -> list[str]:
    """The user's own folders of YAML, as the command line named them."""
    sources = HydraConfig.get().runtime.config_sources
    return [f"--config-dir={s.path}" for s in sources if s.provider == "command-line"]


def _sweep_name() -> str:
    runtime = HydraConfig.get()
    multirun = str(runtime.mode) == "RunMode.MULTIRUN"
    return Path(runtime.sweep.dir if multirun else runtime.runtime.output_dir).name


def _tasks() -> list[str]:
    state = GlobalHydra.instance().hydra
    return sorted(state.config_loader.get_group_options("task")) if state else []


def _track(action: Callable[[], None], where: Path) -> None:
    """Mirror to the tracking store; if that fails, nothing is lost and the run goes on."""
    from harness.errors import TrackingError

    try:
        action()
    except TrackingError as error:
        print(f"warning: {error}", file=sys.stderr)
        print(
            f"warning: the result is safe in {where}; mirror it later with "
            f"`python -m harness.report.mlflow {where}`",
            file=sys.stderr,
        )


def _conclude() -> None:
    """Print and track the ladders that this process added to, from what is on disk."""
    from harness.record.prices import write_prices
    from harness.record.results import find_runs
    from harness.report.conclude import conclude

    for task_folder in dict.fromkeys(done.path.parent.parent for done, *_ in _finished):
        own = [told for told in _finished if told[0].path.parent.parent == task_folder]
        _, tracking, sweep, prices = own[-1]
        write_prices(task_folder, prices)
        ours = {done.read("manifest.json")["fingerprints"]["eval"] for done, *_ in own}
        for found in conclude(find_runs(task_folder), ours):
            _track(partial(tracking.conclude, sweep, found), task_folder)


def main() -> None:
    """Run the sweep, then print the table; exit code 2 for what the user can mend."""
    os.environ["HYDRA_FULL_ERROR"] = "1"  # hand us the exceptions instead of printing them
    if not any(word.split("=")[0] in OTHER_MODES for word in sys.argv[1:]):
        # As hydra.mode in the configuration it would be lost whenever an override is mistaken.
        sys.argv.append("--multirun")
    failure = None
    try:
        _sweep()
    except (_Stop, HydraException, OmegaConfBaseException) as error:
        failure = " ".join(str(error).split("Config search path")[0].split())
    finally:
        if _finished:
            _conclude()
    if _left_out and not _finished:
        failure = failure or "nothing was run: every rung was left out, see above"
    if failure:
        print(f"error: {failure}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
