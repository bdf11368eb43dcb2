"""Hydra's complaints about a command line, in one line that names the fix."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from difflib import get_close_matches

from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf.errors import OmegaConfBaseException
from yaml import MarkedYAMLError

from harness.errors import HarnessError, first_line
from harness.secrets import redact, redacted_word

__all__ = ["nearest", "one_line", "suggestion"]

UNKNOWN = re.compile(r"Could not override '(.+?)'\.\s+To append to your config use (.+)")
NO_PART = re.compile(r"Could not override '(\w+@[\w.]+)'")
GONE = re.compile(r"Could not delete from config\. '(.+?)' does not exist")
OBJECTS = re.compile(r"\n\s*(?:object_type|reference_type)=.*")
"""Lines of OmegaConf's that tell a user nothing."""

LONGEST = 600
"""Letters of a complaint that is not ours."""


def one_line(error: Exception, names: Callable[[str], Iterable[str]] = lambda _: ()) -> str:
    """What an error says: Hydra's, OmegaConf's or our own.

    `names` gives the names of what can be set, for a name that cannot: to suggest the nearest.
    """
    if isinstance(error, HarnessError):
        return " ".join(str(error).split())
    if isinstance(error, MissingConfigException) and error.options:
        there = sorted(error.options)
        hint = suggestion(str(error.missing_cfg_file).rpartition("/")[2], there)
        return f"{error.missing_cfg_file}: is not there{hint}; there are: {', '.join(there)}"
    if isinstance(error, OverrideParseException):
        said = redacted_word(str(error.override))
        if said != error.override:  # the reason would quote the secret
            return f"{said}: cannot be read; fix it or quote the value"
        reason = " ".join(error.message.split("\nSee http")[0].split())
        return f"{said}: cannot be read ({reason}); fix it or quote the value"
    # Secrets first: a half of one would not be known as one.
    said = redact(_no_such_setting(str(error), names) or _foreign(error))
    return said if len(said) <= LONGEST else f"{said[: LONGEST - 1]}…"


def _no_such_setting(said: str, names: Callable[[str], Iterable[str]]) -> str | None:
    """Where Hydra knows no setting of a name: which one was probably meant."""
    if unknown := UNKNOWN.search(said):
        name, added = unknown.groups()
        left_out = f"; to set what a YAML leaves out say {added}" if "." in name else ""
        return f"{name}: there is no such setting{suggestion(name, names(name))}{left_out}"
    if part := NO_PART.search(said):
        return f"{part[1]}: not every rung of this command has this part; fix: name its rung alone"
    if gone := GONE.search(said):
        return f"~{gone[1]}: there is no such setting{suggestion(gone[1], names(gone[1]))}"
    return None


def _foreign(error: Exception) -> str:
    """What others say, in one line."""
    if isinstance(error, MarkedYAMLError) and error.problem_mark is not None:
        mark = error.problem_mark
        return f"{mark.name}:{mark.line + 1}: not YAML ({error.problem}); fix the line"
    said = " ".join(OBJECTS.sub("", str(error).split("Config search path")[0]).split())
    cause = error.__cause__
    if isinstance(cause, OmegaConfBaseException):
        said = f"{said}: {first_line(cause)}" if said else first_line(cause)
    if not isinstance(error, HydraException | OmegaConfBaseException):
        said = f"cannot be read ({said or type(error).__name__:.200})"
    return said


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The name that was probably meant: one spelt alike, or the same one further down."""
    known = list(names)
    beside = [one for one in known if one.count(".") == name.count(".")]
    below = [one for one in known if one.endswith(f".{name}")]
    close = get_close_matches(name, beside, n=1) or below or get_close_matches(name, known, n=1)
    return close[0] if close else None


def suggestion(name: str, names: Iterable[str]) -> str:
    """The name that was probably meant, as a question in brackets; nothing if none is near."""
    meant = nearest(name, names)
    return f" (did you mean {meant}?)" if meant else ""
