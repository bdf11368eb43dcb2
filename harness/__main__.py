"""`python -m harness`: the command line of `harness.experiment`."""

from __future__ import annotations

from harness.command import command, listen

if __name__ == "__main__":
    listen()  # before what follows, which takes a while

import io
import os
import sys
from contextlib import redirect_stdout
from typing import Any

import hydra
from hydra._internal.utils import get_args_parser
from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from harness.configuration.mistakes import one_line
from harness.errors import ConfigError, HarnessError
from harness.experiment import Sweep, compose
from harness.home import CONF
from harness.inert import clean, say

__all__ = ["main"]

SHOWING = ("help", "hydra_help", "cfg", "info", "shell_completion")
"""Flags of Hydra's that show something and run nothing."""
FOREIGN = ("config_path", "config_name", "experimental_rerun")
"""Flags of Hydra's for another program than this one."""


@hydra.main(version_base="1.3", config_path=str(CONF), config_name="config")  # type: ignore[untyped-decorator]
def _shown(config: object) -> None:
    """Hydra shows what was asked for, and never comes here."""


def main() -> None:
    """Run the sweep and print its tables; exit code 2 for what the user can fix."""
    given = get_args_parser().parse_intermixed_args()
    try:
        if any(getattr(given, flag) for flag in SHOWING):
            os.environ["HYDRA_FULL_ERROR"] = "1"  # hand us the exceptions instead of printing them
            _show(given)
        else:
            _run(given)
    except (HarnessError, HydraException, OmegaConfBaseException) as error:
        say(f"error: {one_line(error)}")
        sys.exit(2)


def _show(given: Any) -> None:
    """What Hydra shows of a configuration, without secrets."""
    if given.shell_completion:
        _shown()
        return
    shown = io.StringIO()
    try:
        with redirect_stdout(shown):
            _shown()
    finally:
        sys.stdout.write(clean(shown.getvalue(), lines=True))


def _run(given: Any) -> None:
    for flag in FOREIGN:
        if getattr(given, flag) is not None:
            name = flag.replace("_", "-")
            raise ConfigError(f"--{name}: is not for harness; fix: --config-dir=FOLDER")
    folders = [] if given.config_dir is None else [given.config_dir]
    Sweep().run(compose(given.overrides, config_dirs=folders, sweep=not given.run), said="essence")


if __name__ == "__main__":
    command(main)
