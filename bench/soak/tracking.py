"""A tracking server that dies, stalls or refuses: what a ladder loses by it, and what is mirrored.

Each case is a ladder of three files of answers, which needs no model: all that it does is scoring,
reporting and mirroring. Then the server works again, the command that the warning names is run
twice, and the store is counted.
"""

from __future__ import annotations

import json
import re
import shlex
import sqlite3
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from bench.soak.tiny import Tiny, write
from bench.soak.tracker import Front, Part, await_server, mlflow_server
from bench.soak.trial import Outcome, Place

__all__ = ["PROMISE", "run"]

PROMISE = "tracking server"
ANSWERS = ("one", "two", "three")
MOST = 30
"""Seconds that a ladder may lose to a store, in all."""
WRONG = {"MLFLOW_TRACKING_USERNAME": "me", "MLFLOW_TRACKING_PASSWORD": "wrong"}
WORKS = Part()
RIGHT = WRONG | {"MLFLOW_TRACKING_PASSWORD": "right"}


@dataclass(frozen=True)
class Case:
    """One thing that goes wrong, and how it is set right."""

    name: str
    bad: Part = WORKS
    good: Part = WORKS
    environment: Mapping[str, str] = field(default_factory=dict)
    later: Mapping[str, str] = field(default_factory=dict)
    patience: float | None = None
    """None: the default."""
    blocked: bool = False
    """An SQLite store at a path where a folder lies, in place of a server."""


