"""Several processes at once: one sweep eight times, and two sweeps that share runs.

Nothing is there when they start: no cache, no results, no store. Processes are forks, which begin
within milliseconds of each other.
"""

from __future__ import annotations

from collections.abc import Sequence

from bench.soak import checks
from bench.soak.finished import copied, finished
from bench.soak.forks import fork
from bench.soak.tiny import LADDER, Tiny
from bench.soak.trial import Outcome, Place

__all__ = ["PROMISE", "run"]

PROMISE = "several processes at once: none crashes, each run is made and mirrored once"
LONG = 900
"""Seconds: eight processes may wait for one another on two cores."""


def run(place: Place) -> list[Outcome]:
    many = 3 if place.quick else 8
    shared = [("rung=prompt,few_shot,lora", LADDER[1]), ("rung=few_shot,lora,rag", LADDER[1])]
    return [
        _together(place, "same", [LADDER] * many, f"{many} processes of one sweep"),
        _together(place, "shared", shared, "two sweeps that share runs"),
    ]


def _together(place: Place, name: str, sweeps: Sequence[Sequence[str]], trial: str) -> Outcome:
    tiny = copied(finished().tiny, place.folder / name, made=())
    running = [fork(tiny, words) for words in sweeps]
    codes = [one.wait(LONG) for one in running]
    failures = [
        f"process {i} ended with {code}: {one.said[-300:]}"
        for i, (one, code) in enumerate(zip(running, codes, strict=True))
        if code or "Traceback" in one.said or "warning: " in one.said
    ]
    failures += _problems(tiny)
    runs = len(list(tiny.results.rglob("complete.json")))
    figure = f"{len(sweeps) - sum(map(bool, codes))} ended well; {runs} runs, each once, mirrored"
    told = tuple(f"seed {place.seed}, {failure}" for failure in failures)
    tried = len(sweeps) + runs
    return Outcome(PROMISE, trial, tried, max(0, tried - len(told)), figure, told)


def _problems(tiny: Tiny) -> list[str]:
    problems = list(checks.same(tiny.results, checks.truths(finished().tiny.results)))
    problems += checks.untrue(tiny)
    problems += checks.doubled(tiny.results)
    problems += checks.held_locks(tiny.folder)
    problems += checks.mirrored(tiny.folder / "mlflow.db", tiny.results)
    problems += checks.made_again(tiny.folder / "mlflow.db")
    return problems
