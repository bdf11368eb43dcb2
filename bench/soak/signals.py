"""Ctrl-C and SIGTERM at random moments of a ladder's life, its start and imports included.

Processes are real ones. Ctrl-C goes to the whole process group, as a terminal sends it; SIGTERM to
the process alone, as a scheduler does.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from random import Random

from bench.soak import checks
from bench.soak.finished import copied, finished, only
from bench.soak.forks import fork
from bench.soak.tiny import Tiny
from bench.soak.trial import Outcome, Place

__all__ = ["PROMISE", "run"]

PROMISE = "SIGINT, SIGTERM: ends within 2 s, 130 or 143, one line that says how to go on"
LIMIT = 2.0
"""Seconds."""
WAIT = 30.0
START = 1.0
"""Seconds that the interpreter itself may take before the first line of harness runs."""
GOES_ON = "the same command goes on where it stopped"
CODES = {signal.SIGINT: 130, signal.SIGTERM: 143}


@dataclass(frozen=True)
class Stop:
    """One signal."""

    number: int
    signal: signal.Signals
    share: float
    """Of the time that the ladder takes."""
    second: float | None = None
    """Seconds behind it at which the same signal comes again."""


def run(place: Place) -> list[Outcome]:
    random = Random(place.seed)
    count, twice = (2, 1) if place.quick else (20, 5)
    kinds = (signal.SIGINT, signal.SIGTERM)
    once = [Stop(i, kinds[i % 2], random.random()) for i in range(count)]
    again = [
        Stop(count + i, signal.SIGINT, random.random(), random.uniform(0, 0.5))
        for i in range(twice)
    ]
    lasts = finished().seconds if place.quick else _lasts(place)
    with ThreadPoolExecutor(1 if place.quick else 2) as pool:
        done = list(pool.map(lambda s: _stopped(place, s, lasts), [*once, *again]))
    firsts, seconds = done[:count], done[count:]
    return [
        _outcome(place, "one signal, then the same command", once, firsts, lasts),
        _outcome(place, "a second Ctrl-C", again, seconds, lasts),
    ]


def _outcome(
    place: Place,
    trial: str,
    stops: Sequence[Stop],
    done: Sequence[tuple[float, Sequence[str]]],
    lasts: float,
) -> Outcome:
    failures = [
        f"seed {place.seed}, {s.signal.name} {s.number} at {s.share * lasts:.2f} s: {'; '.join(p)}"
        for s, (_, p) in zip(stops, done, strict=True)
        if p
    ]
    took = [seconds for seconds, _ in done]
    figure = f"ended {min(took):.2f} to {max(took):.2f} s after it, in ladders of {lasts:.0f} s"
    return Outcome(PROMISE, trial, len(stops), len(stops) - len(failures), figure, tuple(failures))


def _prepared(place: Place, name: str) -> Tiny:
    """A ladder with a tuned rung to run."""
    tiny = copied(finished().tiny, place.folder / name)
    only(tiny, "lora")
    return tiny


def _lasts(place: Place) -> float:
    """Seconds of the whole process when nothing stops it."""
    began = time.perf_counter()
    process = _prepared(place, "lasts").harness()
    said = process.communicate(timeout=300)[1]
    if process.returncode:
        raise RuntimeError(f"ended with {process.returncode} without any fault: {said[-2000:]}")
    return time.perf_counter() - began


def _stopped(place: Place, stop: Stop, lasts: float) -> tuple[float, Sequence[str]]:
    """Seconds from the signal to the end, and what was not held."""
    tiny = _prepared(place, f"stop-{stop.number}")
    began = time.perf_counter()
    process = tiny.harness()
    time.sleep(START + stop.share * max(0.0, lasts - START))
    sent = time.perf_counter()
    _send(process, stop.signal)
    if stop.second is not None:
        time.sleep(stop.second)
        _send(process, stop.signal)
    try:
        said = process.communicate(timeout=WAIT)[1]
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return WAIT, [f"not ended in {WAIT:.0f} s"]
    took = time.perf_counter() - sent
    problems = [f"took {took:.2f} s"] * (took > LIMIT)
    if process.returncode == 0:  # it had ended; a busy machine's time is no measure
        problems = [f"had ended in {sent - began:.2f} s"] if took > LIMIT else []
    elif stop.second is not None:
        if process.returncode not in (CODES[stop.signal], -stop.signal):
            problems.append(f"ended with {process.returncode}: {said[-300:]}")
    else:
        problems += _wrong(process.returncode, said, stop)
    problems += checks.untrue(tiny)
    problems += _goes_on(tiny)
    if not problems:
        shutil.rmtree(tiny.folder)
    return took, problems


def _wrong(code: int, said: str, stop: Stop) -> list[str]:
    """What is wrong with how it ended, and with what it said."""
    problems = []
    if code != CODES[stop.signal]:
        problems.append(f"ended with {code}, not {CODES[stop.signal]}")
    lines = [line for line in said.splitlines() if not line.startswith("[")]
    if "Traceback" in said or sum(GOES_ON in line for line in lines) != 1:
        problems.append(f"said {said[-300:]!r}")
    return problems


def _goes_on(tiny: Tiny) -> list[str]:
    ended = fork(tiny)
    code = ended.wait()
    problems = [f"went on to {code}: {ended.said[-300:]}"] * bool(code)
    problems += checks.same(tiny.results, checks.truths(finished().tiny.results))
    problems += checks.mirrored(tiny.folder / "mlflow.db", tiny.results)
    return problems


def _send(process: subprocess.Popen[str], number: signal.Signals) -> None:
    if process.poll() is not None:
        return
    if number == signal.SIGINT:
        os.killpg(process.pid, number)
    else:
        process.send_signal(number)
