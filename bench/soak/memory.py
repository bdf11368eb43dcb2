"""Less memory than a batch wants: an address space that ends at six levels.

The levels lie between what the process has without a batch and what it has with all questions side
by side, and below: there it must end in one line.
"""

from __future__ import annotations

import json
import re
import resource
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bench.soak.peak import Peak
from bench.soak.trial import Outcome, Place
from bench.soak.untracked import Untracked

__all__ = ["PROMISE", "run"]

PROMISE = "memory"
SIZES = {"train": 16, "dev": 6, "eval": 1000}
WORDS = ("rung=prompt", "dev_questions=0", "controls=false")
LONG = ("task.max_new_tokens=3000",)
"""Room for this many tokens is kept for each answer side by side, though none gets so long."""
ALONE, WHOLE = ("batch_size=1", "limit=8"), ("batch_size=1000",)
"""So many side by side that what they take stands out of what imports and threads reserve."""
LEVELS = (-0.6, -0.2, 0.1, 0.3, 0.55, 0.8)
"""As parts of what the batch takes, above what the process takes without it."""
QUICK = (0.55,)
MB = 1 << 20
LINE = re.compile(r"error: .*memory ran out .*fix: .*")


@dataclass(frozen=True)
class Ran:
    code: int
    said: list[str]
    """Lines of standard error."""
    texts: dict[str, str]
    """By the ids of the questions."""
    batch: int
    """How many were answered side by side."""
    peak: int
    """The most address space that it had, in bytes."""


def run(place: Place) -> list[Outcome]:
    tiny = Untracked.write(place.folder / "tiny", SIZES)
    _answered(tiny, "first", ALONE)  # To fetch and de-quantize the weights takes memory too.
    alone = _answered(tiny, "alone", ALONE)
    whole = _answered(tiny, "whole", WHOLE)
    problems = [f"without a limit: {' / '.join(r.said)}" for r in (alone, whole) if r.code]
    took, levels = whole.peak - alone.peak, QUICK if place.quick else LEVELS
    seen: list[str] = []
    failures = list(problems)
    for level in levels:
        limit = alone.peak + int(level * took)
        ran = _answered(tiny, f"level{level}", WHOLE, limit)
        if problem := _problem(ran, whole):
            failures.append(f"{limit // MB} MB ({level:+.0%} of the batch's): {problem}")
        how = f"{ran.batch} at a time" if ran.code == 0 else "one line"
        seen.append(f"{limit // MB} MB: {how}")
    figure = (
        f"{whole.batch} side by side want {took // MB} MB above {alone.peak // MB} MB of address "
        f"space; {'; '.join(seen)}; texts the same"
    )
    held = len(levels) - len(failures)
    trial = f"a limit of address space at {len(levels)} levels"
    return [Outcome(PROMISE, trial, len(levels), max(0, held), figure, tuple(failures))]


def _problem(ran: Ran, whole: Ran) -> str | None:
    """What was not held, of a run under a limit."""
    if ran.code == 0:
        if ran.texts != whole.texts:
            return f"{sum(ran.texts[i] != t for i, t in whole.texts.items())} texts differ"
        return None if ran.batch < whole.batch else "the batch was not halved"
    errors = [line for line in ran.said if LINE.fullmatch(line)]
    if ran.code != 2 or len(errors) != 1 or len(ran.said) > len(whole.said) + 1:
        return f"exit code {ran.code}: {' / '.join(ran.said)[-600:]}"
    return None


def _answered(tiny: Untracked, name: str, words: Sequence[str], limit: int | None = None) -> Ran:
    def limited() -> None:
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_AS, (limit, limit))

    results = tiny.folder / name
    process = tiny.harness((*WORDS, *LONG, f"results={results}", *words), preexec=limited)
    peak = Peak(process.pid)
    _, said = process.communicate()
    records = [_record(line) for p in results.rglob("predictions.jsonl") for line in p.open()]
    return Ran(
        process.returncode,
        said.splitlines(),
        {r["id"]: r["text"] for r in records},
        max((r["batch"] for r in records), default=0),
        peak.address,
    )


def _record(line: str) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(line)
    return record
