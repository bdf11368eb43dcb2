"""Runs that differ in nothing but their seed are one `RungResult`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from statistics import fmean
from typing import Any

from harness.analysis.runs import Ladder, RunResult
from harness.evidence.contrasts import Side
from harness.evidence.statistics import Interval, mean_over_seeds
from harness.files import DEV_SCORES

__all__ = ["MARK", "RungResult", "on_dev", "rung_results"]

MARK = "*"
"""Behind the name of a rung that is random and has one seed: that noise was not measured."""


@dataclass(frozen=True, eq=False)
class RungResult:
    """One rung, or one control, over its seeds."""

    key: str
    runs: Sequence[RunResult]
    """One per seed, at least one, by seed."""
    tagged: Mapping[str, Sequence[str]]
    """Ids of the questions of each `tag=value`; empty if they are not beside the runs."""
    _known: dict[tuple[str, str], Interval | None] = field(default_factory=dict, repr=False)
    """Intervals that were computed before."""

    @property
    def manifest(self) -> Mapping[str, Any]:
        """Of the first seed."""
        return self.runs[0].manifest

    @property
    def label(self) -> str:
        """The key, marked if chance had a part in it and was seen only once."""
        return self.key + (MARK if self.seeds == 1 else "")

    @property
    def seeds(self) -> int | None:
        """How many; None where nothing is random."""
        return None if self.manifest["seed"] is None else len(self.runs)

    @property
    def control(self) -> str | None:
        """What kind of control it is; None for a rung of the ladder."""
        return self.manifest["control"]["kind"] if self.manifest["control"] else None

    @property
    def tuned(self) -> bool:
        return self.manifest["training"] is not None

    @property
    def elsewhere(self) -> bool:
        """Whether it was answered elsewhere: then nothing is known but the answers."""
        return self.manifest["external"] is not None

    @property
    def side(self) -> Side:
        """What a contrast takes of it."""
        return Side(self.key, [run.values for run in self.runs], random=self.seeds is not None)

    @property
    def measured_by_question(self) -> bool:
        """Whether the primary metric has a value for every single question."""
        return all(run.values for run in self.runs)

    @property
    def metrics(self) -> list[str]:
        """Names of all that was measured over the whole set."""
        return list(dict.fromkeys(name for run in self.runs for name in run.metrics))

    @property
    def slices(self) -> list[str]:
        """Every `tag=value` that some questions have."""
        return list(dict.fromkeys(tag for run in self.runs for tag in run.slices))

    @property
    def primary(self) -> Interval:
        value = self.metric(self.manifest["primary"])
        assert value is not None, "a run without its primary metric is never finished"
        return value

    @cached_property
    def dev(self) -> Interval | None:
        """The primary metric on dev; None if a seed did not answer dev."""
        found = [run.manifest["dev"] for run in self.runs]
        if not all(found):
            return None
        return Interval(fmean(d["value"] for d in found), None, None, found[0]["n"], "none")

    @property
    def trials(self) -> list[dict[str, Any]]:
        """What each setting did on dev; one, the first, where only that was tried, and none where
        dev was not answered."""
        if recorded := self.manifest["trials"]:
            return list(recorded)
        dev = self.manifest["dev"]
        return [{"settings": self.manifest["settings"], **dev}] if dev else []

    def metric(self, name: str, tag: str = "") -> Interval | None:
        """A metric over the whole set, or over the questions of one `tag=value`.

        None if it was not measured.
        """
        if (tag, name) not in self._known:
            parts = [run.slices.get(tag, {}) if tag else run.metrics for run in self.runs]
            found = [part for part in parts if name in part]
            ids = self.tagged.get(tag, ()) if tag else None
            self._known[tag, name] = self._over_seeds(found, name, ids) if found else None
        return self._known[tag, name]

    def mean(self, of: Callable[[RunResult], float]) -> float:
        """What a run cost, say, averaged over the seeds."""
        return fmean(of(run) for run in self.runs)

    def _over_seeds(
        self, found: Sequence[Mapping[str, Interval]], name: str, ids: Sequence[str] | None
    ) -> Interval:
        """One value over the seeds, of all questions or those of `ids`.

        Without values for single questions, or not for the same ones, one run has the interval that
        it recorded, and several have none.
        """
        plain = found[0][name]
        if len(self.runs) > 1:
            mean = fmean(part[name].value for part in found)
            plain = Interval(mean, None, None, plain.n, "mean of seeds")
        unknown = ids is not None and not ids
        if unknown or not all(name in run.scores for run in self.runs):
            return plain
        columns = [run.scores[name] for run in self.runs]
        items = [(c if ids is None else c[c.index.isin(list(ids))]).dropna() for c in columns]
        if not all(column.index.equals(items[0].index) for column in items):
            return plain
        groups = [self.runs[0].groups[str(i)] for i in items[0].index]
        return mean_over_seeds([column.to_list() for column in items], groups)


def rung_results(ladder: Ladder) -> list[RungResult]:
    """Rungs and controls in the order of the ladder's runs, the seeds of one together."""
    tagged: dict[str, list[str]] = {}
    for name, question in ladder.questions.items():
        for tag, value in question["tags"].items():
            tagged.setdefault(f"{tag}={value}", []).append(name)
    seeds: dict[str, list[RunResult]] = {}
    for run in ladder.runs:
        seeds.setdefault(run.key, []).append(run)
    return [
        RungResult(key, sorted(found, key=lambda run: run.manifest["seed"] or 0), tagged)
        for key, found in seeds.items()
    ]


def on_dev(rungs: Sequence[RungResult]) -> dict[str, Interval | None]:
    """What each rung is worth on dev, by key, for a choice among them.

    Where one of them picked its prompt on some of dev, all are compared on the questions that
    judged every one of them, as far as runs have values of single questions.
    """
    own = {rung.key: rung.dev for rung in rungs}
    runs = [run for rung in rungs for run in rung.runs]
    if not any(run.manifest.get("search") for run in runs) or None in own.values():
        return own
    if not all((run.folder.path / DEV_SCORES).is_file() for run in runs):
        return own
    values = {run.label: _dev_values(run) for run in runs}
    common = set.intersection(*(set(each) for each in values.values()))
    if not common:
        return own
    return {
        rung.key: Interval(
            fmean(values[run.label][i] for run in rung.runs for i in common),
            None,
            None,
            len(common),
            "none",
        )
        for rung in rungs
    }


def _dev_values(run: RunResult) -> dict[str, float]:
    """The primary metric of each dev question."""
    return {str(line["id"]): line["value"] for _, line in run.folder.table(DEV_SCORES).iterrows()}
