"""kill -9 of a ladder's whole process group at random moments, then the same command again.

Moments are uniform over the measured time of ladders that begin at nothing (fetching,
de-quantizing, every rung, report, MLflow) and of ladders in which a single rung, or the mirror, is
left to do: a moment then costs seconds. Processes are forks (bench/soak/forks.py), two at a time.
"""

from __future__ import annotations

import shutil
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from random import Random

from bench.soak import checks
from bench.soak.finished import RUNGS, copied, finished, only
from bench.soak.forks import fork, timed
from bench.soak.tiny import Tiny
from bench.soak.trial import Outcome, Place

__all__ = ["PROMISE", "run"]

PROMISE = "kill -9 anywhere: nothing is lost, doubled or half done"
NOTHING, MIRROR = "nothing", "all but the mirror"
STARTS = (NOTHING, *RUNGS, MIRROR)
"""What a ladder begins with: nothing, all but one rung, or all but its mirror."""


@dataclass(frozen=True)
class Moment:
    """When a ladder is killed."""

    number: int
    start: str
    seconds: float

    def __str__(self) -> str:
        return f"moment {self.number} ({self.start}, {self.seconds:.2f} s)"


def run(place: Place) -> list[Outcome]:
    random = Random(place.seed)
    starts = ("lora",) if place.quick else STARTS
    with ThreadPoolExecutor(2) as pool:
        lasts = dict(zip(starts, pool.map(lambda s: _lasts(place, s), starts), strict=True))
        moments = _moments(random, lasts, 3 if place.quick else 100)
        done = list(pool.map(lambda m: _killed(place, m), moments))
    failures = [
        f"seed {place.seed}, {moment}, in {stage}: {'; '.join(problems)}"
        for moment, (stage, problems) in zip(moments, done, strict=True)
        if problems
    ]
    stages = Counter(stage for stage, _ in done).most_common()
    figure = ", ".join(f"{stage} {n}" for stage, n in stages)
    figure = f"killed while {figure}, in ladders of up to {max(lasts.values()):.0f} s"
    held = len(moments) - len(failures)
    return [Outcome(PROMISE, "kill -9, run again", len(moments), held, figure, tuple(failures))]


def _moments(random: Random, lasts: dict[str, float], count: int) -> list[Moment]:
    """Uniform over all the time that the ladders take together; one in three begins at nothing."""
    weights = [seconds if s != NOTHING else sum(lasts.values()) / 3 for s, seconds in lasts.items()]
    drawn = random.choices(list(lasts), weights, k=count)
    return [Moment(i, start, random.uniform(0, lasts[start])) for i, start in enumerate(drawn)]


def _lasts(place: Place, start: str) -> float:
    """Seconds that a ladder takes from here to its end, when nothing happens."""
    if start == NOTHING:
        return finished().seconds
    code, seconds = timed(fork(_prepared(start, place.folder / f"lasts-{start}")))
    if code:
        raise RuntimeError(f"{start}: ended with {code} without any fault")
    return seconds


def _prepared(start: str, folder: Path) -> Tiny:
    ended = finished().tiny
    if start == NOTHING:
        return copied(ended, folder, made=())
    if start == MIRROR:
        return copied(ended, folder, made=("results", "cache"))
    tiny = copied(ended, folder)
    only(tiny, start)
    return tiny


def _killed(place: Place, moment: Moment) -> tuple[str, Sequence[str]]:
    """The stage at which it was killed, and what was not held."""
    tiny = _prepared(moment.start, place.folder / f"kill-{moment.number}")
    first = fork(tiny)
    time.sleep(moment.seconds)
    first.kill()
    stage = _stage(tiny)
    problems = [f"after the kill {line}" for line in checks.untrue(tiny)]
    try:
        second = fork(tiny)
        if code := second.wait():
            problems.append(f"the second run ended with {code}: {second.said[-500:]}")
        if "Traceback (most recent call last)" in second.said or "warning: " in second.said:
            problems.append(f"the second run said {second.said[-500:]}")
    except TimeoutError as error:
        problems.append(f"the second run: {error}")
    problems += checks.same(tiny.results, checks.truths(finished().tiny.results))
    problems += checks.untrue(tiny)
    problems += checks.doubled(tiny.results)
    problems += checks.held_locks(tiny.folder)
    problems += checks.mirrored(tiny.folder / "mlflow.db", tiny.results)
    if not problems:
        shutil.rmtree(tiny.folder)
    return stage, problems


def _stage(tiny: Tiny) -> str:
    """What a killed ladder was doing, as its folders tell."""
    cache, task = tiny.folder / "cache", tiny.results / "tiny"
    if not checks.whole(cache, "wheels/*/*.gguf"):
        return "fetching"
    if not checks.whole(cache, "dequantized/*"):
        return "de-quantizing"
    for folder in task.glob("trained/*"):
        if folder.is_dir() and not (folder / "training.json").exists():
            states = list(folder.glob("checkpoints/checkpoint-*"))
            half = any(not (p / "trainer_state.json").exists() for p in states)
            return "writing a checkpoint" if half else "training"
    for rung in RUNGS:
        for folder in (p for p in task.glob(f"{rung}/*") if p.is_dir()):
            if not (folder / "complete.json").exists():
                return "finishing" if (folder / "scores.jsonl").exists() else _in_run(folder)
    marks = len(list(task.glob("*/*/complete.json")))
    everything = len(list((finished().tiny.results / "tiny").glob("*/*/complete.json")))
    return "reporting and mirroring" if marks == everything else "starting, or between two runs"


def _in_run(folder: Path) -> str:
    """Of a run without scores."""
    answered = folder / "predictions.jsonl"
    if not answered.exists():
        return "fitting and indexing"
    lines = answered.read_bytes().count(b"\n")
    (questions,) = folder.parents[1].glob("eval-*.jsonl")
    return "answering" if lines < questions.read_bytes().count(b"\n") else "scoring"
