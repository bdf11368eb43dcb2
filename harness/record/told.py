"""What a run's files may say: checked when they are read, so that nothing deeper meets other types.

Keys that these types do not name may stand there: other versions write other ones.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from harness.errors import ResultsError
from harness.values import Count, Seed

__all__ = [
    "ANYTHING",
    "CURVE",
    "DECLARATIONS",
    "DEV_LINE",
    "DOUBTED",
    "JUDGED",
    "LINE",
    "MANIFEST",
    "MEASUREMENT",
    "METRICS",
    "OLD_MANIFEST",
    "PREDICTION",
    "PRICES",
    "QUESTION",
    "SCORE",
    "SUMS",
    "SYSTEM",
    "TIMES",
    "TRIAL",
    "bytes_of",
    "lines_of",
    "problem",
    "value_of",
]  # fmt: skip

Number = Annotated[float, Field(allow_inf_nan=True)]
"""NaN is what a foreign metric may give."""
Finite = Annotated[float, Field(allow_inf_nan=False)]
Text = Annotated[str, Field(min_length=1)]


class _Told(BaseModel):
    model_config = ConfigDict(strict=True, extra="allow")


class _Interval(_Told):
    value: Number
    low: Number | None
    high: Number | None
    n: Count
    method: str


class _Whole(BaseModel):
    """Metrics over all questions, with those that every run has."""

    model_config = ConfigDict(strict=True, extra="allow")
    __pydantic_extra__: dict[str, _Interval]
    readable: _Interval
    stopped: _Interval
    truncated: _Interval
    failed: _Interval


class _Metrics(_Told):
    all: _Whole
    slices: dict[str, dict[str, _Interval]]


class _Score(BaseModel):
    model_config = ConfigDict(strict=True, extra="allow")
    __pydantic_extra__: dict[str, Number]
    id: str
    group: str


class _Dev(_Told):
    n: Count
    value: Number


class _DevFree(_Dev):
    difference: _Interval | None = None
    p: Number | None = None

    @model_validator(mode="after")
    def _together(self) -> _DevFree:
        if (self.p is None) != (self.difference is None):
            raise ValueError("p and difference stand there together, or neither does")
        return self


class _DevLine(_Told):
    id: str
    group: str
    value: Number


class _Control(_Told):
    kind: str
    of: str | None
    judges: bool
    shows: str


class _External(_Told):
    file: str
    missing: Count


class _Isolation(_Told):
    decision: Literal["sealed", "dropped", "allowed", "unknown"]
    leaks: list[Any]
    compared: dict[str, Any]


class _Contrasts(_Told):
    against: list[str]
    best_untuned: bool
    pairs: list[Annotated[list[str], Field(min_length=2, max_length=2)]]
    margin: Finite | None


class _Rung(_Told):
    """Settings of a rung; slots are filled or empty."""

    transform: dict[str, Any] | None = None
    shots: dict[str, Any] | None = None
    retrieval: dict[str, Any] | None = None
    tuning: dict[str, Any] | None = None
    dialogue: dict[str, Any] | None = None
    baseline: dict[str, Any] | None = None
    search: dict[str, Any] | None = None


class _Identity(_Told):
    task: dict[str, str]
    rung: _Rung
    trials: list[_Rung] | None = None


class _Trial(_Told):
    settings: str
    value: Number
    n: Count
    seconds: Number
    tokens: Number


class _Seconds(_Told):
    fit: Number
    answer: Number | None
    total: Number


class _Index(_Told):
    seconds: Number
    megabytes: Number


class _Machine(_Told):
    platform: str
    processor: str
    cores: int | None
    device: str | None


class _ZeroStep(_Told):
    questions: Count
    identical: Count


class _Ranks(_Told):
    initial: Count
    target: Count
    final: Count
    least: Count
    most: Count


class _Head(_Told):
    converged: bool = True
    iterations: Count = 0


class _Training(_Told):
    sha256: str | None
    seconds: Number | None = None
    steps: Count | None = None
    best_step: Count | None = None
    tokens: Count | None = None
    trainable: Count | None = None
    megabytes: Number | None = None
    weights_megabytes: Number | None = None
    peak_megabytes: Number | None = None
    examples: Count | None = None
    distinct: Count | None = None
    zero_step: _ZeroStep | None = None
    effect: Number | None = None
    ranks: _Ranks | None = None
    stop_rate: Number | None = None
    answering: str | None = None
    head: _Head | None = None


class _Tried(_Told):
    prompt: str
    name: str
    k: Count
    value: Number
    tokens: Number
    seconds: Number


class _Search(_Told):
    n: Count
    chosen: _Tried
    tried: list[_Tried]
    dropped: list[dict[str, str]]
    reflector: str | None
    proposed: Count
    asked: Count
    reflections: Count
    prompt_tokens: Count
    completion_tokens: Count
    seconds: Number


class _Teacher(_Told):
    name: str
    targets: str
    min_score: Number | None
    asked: Count
    answered: Count
    unparsed: Count
    below: Count
    leaked: Count
    kept: Count
    prompt_tokens: Number
    completion_tokens: Number
    seconds: Number


class _Fingerprints(BaseModel):
    model_config = ConfigDict(strict=True, extra="allow")
    __pydantic_extra__: dict[str, str]
    eval: Text


class _Manifest(_Told):
    run: Text
    task: Text
    rung: Text
    model: str | None
    seed: Seed | None
    variant: str
    sweep: str
    command: str
    primary: Text
    measures: list[str]
    place: int
    n: Annotated[int, Field(ge=1)]
    limit: int | None
    decoding: str | None
    declared_free: bool
    control: _Control | None
    external: _External | None
    contrasts: _Contrasts
    isolation: _Isolation
    fingerprints: _Fingerprints
    identity: _Identity
    dev: _Dev | None
    dev_free: _DevFree | None
    lowered: list[str]
    labelled: Count | None
    train_size: Count | None
    settings: str
    chosen: Count
    trials: list[_Trial]
    training: _Training | None
    search: _Search | None
    teacher: _Teacher | None
    index: _Index | None
    seconds: _Seconds
    peak_memory_mb: Number | None
    parameters: Count | None
    licences: dict[str, str | None]
    machine: _Machine
    template: str | None
    weights: str | None
    dtype: str | None
    versions: dict[str, str]

    @model_validator(mode="after")
    def _counted(self) -> _Manifest:
        known = (self.parameters, self.peak_memory_mb, self.seconds.answer)
        if self.external is None and None in known:
            raise ValueError(
                "parameters, peak_memory_mb and seconds.answer are known of what answered here"
            )
        return self


class _OldControl(_Told):
    kind: str


class _OldManifest(_Told):
    """What a manifest of any version has that says how to read the rest."""

    rung: Text
    identity: dict[str, Any]
    isolation: dict[str, Any]
    control: _OldControl | None = None
    contrasts: dict[str, Any] = {}


class _Attempt(_Told):
    text: str
    finish: str
    prompt_tokens: Count
    completion_tokens: Count
    seconds: Number
    problem: str | None = None
    computed_tokens: Count = 0
    call: dict[str, Any] | None = None


class _Prediction(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")
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


class _Judged(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")
    configuration: str
    rung: str
    variant: str
    model: str | None
    first: str


class _Declaration(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")
    contrasts: _Contrasts
    made: str
    after: Count


class _Question(_Told):
    id: str
    input: str
    target: str
    group: str
    tags: dict[str, str]
    sources: list[str] = []


class _Sums(_Told):
    sha256: dict[str, str]


class _Times(_Told):
    phases: dict[str, Finite]
    total: Finite


class _Measurement(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")
    probe: str
    settings: dict[str, Any]
    limits: list[dict[str, Any]]
    found: dict[str, Any]
    made: str
    seconds: Number


class _Curve(_Told):
    points: list[dict[str, Number | None]]


class _TrainingFile(_Told):
    curve: _Curve


STRICT = ConfigDict(strict=True)
MANIFEST = TypeAdapter(_Manifest)
OLD_MANIFEST = TypeAdapter(_OldManifest)
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
TRIAL = TypeAdapter(_Trial)
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
        said = "it is nested too deeply" if isinstance(error, RecursionError) else error
        raise ResultsError(f"{where}: cannot be read ({said}); {fix}") from error
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
