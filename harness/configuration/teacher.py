"""The teacher that a distilled rung names, in place of its name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig

from harness.errors import ConfigError
from harness.files import file_sha256

if TYPE_CHECKING:
    from harness.configuration.spec import JobSpec

__all__ = ["with_teacher"]


def with_teacher(rung: DictConfig, words: Sequence[str], config_dirs: Sequence[str]) -> DictConfig:
    """The configuration of a rung in which `transform.teacher` is a rung and not its name.

    It is set as a job with the same words would first set it, so that the teacher is the rung that
    stands on the ladder; words about the student are not for it. Recorded answers
    (`transform.answers`) take its place, with the SHA-256 of their file: both determine the result.
    Raises ConfigError.
    """
    transform = rung.get("transform")
    if not isinstance(transform, DictConfig) or "teacher" not in transform:
        return rung
    if transform.get("answers") is not None:
        transform.teacher = None
        transform.sha256 = _digest(transform.answers)
    elif isinstance(transform.teacher, str):
        transform.teacher = _composed(transform.teacher, words, config_dirs)
    return rung


def _composed(name: str, words: Sequence[str], config_dirs: Sequence[str]) -> dict[str, Any]:
    from harness.configuration.compose import compose  # which imports the modules that use this

    kept = [word for word in words if word.lstrip("+~").split("=", 1)[0].split(".")[0] != "rung"]
    try:
        spec: JobSpec = compose([*kept, f"rung={name}"], config_dirs=config_dirs, sweep=False)[0]
        return spec.first_setting
    except ConfigError as error:
        raise ConfigError(f"rung.transform.teacher={name}: {error}") from error


def _digest(path: Any) -> str:
    file = Path(str(path))
    if not file.is_file():
        raise ConfigError(
            f"rung.transform.answers={path}: no such file ({file.absolute()}); give a file with a "
            "line for each answer: id, text"
        )
    return file_sha256(file)
