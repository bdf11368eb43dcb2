"""Is train good: its most doubtful examples, and what planted errors did to rungs and to the audit.

Runs of `+experiment=data_quality` are no rungs of the ladder: each is held against the rung that
learned from train as it is.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from harness.analysis.declared_contrasts import against
from harness.analysis.rungs import RungResult
from harness.analysis.runs import RunResult
from harness.evidence.contrasts import Contrast, Side, compare
from harness.evidence.statistics import Interval, mean_interval
from harness.files import DEV_SCORES, EXAMPLE_LOSSES, TRANSFORM
from harness.record.manifest import altered

__all__ = ["Cell", "DataQuality", "Doubtful", "Dropping", "Precision", "data_quality"]

SHOWN = 20
"""Examples that a report lists."""
DEPTHS = (10, 20)
"""Of a ranking, beside as many as were planted."""


@dataclass(frozen=True)
class Doubtful:
    """One example of train whose target the model found hard to believe."""

    id: str
    where: str
    """`file:line`."""
    loss: float
    """Per completion token, averaged over epochs and seeds."""
    input: str
    """Its beginning."""
    target: str


@dataclass(frozen=True)
class Cell:
    """One rung that learned from a train of this quality."""

    result: RungResult
    planted: float
    """Share of train with wrong targets."""
    without: str | None
    """Whose suspects were left out; None if nothing was."""
    dropped: float
    """Examples that were left out, averaged over seeds."""
    caught: float
    """How many of them had been planted."""

    @property
    def rung(self) -> str:
        return str(self.result.manifest["rung"])


@dataclass(frozen=True)
class Precision:
    """How many of the most doubtful examples had been planted."""

    judge: str
    """What ranked them: `classifier`, or `losses of` a rung."""
    planted: float
    """Share of train with wrong targets: the precision of chance."""
    wrong: int
    """How many that are."""
    k: int
    """Length of the list that is looked at."""
    value: Interval
    """Share of its k first that had been planted, over seeds."""


@dataclass(frozen=True)
class Dropping:
    """A rung without the suspects, against the same rung on the same train with them."""

    cell: Cell
    dev: Contrast | None
    """On the dev questions; None where single ones have no value or were not kept."""
    eval: Contrast | None


@dataclass(frozen=True)
class DataQuality:
    """All of it; empty where nothing of the kind was run."""

    judge: str | None
    """The tuned rung by whose losses examples are doubtful; None without one."""
    doubtful: Sequence[Doubtful]
    """The most doubtful first."""
    cells: Sequence[Cell]
    """The noise curve: by rung, then by whose suspects were left out, then by share of noise."""
    precisions: Sequence[Precision]
    droppings: Sequence[Dropping]


def data_quality(ladder: Sequence[RungResult], everything: Sequence[RungResult]) -> DataQuality:
    """`ladder` are the rungs on train as it is, `everything` has the altered ones too."""
    judge, doubtful = _doubtful(ladder)
    changed = [result for result in everything if altered(result.manifest)]
    cells = _cells(ladder, changed)
    return DataQuality(judge, doubtful, cells, _precisions(cells), _droppings(cells))


def _doubtful(ladder: Sequence[RungResult]) -> tuple[str | None, list[Doubtful]]:
    """By the first tuned rung that kept its losses, of the targets that stand in train."""
    for rung in ladder:
        if rung.manifest["identity"]["rung"].get("transform"):
            continue
        runs = [_losses(run) for run in rung.runs if _has(run, EXAMPLE_LOSSES)]
        if not runs:
            continue
        means = {
            i: fmean(fmean(run[i]["loss"]) for run in runs if i in run)
            for i in dict.fromkeys(i for run in runs for i in run)
        }
        lines = {i: line for run in runs for i, line in run.items()}
        names = ("where", "input", "target")
        worst = sorted(means, key=lambda i: -means[i])[:SHOWN]
        return rung.key, [
            Doubtful(i, loss=means[i], **{name: lines[i][name] for name in names}) for i in worst
        ]
    return None, []


def _cells(ladder: Sequence[RungResult], changed: Sequence[RungResult]) -> list[Cell]:
    """The altered runs, and the rungs of the ladder that they are to be held against."""
    wanted = {_alike(one) for one in changed}
    found = [Cell(one, 0.0, None, 0.0, 0.0) for one in ladder if _alike(one) in wanted]
    for result in changed:
        about = altered(result.manifest) or {}
        told = [_transform(run) for run in result.runs]
        dropped = [len(one.get("dropped", ())) for one in told]
        caught = [len({*one.get("dropped", ())} & {*one.get("planted", ())}) for one in told]
        share, without = float(about["planted"]), about.get("without")
        found.append(Cell(result, share, without, fmean(dropped), fmean(caught)))
    place = {_alike(one): i for i, one in enumerate([*ladder, *changed])}
    return sorted(found, key=lambda c: (place[_alike(c.result)], c.without or "", c.planted))


def _alike(result: RungResult) -> str:
    """What is the same for a rung on train as it is, and on an altered one."""
    m = result.manifest
    same = {k: v for k, v in m["identity"].items() if k not in ("rung", "seed", "embedder")}
    settings = {k: v for k, v in m["identity"]["rung"].items() if k != "transform"}
    return json.dumps([m["rung"], m["model"], same, settings], sort_keys=True)


def _precisions(cells: Sequence[Cell]) -> list[Precision]:
    """Each ranking of each train with planted errors once, over its seeds."""
    ranked: dict[tuple[str, float], dict[str, tuple[list[str], set[str]]]] = {}
    for cell in cells:
        if not cell.planted:
            continue
        for run in cell.result.runs:
            for judge, ranking in _rankings(cell, run):
                planted = set(_transform(run)["planted"])
                seeds = ranked.setdefault((judge, cell.planted), {})
                seeds.setdefault(str(run.manifest["seed"]), (ranking, planted))
    found = []
    for (judge, share), seeds in sorted(ranked.items()):
        wrong = len(next(iter(seeds.values()))[1])
        for k in sorted({*DEPTHS, wrong} - {0}):
            hits = [float(i in planted) for order, planted in seeds.values() for i in order[:k]]
            if hits:
                found.append(Precision(judge, share, wrong, k, mean_interval(hits)))
    return found


def _rankings(cell: Cell, run: RunResult) -> Iterator[tuple[str, list[str]]]:
    """Who ranked the examples of a run's train, and their ids, the most doubtful first."""
    told = _transform(run)
    if cell.without is None and _has(run, EXAMPLE_LOSSES):
        losses = {i: fmean(line["loss"]) for i, line in _losses(run).items()}
        yield f"losses of {cell.rung}", sorted(losses, key=lambda i: -losses[i])
    elif cell.without == "classifier":
        doubt = told["doubt"]
        yield "classifier", sorted(doubt, key=lambda i: -doubt[i])


