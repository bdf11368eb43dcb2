"""The lines of a report: runs that differ in nothing but their seed are one line."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean
from typing import Any

from harness.evidence.statistics import Interval, mean_over_seeds
from harness.report.ladder import Row

__all__ = ["FOOTNOTE", "Entry", "entries", "footnote", "summary"]

MARK = "*"
FOOTNOTE = f"{MARK} one seed: the noise of training or of drawing is not measured"


@dataclass(frozen=True, eq=False)
class Entry:
    """One rung, or one control, with all its seeds."""

    key: str
    rows: Sequence[Row]
    """One per seed, at least one, by seed."""

    @property
    def manifest(self) -> dict[str, Any]:
        """Of the first seed."""
        return self.rows[0].manifest

    @property
    def label(self) -> str:
        """The key, marked if chance had a part in it and was seen only once."""
        return self.key + (MARK if self.seeds == "1" else "")

    @property
    def seeds(self) -> str:
        """How many; "-" where nothing is random."""
        return "-" if self.manifest["seed"] is None else str(len(self.rows))

    @property
    def control(self) -> str | None:
        """What kind of control it is; None for a rung of the ladder."""
        return self.manifest["control"]["kind"] if self.manifest["control"] else None

    @property
    def tuned(self) -> bool:
        return self.manifest["training"] is not None

    @cached_property
    def primary(self) -> Interval:
        return self._over_seeds([row.metrics for row in self.rows], self.manifest["primary"], None)

    @cached_property
    def dev(self) -> Interval | None:
        """The primary metric on dev; None if a seed did not answer dev."""
        found = [row.manifest["dev"] for row in self.rows]
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

    def metric(self, name: str) -> Interval | None:
        """A metric over the whole set; None if it was not measured."""
        found = [row.metrics for row in self.rows if name in row.metrics]
        return self._over_seeds(found, name, None) if found else None

    def slice(self, tag: str, name: str) -> Interval | None:
        """The same over the questions of one tag value."""
        parts = [row.slices[tag] for row in self.rows if name in row.slices.get(tag, {})]
        return self._over_seeds(parts, name, self._tagged.get(tag, [])) if parts else None

    def mean(self, of: Callable[[Row], float]) -> float:
        """What a run cost, say, averaged over the seeds."""
        return fmean(of(row) for row in self.rows)

    def _over_seeds(
        self, found: Sequence[dict[str, Interval]], name: str, ids: list[str] | None
    ) -> Interval:
        """One value of several seeds, over all questions or those of `ids`.

        Without an interval if it has no value for single questions, or not the same ones.
        """
        if len(self.rows) == 1:
            return found[0][name]
        plain = Interval(
            fmean(part[name].value for part in found), None, None, found[0][name].n, "mean of seeds"
        )
        if ids == [] or not all(name in row.scores for row in self.rows):
            return plain
        columns = [row.scores[name] for row in self.rows]
        items = [(c if ids is None else c[c.index.isin(ids)]).dropna() for c in columns]
        if not all(column.index.equals(items[0].index) for column in items):
            return plain
        groups = [self.rows[0].groups[str(i)] for i in items[0].index]
        return mean_over_seeds([column.to_list() for column in items], groups)

    @cached_property
    def _tagged(self) -> dict[str, list[str]]:
        """Ids of the questions of each tag value; nothing if the runs' folder was moved alone."""
        row = self.rows[0]
        path = row.folder.eval_path(self.manifest["fingerprints"]["eval"])
        tagged: dict[str, list[str]] = {}
        if path.exists():
            for question in map(json.loads, path.read_text(encoding="utf-8").splitlines()):
                for tag, value in question["tags"].items():
                    tagged.setdefault(f"{tag}={value}", []).append(question["id"])
        return tagged


def entries(rows: Iterable[Row]) -> list[Entry]:
    """Rungs and controls in the order of `rows`, seeds of one together."""
    seeds: dict[str, list[Row]] = {}
    for row in rows:
        seeds.setdefault(row.key, []).append(row)
    return [
        Entry(key, sorted(found, key=lambda row: row.manifest["seed"] or 0))
        for key, found in seeds.items()
    ]


def footnote(shown: Iterable[Entry]) -> str:
    """What the mark beside a label means; nothing if none is marked."""
    return FOOTNOTE if any(entry.label != entry.key for entry in shown) else ""


def summary(entry: Entry) -> dict[str, Any]:
    """One line as plain data: every metric but those of single fields, and what it took."""
    names = dict.fromkeys(name for row in entry.rows for name in row.metrics)
    metrics = {name: entry.metric(name) for name in names if not name.startswith("field/")}
    return {
        "rung": entry.label,
        "n": entry.manifest["n"],
        "seeds": entry.seeds,
        **{name: m.value for name, m in metrics.items() if m},
        "low": entry.primary.low,
        "high": entry.primary.high,
        "prompt_tokens": entry.mean(lambda row: row.prompt_tokens),
        "completion_tokens": entry.mean(lambda row: row.completion_tokens),
        "seconds": entry.mean(lambda row: row.seconds),
    }
