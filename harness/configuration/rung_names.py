"""Rungs that settings name: contrasts, and what was chosen for a task."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from omegaconf import DictConfig

from harness.configuration.mistakes import suggestion
from harness.configuration.spec import JobSpec
from harness.errors import ConfigError
from harness.evidence.contrasts import Contrasts

__all__ = ["check_rung_names"]


def check_rung_names(specs: Sequence[JobSpec]) -> None:
    """Raise ConfigError for a name that would silently mean nothing: of no YAML in `rung/`, of no
    rung of these jobs, and of none that ran before."""
    ours = {spec.names[1] for spec in specs}
    for spec in specs:
        known = {*ours, *_of_yaml(spec), *_ran(spec)}
        for place, name in _named(spec):
            if name not in known:
                raise ConfigError(
                    f"{place}: there is no rung '{name}'{suggestion(name, known)}; there are: "
                    f"{', '.join(sorted(known))}"
                )


def _named(spec: JobSpec) -> Iterator[tuple[str, str]]:
    """Where a rung is named, and its name."""
    contrasts = spec.build("contrasts")
    if isinstance(contrasts, Contrasts):
        yield from (("contrasts.against", name) for name in contrasts.against)
        yield from (("contrasts.pairs", name) for pair in contrasts.pairs for name in pair)
    chosen = spec.config.task.get("rungs")
    if isinstance(chosen, DictConfig):
        yield from (("task.rungs", str(name)) for name in chosen)


def _of_yaml(spec: JobSpec) -> Iterator[str]:
    """Rungs that a job could be of: ours, and those of the user's own folders."""
    for source in spec.composed.hydra.runtime.config_sources:
        if source.schema == "file":
            yield from (path.stem for path in (Path(source.path) / "rung").glob("*.yaml"))


def _ran(spec: JobSpec) -> Iterator[str]:
    """Rungs with results of the same task, whatever file or word named them."""
    folder = spec.results / spec.names[0]
    if folder.is_dir():
        yield from (path.name for path in folder.iterdir() if path.is_dir())
