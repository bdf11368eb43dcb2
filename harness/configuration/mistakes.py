"""Hydra's complaints about a command line, in one line that names the fix."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from difflib import get_close_matches

from hydra.errors import MissingConfigException, OverrideParseException
from omegaconf.errors import OmegaConfBaseException

from harness.errors import HarnessError, first_line
from harness.secrets import redacted_word

__all__ = ["nearest", "one_line"]

UNKNOWN = re.compile(r"Could not override '(.+?)'\.\s+To append to your config use (.+)")


def one_line(error: Exception, names: Callable[[str], Iterable[str]] = lambda _: ()) -> str:
    """What an error says: Hydra's, OmegaConf's or our own.

    `names` gives the names of what can be set, for a name that cannot: to suggest the nearest.
    """
    if isinstance(error, HarnessError):
        return " ".join(str(error).split())
    if isinstance(error, MissingConfigException) and error.options:
        there = sorted(error.options)
        hint = _suggestion(str(error.missing_cfg_file).rpartition("/")[2], there)
        return f"{error.missing_cfg_file}: is not there{hint}; there are: {', '.join(there)}"
    if isinstance(error, OverrideParseException):
        said = redacted_word(str(error.override))
        if said != error.override:  # the reason would quote the secret
            return f"{said}: cannot be read; fix it or quote the value"
        reason = " ".join(error.message.split("\nSee http")[0].split())
        return f"{said}: cannot be read ({reason}); fix it or quote the value"
    unknown = UNKNOWN.search(str(error))
    if unknown:
        name, added = unknown.groups()
        hint = _suggestion(name, names(name))
        return f"{name}: there is no such setting{hint}; to add one of your own say {added}"
    said = " ".join(str(error).split("Config search path")[0].split())
    cause = error.__cause__
    if isinstance(cause, OmegaConfBaseException):
        said = f"{said}: {first_line(cause)}" if said else first_line(cause)
    return said


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The name that was probably meant: one spelt alike, or the same one further down."""
    known = list(names)
    beside = [one for one in known if one.count(".") == name.count(".")]
    below = [one for one in known if one.endswith(f".{name}")]
    close = get_close_matches(name, beside, n=1) or below or get_close_matches(name, known, n=1)
    return close[0] if close else None


def _suggestion(name: str, names: Iterable[str]) -> str:
    meant = nearest(name, names)
    return f" (did you mean {meant}?)" if meant else ""
