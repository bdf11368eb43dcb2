"""Rungs as the cells of a factorial design whose truth is known, without a file on disk."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import chain, combinations
from pathlib import Path
from typing import Any

import pandas as pd

from harness.analysis.factorial_cells import FACTORS
from harness.analysis.rungs import RungResult
from harness.analysis.runs import RunResult
from harness.evidence.statistics import mean_interval
from harness.record.results import RunFolder

N = 40
"""Questions of a world, in groups of two."""
IDS = [f"eval-{i}" for i in range(N)]
FILLED: dict[str, Any] = {
    "shots": {"_target_": "Shots", "k": 4},
    "retrieval": {"_target_": "Retrieval", "k": 1},
    "tuning": {"_target_": "Adapter", "training": {"epochs": 3}},
}
NAMES = {
    "": "prompt", "shots": "few_shot", "retrieval": "rag_no_shots", "shots retrieval": "rag",
    "tuning": "lora", "shots tuning": "few_shot_lora", "retrieval tuning": "rag_lora",
    "shots retrieval tuning": "rag_few_shot_lora",
}  # fmt: skip
READS = {"shots": ("train",), "retrieval": ("corpus",), "tuning": ("train", "dev")}

Value = Callable[[frozenset[str], int], float]
"""Of a cell and the number of a question."""


def cells(factors: Sequence[str] = FACTORS) -> list[frozenset[str]]:
    """Every combination of the factors."""
    sizes = range(len(factors) + 1)
    found = chain.from_iterable(combinations(factors, size) for size in sizes)
    return [frozenset(one) for one in found]


def rung(
    on: Iterable[str],
    value: Value,
    *,
    seeds: Sequence[int] = (0,),
    noise: Callable[[int], float] = lambda seed: 0.0,
    group: Callable[[int], str] = lambda i: f"group-{i // 2}",
    slots: dict[str, Any] | None = None,
    key: str = "",
    **changes: Any,
) -> RungResult:
    """A rung with these factors on; `noise` is added to what a seed answers where it is tuned.

    `slots` replaces how slots are set, keyword arguments change the manifest.
    """
    cell = frozenset(on)
    tuned = "tuning" in cell
    name = NAMES[" ".join(slot for slot in FACTORS[1:] if slot in cell)]
    decoding = "constrained" if "constraint" in cell else "free"
    told = {"name": name, "instructions": "short" if tuned else "full", "role": "system"}
    told |= {slot: settings for slot, settings in FILLED.items() if slot in cell}
    told |= slots or {}
    read = {part: part for slot in cell for part in READS.get(slot, ())}
    manifest = {
        "rung": name,
        "model": "tiny",
        "decoding": decoding,
        "primary": "accuracy",
        "training": {} if tuned else None,
        "control": None,
        "chosen": 0,
        "identity": {"rung": told, "task": {"eval": "eval"} | read},
    } | changes
    key = key or f"{name} {decoding}"
    runs = []
    for seed in seeds if tuned else [None]:
        shift = noise(seed) if seed is not None else 0.0
        values = [value(cell, i) + shift for i in range(N)]
        groups = [group(i) for i in range(N)]
        scores = pd.DataFrame({"group": groups, "accuracy": values}, index=IDS)
        metrics = {"accuracy": mean_interval(values, groups=groups)}
        runs.append(
            RunResult(
                key, key, RunFolder(Path("nowhere")), {**manifest, "seed": seed}, metrics, {},
                scores, (), (), {},
            )
        )  # fmt: skip
    return RungResult(key, runs, {})


def world(
    value: Value, on: Iterable[Iterable[str]] = tuple(cells()), **how: Any
) -> list[RungResult]:
    """A rung for each of these cells."""
    return [rung(each, value, **how) for each in on]


def additive(base: float, spread: float = 0.02, **effects: float) -> Value:
    """Every factor adds its effect, and to each question a little more or less.

    `shots_retrieval=-0.1` adds that where both are on.
    """

    def value(on: frozenset[str], i: int) -> float:
        at = base + 0.1 * ((i * 7) % 10 - 4.5) / 10
        for place, (name, effect) in enumerate(effects.items()):
            if on >= set(name.split("_")):
                # In every ten questions each of ten steps once: zero on average.
                at += effect + spread * ((i * (1, 3, 7, 9)[place % 4] + place) % 10 - 4.5)
        return at

    return value
