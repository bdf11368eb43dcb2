"""What a manifest may say, down to what reports read of it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, model_validator

from harness.record.file_types import Contrasts, Count, Extensible, Interval, Number, Text, Trial
from harness.values import Seed

__all__ = ["MANIFEST", "OLD_MANIFEST"]


class _Dev(Extensible):
    n: Count
    value: Number


class _DevFree(_Dev):
    difference: Interval | None = None
    p: Number | None = None

    @model_validator(mode="after")
    def _together(self) -> _DevFree:
        if (self.p is None) != (self.difference is None):
            raise ValueError("p and difference stand there together, or neither does")
        return self


class _Control(Extensible):
    kind: str
    of: str | None
    judges: bool
    shows: str


class _External(Extensible):
    file: str
    missing: Count


class _Isolation(Extensible):
    decision: Literal["sealed", "dropped", "allowed", "unknown"]
    leaks: list[Any]
    suspects: list[Any]
    compared: dict[str, Any] = Field(default_factory=dict)


class _Rung(Extensible):
    """Settings of a rung; slots are filled or empty."""

    transform: dict[str, Any] | None = None
    shots: dict[str, Any] | None = None
    retrieval: dict[str, Any] | None = None
    tuning: dict[str, Any] | None = None
    dialogue: dict[str, Any] | None = None
    baseline: dict[str, Any] | None = None
    search: dict[str, Any] | None = None


class _Identity(Extensible):
    task: dict[str, str]
    rung: _Rung
    trials: list[_Rung] | None = None


class _Seconds(Extensible):
    fit: Number
    answer: Number | None
    total: Number


class _Index(Extensible):
    seconds: Number
    megabytes: Number


class _Machine(Extensible):
    platform: str
    processor: str
    cores: int | None
    device: str | None


class _ZeroStep(Extensible):
    questions: Count
    identical: Count


class _Ranks(Extensible):
    initial: Count
    target: Count
    final: Count
    least: Count
    most: Count


class _Head(Extensible):
    converged: bool = True
    iterations: Count = 0


class _Training(Extensible):
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
    dtype: str | None = None
    stop_rate: Number | None = None
    answering: str | None = None
    head: _Head | None = None


class _Tried(Extensible):
    prompt: str
    name: str
    k: Count
    value: Number
    tokens: Number
    seconds: Number


class _Search(Extensible):
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


class _Teacher(Extensible):
    name: str
    targets: str
    min_score: Number | None
    asked: Count
    answered: Count
    unparsed: Count
    below: Count
    leaked: Count
    kept: Count
    prompt_tokens: Number | None
    completion_tokens: Number | None
    seconds: Number | None
    cost: Number | None = None
    elsewhere: bool = False


class _Fingerprints(Extensible):
    __pydantic_extra__: dict[str, str]
    eval: Text


class _Manifest(Extensible):
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
    contrasts: Contrasts
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
    trials: list[Trial]
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


class _OldControl(Extensible):
    kind: str


class _OldManifest(Extensible):
    """What a manifest of any version has that says how to read the rest."""

    rung: Text
    identity: dict[str, Any]
    isolation: dict[str, Any]
    control: _OldControl | None = None
    contrasts: dict[str, Any] = Field(default_factory=dict)


MANIFEST = TypeAdapter(_Manifest)
OLD_MANIFEST = TypeAdapter(_OldManifest)
