"""Where the configuration and the tasks that come with harness are."""

from __future__ import annotations

from pathlib import Path

from harness.errors import ConfigError

__all__ = ["CONF", "HOME", "INSTALLED", "located", "places"]

PACKAGE = Path(__file__).resolve().parent
INSTALLED = (PACKAGE / "conf").is_dir()
"""Whether conf/ and tasks/ lie inside the package, as a wheel has them, and not beside it."""
HOME = PACKAGE if INSTALLED else PACKAGE.parent
"""The folder that holds conf/ and tasks/."""
CONF = HOME / "conf"


def located(path: str) -> str:
    """A path of a task's YAML: as it is if it exists from the current directory; else, if it
    names one of the tasks that come with harness, the path there. Raises ConfigError."""
    if "\0" in path:
        raise ConfigError(f"{path!r:.60}: is the name of no file; take the NUL out")
    shipped = HOME / path
    if path.startswith("tasks/") and not Path(path).exists() and shipped.exists():
        return str(shipped)
    return path


def places(path: str) -> str:
    """Where `located` looks for a path, for messages."""
    tried = [Path(path).absolute()]
    if path.startswith("tasks/"):
        tried.append(HOME / path)
    return " and ".join(map(str, dict.fromkeys(tried)))
