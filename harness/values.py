"""Values that a configuration fills: checked where they enter, by pydantic."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import fields
from difflib import get_close_matches
from typing import Annotated, Any, TypeVar, dataclass_transform

from pydantic import AfterValidator, ConfigDict, Field, ValidationError
from pydantic.dataclasses import dataclass
from pydantic_core import core_schema

from harness.errors import ConfigError

__all__ = [
    "MOST",
    "AtLeastOne",
    "Count",
    "Instance",
    "Name",
    "NotNegative",
    "Positive",
    "Seed",
    "Share",
    "complaint",
    "folder_name",
    "settings",
]

T = TypeVar("T")

FOLDER_NAME = re.compile(r"\w[\w\-+(), .]*(?<![ .])")
LONGEST_NAME = 100
"""Bytes: a folder's name may have 255, and file names beside it are made of it."""


def folder_name(name: str) -> str:
    """The same name, if it can be that of one folder everywhere. Raises ValueError."""
    if not FOLDER_NAME.fullmatch(name) or len(name.encode()) > LONGEST_NAME:
        raise ValueError(
            "must be the name of one folder: letters, digits, blanks and _ - + ( ) , . only, not "
            f"beginning with a mark nor ending in a dot, in at most {LONGEST_NAME} bytes"
        )
    return name


MOST = 10**9
"""No count of anything here is higher; a slip of the keyboard often is."""

Count = Annotated[int, Field(ge=0, le=MOST)]
AtLeastOne = Annotated[int, Field(ge=1, le=MOST)]
"""A count, from 1 up."""
NotNegative = Annotated[float, Field(ge=0, le=MOST, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, le=MOST, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1)]
"""A part of a whole, from 0 to 1."""
Name = Annotated[str, AfterValidator(folder_name)]
"""Of a task or a rung: it becomes a folder of results."""
Seed = Annotated[int, Field(ge=0, lt=2**32)]
"""What torch, numpy and random all take."""


class _Instance:
    """Accepts instances as they are; what they are made of was checked when they were made."""

    def __get_pydantic_core_schema__(self, source: Any, handler: object) -> core_schema.CoreSchema:
        return core_schema.is_instance_schema(source)


Instance = Annotated[T, _Instance()]
"""Of this class or runtime-checkable protocol."""

STRICT = ConfigDict(strict=True, extra="forbid", arbitrary_types_allowed=True)
"""No value is turned into another type: text is no number, 1 is not true."""


@dataclass_transform(frozen_default=True, field_specifiers=(Field,))
def settings(place: str) -> Callable[[type[T]], type[T]]:
    """A frozen dataclass whose fields are checked on construction.

    `place` is where a configuration has it, such as `rung.shots`. A value that does not fit its
    annotation raises ConfigError: one line with place, value and what is wanted.
    """

    def decorate(cls: type[T]) -> type[T]:
        made: Any = dataclass(frozen=True, config=STRICT)(cls)
        fill, names = made.__init__, [field.name for field in fields(made)]

        def checked(self: Any, *args: Any, **values: Any) -> None:
            try:
                fill(self, *args, **values)
            except ValidationError as error:
                raise ConfigError(complaint(place, error, names)) from error

        made.__init__ = checked
        checked_type: type[T] = made
        return checked_type

    return decorate


def complaint(place: str, error: ValidationError, names: Sequence[str]) -> str:
    """The first thing that pydantic found wrong, in one line; `names` are those of the fields."""
    first = error.errors(include_url=False)[0]
    where = first["loc"][0] if first["loc"] else ""
    field = names[where] if isinstance(where, int) else where  # by position, or by name
    name = ".".join(part for part in (place, field) if part)
    wanted = str(first["msg"]).removeprefix("Value error, ")
    wanted = wanted.replace("Input should be", "must be", 1)
    if first["type"].startswith("missing"):
        return f"{name}: is missing; add it"
    if first["type"] == "unexpected_keyword_argument":
        meant = get_close_matches(str(field), names, n=1)
        hint = f" (did you mean {meant[0]}?)" if meant else ""
        wanted = f"is no setting{hint}; there are: {', '.join(names)}"
    if first["type"] == "bool_type" and len(error.errors()) == 1:
        wanted = f"{wanted}; say true or false"
    if first["type"] == "sequence_str":
        wanted = f"must be a list: [{first['input']}]"
    others = [
        f"a list: [{e['input']}]"
        if e["type"] == "sequence_str"
        else str(e["msg"]).replace("Input should be ", "")
        for e in error.errors()[1:]
    ]
    alternatives = "".join(f", or {other}" for other in dict.fromkeys(others) if len(others) < 3)
    return f"{name}={_shown(first['input'])}: {wanted}{alternatives}"


def _shown(value: Any) -> str:
    text = "null" if value is None else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