def cases(calls: int) -> list[Case]:
    """All of them; `calls` are those of a ladder whose server works."""
    return [
        Case("nobody listens", Part(closed=True)),
        Case("dies in the first run", Part(dies_after=7)),
        Case("dies in the last run", Part(dies_after=calls * 2 // 3)),
        Case("dies after the last run", Part(dies_after=calls - 4)),
        Case("10 s a call", Part(seconds=10)),
        Case("answers 500", Part(status=500)),
        Case("wrong password", Part(password="right"), Part(password="right"), WRONG, RIGHT),
        Case("accepts and never answers", Part(seconds=3600)),
        Case("another server answers 200", Part(status=200)),
        Case("SQLite store at the path of a folder", blocked=True),
    ]


QUICK = [
    Case("dies in the first run", Part(dies_after=7)),
    Case("3 s a call", Part(seconds=3), patience=6),
]


@dataclass(frozen=True)
class Seen:
    """What one case came to."""

    name: str
    seconds: float
    """More than a ladder takes whose store works."""
    problems: tuple[str, ...]


def run(place: Place) -> list[Outcome]:
    with mlflow_server(place.folder / "server") as port:
        tiny = write(place.folder / "tiny")
        await_server(port)
        front = Front(port)
        front.play(WORKS)
        usual = _ladder(tiny, "usual", [f"tracking.uri={front.uri}"], {})
        tried = QUICK if place.quick else cases(front.calls)
        seen = [_try(tiny, front, case, usual, place) for case in tried]
        front.close()
    failures = tuple(f"{one.name}: {problem}" for one in seen for problem in one.problems)
    held = sum(not one.problems for one in seen)
    slowest = max(seen, key=lambda one: one.seconds)
    figure = (
        f"at most {slowest.seconds:.0f} s lost ({slowest.name}), said in one line; every run "
        f"mirrored once by the command in that line: {', '.join(one.name for one in seen)}"
    )
    trial = "a server that dies, stalls, refuses"
    return [Outcome(PROMISE, trial, len(seen), held, figure, failures)]


@dataclass(frozen=True)
class Ran:
    code: int
    said: list[str]
    """Lines of standard error."""
    seconds: float


def _ladder(tiny: Tiny, case: str, words: Sequence[str], environment: Mapping[str, str]) -> Ran:
    """Three runs of answers that no other case has, and their report."""
    folder = tiny.folder / case
    folder.mkdir()
    files = [folder / f"{name}.jsonl" for name in ANSWERS]
    for number, path in enumerate(files, start=2):
        path.write_text("".join(_answers(tiny, case, number)))
    listed = ",".join(map(str, files))
    began = time.monotonic()
    process = tiny.harness(
        ["rung=external", f"rung.predictions={listed}", f"results={folder / 'results'}", *words],
        env=environment,
    )
    _, said = process.communicate()
    return Ran(process.returncode, said.splitlines(), time.monotonic() - began)


def _answers(tiny: Tiny, case: str, right: int) -> list[str]:
    """A line for each question, of which every second, third or fourth has the right answer; the
    column `case` is not read, and makes the file another one."""
    lines = (tiny.folder / "task" / "eval.jsonl").read_text().splitlines()
    texts = [json.dumps(json.loads(line)["target"]) for line in lines]
    return [
        json.dumps({"id": json.loads(line)["id"], "text": texts[i // right * right], "case": case})
        + "\n"
        for i, line in enumerate(lines)
    ]


def _try(tiny: Tiny, front: Front, case: Case, usual: Ran, place: Place) -> Seen:
    folder = re.sub(r"\W+", "-", case.name)
    uri, store = front.uri, place.folder / "server" / "mlflow.db"
    if case.blocked:
        store = tiny.folder / "store"
        store.mkdir()
        uri = f"sqlite:///{store}"
    front.play(case.bad)
    words = [f"tracking.uri={uri}"]
    if case.patience is not None:
        words.append(f"tracking.patience={case.patience}")
    ran = _ladder(tiny, folder, words, case.environment)
    front.play(case.good)
    if case.blocked:
        store.rmdir()
    lost = ran.seconds - usual.seconds
    problems = [*_problems(ran, lost, len(usual.said))]
    found = re.search(r"`python -m (harness\.report\.mlflow) ([^`]+)`", "\n".join(ran.said))
    if found is None:
        return Seen(case.name, lost, (*problems, "the warning names no command"))
    for _ in range(1 if place.quick else 2):
        later = tiny.harness(shlex.split(found[2]), env=case.later, module=found[1])
        _, said = later.communicate()
        if later.returncode != 0:
            problems.append(f"the command that the warning names: {said.strip()[-300:]}")
    return Seen(case.name, lost, (*problems, *_mirrored(store, tiny.folder / folder / "results")))


def _problems(ran: Ran, lost: float, usual: int) -> list[str]:
    problems = []
    if ran.code != 0:
        problems.append(f"exit code {ran.code}: {' / '.join(ran.said)[-300:]}")
    if len(ran.said) != usual + 1:
        problems.append(f"{len(ran.said) - usual} lines more: {' / '.join(ran.said)[-600:]}")
    if lost > MOST:
        problems.append(f"lost {lost:.1f} s")
    return problems


def _mirrored(store: Path, results: Path) -> list[str]:
    """What is wrong with the mirror of the runs in a results folder."""
    runs = [json.loads(p.read_text()) for p in results.rglob("manifest.json")]
    if len(runs) != len(ANSWERS):
        return [f"{len(runs)} runs in {results}"]
    with closing(sqlite3.connect(store)) as database:
        rows = database.execute(
            "select run_uuid, key, value from tags join runs using (run_uuid) "
            "where lifecycle_stage = 'active'"
        ).fetchall()
    tags: dict[str, dict[str, str]] = {}
    for name, key, value in rows:
        tags.setdefault(name, {})[key] = value
    problems = []
    for run in runs:
        there = [t for t in tags.values() if t.get("harness.run") == run["run"]]
        if len(there) != 1 or "harness.complete" not in there[0]:
            problems.append(f"{run['run']} is mirrored {len(there)} times")
    sweep = runs[0]["sweep"]
    parents = [
        t
        for t in tags.values()
        if t.get("harness.sweep") == sweep and t.get("harness.kind") == "sweep"
    ]
    if len(parents) != 1 or "mlflow.note.content" not in parents[0]:
        problems.append(f"sweep {sweep} has {len(parents)} parents, or no ladder")
    return problems
