"""A million lines: what each step takes at a quarter of the size and at all of it.

Four times the lines should take about four times the seconds; a quadratic step takes sixteen.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from bench.soak.peak import Peak
from bench.soak.sizes import QUESTIONS, STEPS, write_files
from bench.soak.tiny import ROOT, Tiny, write
from bench.soak.trial import Outcome, Place
from bench.soak.untracked import Untracked

__all__ = ["PROMISE", "run"]

PROMISE = "scale"
QUICK = 0.01
"""Of the full size."""
MOST_TIMES = 8.0
"""As long as a quarter: linear is 4, quadratic is 16."""
SHORT = 0.3
"""Seconds: what takes less says nothing about growth."""
LONGEST = 300
"""Seconds for one step."""
MOST_BYTES = 16 << 30
"""Of address space."""
BARS = ("reading train.jsonl", "checking train", "comparing with eval")
ONE_LINE = "one line"


@dataclass(frozen=True)
class Taken:
    step: str
    seconds: float
    lines: int
    megabytes: float
    problem: str = ""
    """Why it did not come to its end."""


def run(place: Place) -> list[Outcome]:
    tiny = write(place.folder / "tiny")
    whole = QUICK if place.quick else 1.0
    taken = [_all(tiny, share, apart=not place.quick) for share in (whole / 4, whole)]
    outcomes = [_outcome(small, large) for small, large in zip(*taken, strict=True)]
    return [*outcomes, _bars(tiny)]


def _outcome(small: Taken, large: Taken) -> Outcome:
    if small.problem or large.problem:
        line = f"{large.step}: {small.problem or large.problem}"
        return Outcome(PROMISE, large.step, 1, 0, "did not come to its end", (line,))
    times = large.seconds / max(small.seconds, 1e-9)
    failed = large.seconds > SHORT and times > MOST_TIMES
    figure = (
        f"{large.seconds:.2g} s, {large.megabytes:.0f} MB; {times:.1f} times as long as a quarter"
    )
    failures = (f"{large.step}: {figure}",) if failed else ()
    trial = f"{large.step}: {large.lines:,}"
    return Outcome(PROMISE, trial, 1, int(not failed), figure, failures)


def _all(tiny: Tiny, share: float, *, apart: bool) -> list[Taken]:
    """Every step at one share: two side by side, each in a process of its own, or all in one, which
    is faster.
    """
    folder = tiny.folder / "sizes"
    write_files(folder, share)
    steps = [name for name in STEPS if name != ONE_LINE]
    groups = [[name] for name in steps] if apart else [steps]
    with ThreadPoolExecutor(2) as pool:
        done = pool.map(lambda names: _steps(tiny, folder, share, names), groups)
        taken = list(chain.from_iterable(done))
    shutil.rmtree(folder)
    write_files(folder, 1e-4)
    taken += _steps(tiny, folder, share, [ONE_LINE])
    shutil.rmtree(folder)
    return [*taken, _ladder(tiny, round(QUESTIONS * share))]


def _steps(tiny: Tiny, folder: Path, share: float, names: Sequence[str]) -> list[Taken]:
    try:
        done = subprocess.run(
            [sys.executable, "-m", "bench.soak.sizes", str(folder), str(share), *names],
            cwd=tiny.folder,
            env=tiny.environment | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
            timeout=LONGEST,
            preexec_fn=_within_memory,
        )
        printed, said = done.stdout, done.stderr.strip()[-300:]
    except subprocess.TimeoutExpired as late:
        printed = late.stdout.decode() if isinstance(late.stdout, bytes) else late.stdout or ""
        said = f"not within {LONGEST} s"
    taken = [Taken(**json.loads(line)) for line in printed.splitlines()]
    missing = names[len(taken) :]
    return [*taken, *(Taken(name, 0.0, 0, 0.0, said or "not reached") for name in missing)]


def _within_memory() -> None:
    """What needs more must not take the machine with it."""
    resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES, MOST_BYTES))


def _ladder(tiny: Tiny, questions: int) -> Taken:
    """Two files of answers to so many questions, from the command line to the report."""
    many = Untracked.write(tiny.folder / "many", {"train": 16, "dev": 6, "eval": questions})
    for n, name in enumerate(("good", "poor"), start=2):
        with (many.folder / f"{name}.jsonl").open("w") as file:
            for i, line in enumerate((many.folder / "task" / "eval.jsonl").open()):
                row = json.loads(line)
                text = json.dumps(row["target"]) if i % n else "{}"
                file.write(json.dumps({"id": row["id"], "text": text}) + "\n")
    words = ["rung=external", "rung.predictions=good.jsonl,poor.jsonl"]
    began = time.perf_counter()
    process = many.harness(words)
    peak = Peak(process.pid)
    _, said = process.communicate()
    seconds = time.perf_counter() - began
    if process.returncode != 0:
        raise RuntimeError(f"ladder of {questions} answers: {said.strip()[-500:]}")
    shutil.rmtree(many.folder)
    return Taken("ladder of two files of answers", seconds, questions, peak.resident / 2**20)


def _bars(tiny: Tiny) -> Outcome:
    """Whether what takes long draws a bar where somebody watches."""
    folder = tiny.folder / "bars"
    write_files(folder, QUICK / 4)
    done = subprocess.run(
        [sys.executable, "-m", "bench.soak.sizes", str(folder), "0", "isolation, train"],
        env={**os.environ, "PYTHONPATH": str(ROOT), "FORCE_COLOR": "1", "COLUMNS": "120"},
        capture_output=True,
        text=True,
        check=False,
    )
    lacking = tuple(f"no bar says '{bar}'" for bar in BARS if bar not in done.stderr)
    figure = ", ".join(bar for bar in BARS if bar in done.stderr)
    return Outcome(PROMISE, "progress shown", len(BARS), len(BARS) - len(lacking), figure, lacking)
