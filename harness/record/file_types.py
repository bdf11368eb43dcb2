"""What a run's files may say: checked when they are read, so that nothing deeper meets other types.

Keys that these types do not name may stand there: other versions write other ones.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from harness.errors import ResultsError

__all__ = [
    "ANYTHING",
    "CURVE",
    "DECLARATIONS",
    "DEV_LINE",
    "DOUBTED",
    "JUDGED",
    "LINE",
    "MEASUREMENT",
    "METRICS",
    "PREDICTION",
    "PRICES",
    "QUESTION",
    "SCORE",
    "SUMS",
    "SYSTEM",
    "TIMES",
    "TRIAL",
    "Contrasts",
    "Count",
    "Extensible",
    "Finite",
    "Interval",
    "Number",
    "Text",
    "Trial",
    "bytes_of",
    "lines_of",
    "problem",
    "value_of",
]  # fmt: skip

Count = Annotated[int, Field(ge=0, le=10**18)]
"""Tokens of a long training are more than any setting may be."""
Number = Annotated[float, Field(allow_inf_nan=True)]
"""NaN is what a foreign metric may give."""
Finite = Annotated[float, Field(allow_inf_nan=False)]
Text = Annotated[str, Field(min_length=1)]


class Extensible(BaseModel):
    """An object with these keys, and any others."""

    model_config = ConfigDict(strict=True, extra="allow")


class _Closed(BaseModel):
    """An object with these keys and no others."""

    model_config = ConfigDict(strict=True, extra="forbid")


class Interval(Extensible):
    value: Number
    low: Number | None
    high: Number | None
    n: Count
    method: str


class _Whole(Extensible):
    """Metrics over all questions, with those that every run has."""

    __pydantic_extra__: dict[str, Interval]
    readable: Interval
    stopped: Interval
    truncated: Interval
    failed: Interval


class _Metrics(Extensible):
    all: _Whole
    slices: dict[str, dict[str, Interval]]


class _Score(Extensible):
    __pydantic_extra__: dict[str, Number]
    id: str
    group: str


class _DevLine(Extensible):
    id: str
    group: str
    value: Number


class Contrasts(Extensible):
    against: list[str]
    best_untuned: bool
    pairs: list[Annotated[list[str], Field(min_length=2, max_length=2)]]
    margin: Finite | None


class Trial(Extensible):
    settings: str
    value: Number
    n: Count
    seconds: Number
    tokens: Number


class _Attempt(Extensible):
    text: str
    finish: str
    prompt_tokens: Count
    completion_tokens: Count
    seconds: Number
    problem: str | None = None
    computed_tokens: Count = 0
    call: dict[str, Any] | None = None


class _Prediction(_Closed):
    id: str
    text: str
    finish: str
    prompt_tokens: Count | None
    computed_tokens: Count | None
    completion_tokens: Count | None
    seconds: Finite | None
    passages: list[str] = []
    error: str | None = None
    batch: int = 1
    attempts: list[_Attempt] = []
    cost: Finite | None = None


class _Judged(_Closed):
    configuration: str
    rung: str
    variant: str
    model: str | None
    first: str


class _Declaration(_Closed):
    contrasts: Contrasts
    made: str
    after: Count


class _Question(Extensible):
    id: str
    input: str
    target: str
    group: str
    tags: dict[str, str]
    sources: list[str] = []


class _Sums(Extensible):
    sha256: dict[str, str]


class _Times(Extensible):
    phases: dict[str, Finite]
    total: Finite


class _Measurement(_Closed):
    probe: str
    settings: dict[str, Any]
    limits: list[dict[str, Any]]
    found: dict[str, Any]
    made: str
    seconds: Number


class _Curve(Extensible):
    points: list[dict[str, Number | None]]


class _TrainingFile(Extensible):
    curve: _Curve


STRICT = ConfigDict(strict=True)
LINE = TypeAdapter(dict[str, Any], config=STRICT)
METRICS = TypeAdapter(_Metrics)
SCORE = TypeAdapter(_Score)
DEV_LINE = TypeAdapter(_DevLine)
PREDICTION = TypeAdapter(_Prediction)
JUDGED = TypeAdapter(_Judged)
DECLARATIONS = TypeAdapter(list[_Declaration], config=STRICT)
QUESTION = TypeAdapter(_Question)
SUMS = TypeAdapter(_Sums)
TIMES = TypeAdapter(_Times)
TRIAL = TypeAdapter(Trial)
ANYTHING: TypeAdapter[Any] = TypeAdapter(Any)
MEASUREMENT = TypeAdapter(_Measurement)
CURVE = TypeAdapter(_TrainingFile)
SYSTEM = TypeAdapter(list[dict[str, Number]], config=STRICT)
DOUBTED = TypeAdapter(dict[str, str], config=STRICT)
PRICES = TypeAdapter(dict[str, Number | str | None], config=STRICT)


def value_of(data: bytes, where: str, wanted: TypeAdapter[Any], fix: str) -> Any:
    """A JSON file of results. Raises ResultsError with place, value and fix."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        deep = isinstance(error, RecursionError)
        why = "it is nested too deeply" if deep else str(error)
        raise ResultsError(f"{where}: cannot be read ({why}); {fix}") from error
    if said := problem(value, wanted):
        raise ResultsError(f"{where}: cannot be read ({said}); {fix}")
    return value


def lines_of(data: bytes, where: str, wanted: TypeAdapter[Any], fix: str) -> list[Any]:
    """The lines of a JSONL file of results. Raises ResultsError with place, value and fix."""
    lines = enumerate(data.splitlines(), start=1)
    return [value_of(line, f"{where}:{number}", wanted, fix) for number, line in lines]


def bytes_of(path: Path, fix: str) -> bytes:
    """The content of a file of results. Raises ResultsError."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise ResultsError(f"{path}: cannot be read ({error.strerror}); {fix}") from error


def problem(value: Any, wanted: TypeAdapter[Any]) -> str | None:
    """What is wrong with a value that was read: place, value and what is wanted; None if nothing
    is."""
    try:
        wanted.validate_python(value)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(step) for step in first["loc"]) or "it"
        if first["type"] == "missing":
            return f"{place} is missing"
        asked = str(first["msg"]).replace("Input should be", "must be", 1)
        return f"{place} is {_shown(first['input'])}: {asked}"
    except RecursionError:
        return "it is nested too deeply"
    return None


def _shown(value: Any) -> str:
    text = repr(dict(value) if isinstance(value, Mapping) else value)
    return text if len(text) <= 60 else f"{text[:57]}..."
