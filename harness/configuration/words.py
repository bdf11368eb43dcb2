"""Python values as the words of a command line: `limit=20`, `rung=few_shot,lora`."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from numbers import Integral
from pathlib import PurePath
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Quote, QuotedString
from hydra.errors import HydraException

from harness.errors import ConfigError

__all__ = ["named_after", "sweep", "word"]

LONGEST = 100
"""Letters of a file's name in that of a rung: a folder is called so."""


def word(key: str, value: object) -> str:
    """`key=value` as one would type it, quoted only where it would be read as something else.

    A list is one value. Raises ConfigError for what no word can say.
    """
    try:
        wanted = json.dumps(value, default=_plain)
    except TypeError as error:
        raise ConfigError(
            f"{key}={value!r}: cannot be set; fix: give text, a number, True, False, None, a list "
            "or a dict"
        ) from error
    for quoted in (False, True):
        text = f"{key}={_text(json.loads(wanted), quoted)}"
        if _read(text) == wanted:
            return text
    raise ConfigError(f"{key}={value!r}: cannot be said as an override; fix the name or the value")


def sweep(key: str, values: Sequence[object]) -> str:
    """`key=a,b,c`: one job for each of the values."""
    return f"{key}=" + ",".join(word(key, value).removeprefix(f"{key}=") for value in values)


def named_after(name: str, file: object) -> str:
    """A name with that of a file behind it, fit for a folder; `${named_after:…}` in a YAML.

    >>> named_after("external", "answers/gpt 4.1.jsonl"), named_after("external", None)
    ('external_gpt_4.1', 'external')
    """
    if file is None:
        return name
    stem = re.sub(r"[^\w.-]+", "_", PurePath(str(file)).stem)
    return f"{name}_{stem[:LONGEST]}"


def _plain(value: object) -> str | int:
    """What JSON does not know: paths, and the whole numbers of other libraries."""
    if isinstance(value, os.PathLike):
        return str(os.fspath(value))
    if isinstance(value, Integral):
        return int(value)
    raise TypeError(type(value).__name__)


def _text(value: Any, quoted: bool) -> str:
    match value:
        case str():
            return QuotedString(value, Quote.single).with_quotes() if quoted else value
        case list():
            return "[" + ",".join(_text(each, quoted) for each in value) + "]"
        case dict():
            return "{" + ",".join(f"{k}:{_text(v, quoted)}" for k, v in value.items()) + "}"
        case _:
            return json.dumps(value)


def _read(text: str) -> str | None:
    """The value that Hydra reads out of a word, as JSON; None if it reads none, or several."""
    try:
        read = OverridesParser.create().parse_override(text)
    except HydraException:
        return None
    return None if read.is_sweep_override() else json.dumps(read.value())