def _droppings(cells: Sequence[Cell]) -> list[Dropping]:
    whole = {(_alike(c.result), c.planted): c for c in cells if c.without is None}
    found = []
    for cell in cells:
        before = whole.get((_alike(cell.result), cell.planted))
        if cell.without is not None and before is not None:
            ours, theirs = cell.result, before.result
            measured = ours.measured_by_question and theirs.measured_by_question
            judged = against(ours, theirs) if measured else None
            found.append(Dropping(cell, _on_dev(ours, theirs), judged))
    return found


def _on_dev(ours: RungResult, theirs: RungResult) -> Contrast | None:
    """One rung against another on the dev questions that both answered."""
    if not all(_has(run, DEV_SCORES) for one in (ours, theirs) for run in one.runs):
        return None
    tables = [[_lines(run, DEV_SCORES) for run in one.runs] for one in (ours, theirs)]
    groups = {line["id"]: line["group"] for line in tables[0][0]}
    if not groups or any({x["id"] for x in t} != {*groups} for side in tables for t in side):
        return None
    sides = [
        Side(one.key, [{x["id"]: x["value"] for x in t} for t in side], one.seeds is not None)
        for one, side in zip((ours, theirs), tables, strict=True)
    ]
    return compare(sides[0], sides[1], ours.manifest["primary"], groups)


def _has(run: RunResult, name: str) -> bool:
    return (run.folder.path / name).is_file()


def _transform(run: RunResult) -> Mapping[str, Any]:
    """What was done to train; nothing for a run that was moved without it."""
    return run.folder.read(TRANSFORM) if _has(run, TRANSFORM) else {}


def _losses(run: RunResult) -> dict[str, dict[str, Any]]:
    """The lines of a run's losses that have any, by the example's id."""
    return {line["id"]: line for line in _lines(run, EXAMPLE_LOSSES) if line["loss"]}


def _lines(run: RunResult, name: str) -> list[dict[str, Any]]:
    return [
        {str(k): v for k, v in line.items()} for line in run.folder.table(name).to_dict("records")
    ]
