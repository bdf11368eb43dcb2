"""`python -m harness`: the command line of `harness.experiment`."""

from __future__ import annotations

from harness.command import command, listen

if __name__ == "__main__":
    listen()  # before what follows, which takes a while

import io
import os
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from typing import Any

from harness.errors import ConfigError, HarnessError
from harness.inert import clean, say
from harness.secrets import redacted_word

__all__ = ["main"]

SHOWING = ("help", "hydra_help", "cfg", "info", "shell_completion")
"""Flags of Hydra's that show something and run nothing."""
FOREIGN = ("config_path", "config_name", "experimental_rerun")
"""Flags of Hydra's for another program than this one."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the sweep and print its tables; exit code 2 for what the user can fix."""
    words = [word for word in sys.argv[1:] if "=" in word] if arguments is None else []
    if any(not word.startswith("-") for word in words):
        # At once: the imports below take a second, and all that follows many.
        say(f"harness {' '.join(map(redacted_word, words))}")
    from hydra._internal.utils import get_args_parser
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    from harness.configuration.mistakes import one_line

    given = get_args_parser().parse_intermixed_args(arguments)
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
    """What Hydra shows of a configuration, without secrets; it never calls the function that it is
    given."""
    import hydra

    from harness.home import CONF

    main_of = hydra.main(version_base="1.3", config_path=str(CONF), config_name="config")
    show = main_of(lambda config: None)
    if given.shell_completion:
        show()
        return
    shown = io.StringIO()
    try:
        with redirect_stdout(shown):
            show()
    finally:
        sys.stdout.write(clean(shown.getvalue(), lines=True))


def _run(given: Any) -> None:
    from harness.experiment import Sweep, compose

    for flag in FOREIGN:
        if getattr(given, flag) is not None:
            name = flag.replace("_", "-")
            raise ConfigError(f"--{name}: is not for harness; fix: --config-dir=FOLDER")
    folders = [] if given.config_dir is None else [given.config_dir]
    Sweep().run(compose(given.overrides, config_dirs=folders, sweep=not given.run), said="essence")


if __name__ == "__main__":
    command(main)
