"""Clocks, locales and paths that are not the usual ones: the same result, or one line.

Each case is a ladder of two files of answers, which needs no model, with MLflow; in full also one
that answers with the tiny model.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.soak.tiny import Tiny, write
from bench.soak.trial import Outcome, Place

__all__ = ["PROMISE", "run"]

PROMISE = "clock, locale, path"
BACK = '''\
"""A clock that is set back by a year now and then, as seen by whatever asks Python for the time."""
import time

real, asked = time.time, [0]


def back():
    asked[0] += 1
    return real() - 31_536_000 * (asked[0] // 3 % 2)


time.time = back
time.time_ns = lambda: int(back() * 1e9)
'''
ASCII = {"LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


@dataclass(frozen=True)
class Case:
    """One way in which the surroundings are unusual."""

    name: str
    environment: Mapping[str, str] = field(default_factory=dict)
    folder: str = ""
    """Name of the folder that all lies in; "": a plain one."""
    clock: bool = False


CASES = (
    Case("clock set back by a year", clock=True),
    Case("TZ=Pacific/Kiritimati", {"TZ": "Pacific/Kiritimati"}),
    Case("TZ=no/such", {"TZ": "no/such"}),
    Case("LC_ALL=C", {"LC_ALL": "C"}),
    Case("LC_ALL=C, no UTF-8 mode", ASCII),
    Case("output in Latin-1", {"PYTHONIOENCODING": "latin-1"}),
    Case("path with spaces", folder="my own folder"),
    Case("path in unicode", folder="aufgäben-任务-🎯"),
    Case("path of 200 characters", folder="x" * 200),
    Case("path with signs", folder="50% (a) #1 [b] it's=fine,ok"),
    Case("path with ${}", folder="a ${b} $c"),
)
QUICK = ("LC_ALL=C, no UTF-8 mode", "path in unicode")


def run(place: Place) -> list[Outcome]:
    tiny = write(place.folder / "tiny")
    usual = _metrics(_run(tiny, Case("usual")))
    cases = [case for case in CASES if not place.quick or case.name in QUICK]
    failures: list[str] = []
    refused: list[str] = []
    for case in cases:
        home = tiny if not case.folder else write(place.folder / case.folder)
        ran = _run(home, case)
        if ran.code == 2 and ran.refusal:
            refused.append(f"{case.name}: {ran.refusal}")
        elif ran.code or ran.complaint or _metrics(ran) != usual:
            failures.append(f"{case.name}: exit code {ran.code}: {ran.said[-700:]}")
        if case.folder:
            shutil.rmtree(home.folder)
    as_usual = len(cases) - len(failures) - len(refused)
    figure = f"{as_usual} as usual, {len(refused)} in one line: {'; '.join(refused) or 'none'}"
    trial = ", ".join(case.name for case in cases)
    held = len(cases) - len(failures)
    return [Outcome(PROMISE, trial, len(cases), held, figure, tuple(failures))]


@dataclass(frozen=True)
class Ran:
    code: int
    said: str
    results: Path

    @property
    def refusal(self) -> str | None:
        """The one line that a refusal is worth; None if it was said otherwise."""
        errors = [line for line in self.said.splitlines() if line.startswith("error: ")]
        return errors[0] if len(errors) == 1 and "Traceback" not in self.said else None

    @property
    def complaint(self) -> bool:
        return "Traceback" in self.said or "warning: " in self.said


def _run(tiny: Tiny, case: Case) -> Ran:
    name = f"case{len(list(tiny.folder.iterdir()))}"
    room = tiny.folder / name
    room.mkdir()
    environment = dict(case.environment)
    if case.clock:
        (room / "sitecustomize.py").write_text(BACK)
        environment["PYTHONPATH"] = f"{room}:{tiny.environment['PYTHONPATH']}"
    for rung in ("good", "poor"):
        (tiny.folder / f"{rung}.jsonl").write_text(_answers(tiny, rung == "good"))
    process = tiny.harness(
        ["rung=external", "rung.predictions=good.jsonl,poor.jsonl", f"results={name}"],
        env=environment,
    )
    out, said = process.communicate()
    return Ran(process.returncode, said + out, room)


def _answers(tiny: Tiny, right: bool) -> str:
    rows = [json.loads(line) for line in (tiny.folder / "task" / "eval.jsonl").open()]
    return "".join(
        json.dumps({"id": row["id"], "text": json.dumps(row["target"]) if right else "{}"}) + "\n"
        for row in rows
    )


def _metrics(ran: Ran) -> dict[str, Any]:
    """The numbers of each run."""
    return {
        str(path.relative_to(ran.results)): json.loads(path.read_text())
        for path in ran.results.rglob("metrics.json")
    }
