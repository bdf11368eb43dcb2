"""Ten thousand questions on the tiny model: memory, file handles and rows meanwhile."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen

import psutil

from bench.soak.trial import Outcome, Place
from bench.soak.untracked import Untracked

__all__ = ["PROMISE", "run"]

PROMISE = "long runs"
QUESTIONS, FEW = 10_000, 300
WORDS = ("rung=prompt", "dev_questions=0", "controls=false", "batch_size=32")
GROWTH_MB = 50.0
"""Of resident memory between the last two fifths of the answers, 25 kB a question. Before them
oneDNN fills its cache of 1,024 kernels, some 300 MB."""
SLOWER = 1.5
"""Times the seconds a question of the first fifth."""


@dataclass(frozen=True)
class Look:
    """One look at the process while it answers."""

    seconds: float
    rows: int
    memory_mb: float
    """Resident."""
    handles: int


def run(place: Place) -> list[Outcome]:
    asked = FEW if place.quick else QUESTIONS
    tiny = Untracked.write(place.folder / "tiny", {"train": 16, "dev": 6, "eval": asked})
    process = tiny.harness(WORDS)
    looks = list(_watched(process, tiny.results))
    said = process.stderr.read() if process.stderr else ""
    rows = _rows(tiny.results)
    failures = _problems(looks, rows, asked)
    if process.wait() != 0:
        failures.append(f"exit code {process.returncode}: {said.strip()[-300:]}")
    fifths = [_fifth(looks, asked, n) for n in range(5)]
    first, last = fifths[0], fifths[-1]
    memory = ", ".join(f"{_median(each):.0f}" for each in fifths)
    figure = (
        f"{rows} rows for {asked} questions; resident {memory} MB from fifth to fifth; "
        f"{_handles(first)} and {_handles(last)} file handles; "
        f"{_rate(first):.0f} and {_rate(last):.0f} questions a second"
    )
    return [Outcome(PROMISE, f"{asked} questions", 1, int(not failures), figure, tuple(failures))]


def _watched(process: Popen[str], results: Path) -> list[Look]:
    """Looks from the first answer to the end; nothing here may block on the process's pipes, in
    which it writes a few lines."""
    watched, looks = psutil.Process(process.pid), []
    while process.poll() is None:
        try:
            rows = _rows(results)
            memory, handles = watched.memory_info().rss / 1e6, watched.num_fds()
        except psutil.Error:
            break
        if rows:
            looks.append(Look(time.monotonic(), rows, memory, handles))
        time.sleep(0.05)
    process.wait()
    return looks


def _problems(looks: Sequence[Look], rows: int, asked: int) -> list[str]:
    found = []
    if rows != asked:
        found.append(f"{rows} rows for {asked} questions")
    first, before, last = (_fifth(looks, asked, n) for n in (0, 3, 4))
    if not (first and before and last):
        return [*found, "it was too fast to be seen"]
    if _median(last) - _median(before) > GROWTH_MB:
        found.append(f"{_median(last) - _median(before):.0f} MB more in the last fifth")
    if _handles(last) > _handles(first):
        found.append(f"{_handles(first)} file handles, then {_handles(last)}")
    if asked >= QUESTIONS and _rate(first) > SLOWER * _rate(last):
        found.append(f"{_rate(first):.0f} questions a second, then {_rate(last):.0f}")
    return found


def _rows(results: Path) -> int:
    return sum(p.read_bytes().count(b"\n") for p in results.rglob("predictions.jsonl"))


def _fifth(looks: Sequence[Look], asked: int, number: int) -> list[Look]:
    """The looks while this fifth of the questions was answered; behind the last answer, scoring
    begins."""
    return [look for look in looks if look.rows < asked and 5 * (look.rows - 1) // asked == number]


def _median(looks: Sequence[Look]) -> float:
    return sorted(look.memory_mb for look in looks)[len(looks) // 2] if looks else 0.0


def _handles(looks: Sequence[Look]) -> int:
    """In the median: a file may just be open."""
    return sorted(look.handles for look in looks)[len(looks) // 2] if looks else 0


def _rate(looks: Sequence[Look]) -> float:
    """Questions a second."""
    if len(looks) < 2:
        return 0.0
    passed = looks[-1].seconds - looks[0].seconds
    return (looks[-1].rows - looks[0].rows) / passed if passed > 0 else 0.0
