"""results/ on disk: the truth about what was run. The format is documented in results/README.md."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from pydantic import TypeAdapter

from harness.errors import ResultsError
from harness.evidence.statistics import Interval
from harness.files import PART, alone, file_sha256, make_durable, write_whole, writing
from harness.record import file_types
from harness.record.manifest import upgraded
from harness.record.manifest_types import MANIFEST, OLD_MANIFEST
from harness.secrets import redacted
from harness.task import Example, Prediction, Score

__all__ = ["Results", "RunFolder", "find_runs", "load_results"]

COMPLETE = "complete.json"
"""Written last: a run without it has not been finished."""

PREDICTIONS = "predictions.jsonl"
"""Answers to the eval questions; those to dev questions are kept apart."""


class RunFolder:
    """One run: `<root>/<task>/<rung>/<hash of everything that determines the result>`.

    >>> RunFolder.of(Path("results"), "tickets", "prompt", {"seed": None}).path.parts[:3]
    ('results', 'tickets', 'prompt')
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def of(cls, root: Path, task: str, rung: str, identity: Mapping[str, Any]) -> RunFolder:
        """The folder of the run that `identity` determines; it need not exist yet."""
        canonical = json.dumps(identity, sort_keys=True, ensure_ascii=False)
        key = hashlib.sha256(canonical.encode()).hexdigest()[:12]
        return cls(root / task / rung / key)

    @property
    def complete(self) -> bool:
        return (self.path / COMPLETE).is_file()

    def start(self, config: str, *, force: bool) -> None:
        """Make the folder; what an interrupted run left stays, unless `force`."""
        if force:
            # First, so that a run killed in between does not pass for a complete one.
            (self.path / COMPLETE).unlink(missing_ok=True)
            shutil.rmtree(self.path, ignore_errors=True)
        self.path.mkdir(parents=True, exist_ok=True)
        for half_written in self.path.rglob(f"*{PART}"):
            half_written.unlink()
        write_whole(self.path / "config.yaml", config)

    def keep_eval(self, fingerprint: str, examples: Iterable[Example]) -> None:
        """Write the sealed questions and targets beside the rungs, once for all runs on them; a
        file that is not what they are is written again."""
        path = self.eval_path(fingerprint)
        text = "".join(json.dumps(e.record(), ensure_ascii=False) + "\n" for e in examples)
        if not path.exists() or path.read_bytes() != text.encode():
            write_whole(path, text)

    def eval_path(self, fingerprint: str) -> Path:
        return self.path.parents[1] / f"eval-{fingerprint[:8]}.jsonl"

    @contextmanager
    def alone(self) -> Iterator[None]:
        """The right to write in the folder; a process that is killed loses it, another waits."""
        with alone(self.path, "runs"):
            yield

    def predictions(self, name: str = PREDICTIONS) -> list[Prediction]:
        """What has been answered, without the half-written line that a killed run may leave.

        Raises ResultsError for what cannot be read.
        """
        if not (self.path / name).exists():
            return []
        whole, _, _ = self._content(name).rpartition(b"\n")
        records = file_types.lines_of(
            whole, str(self.path / name), file_types.PREDICTION, self._fix
        )
        first: dict[str, int] = {}
        for number, record in enumerate(records, start=1):
            if first.setdefault(record["id"], number) != number:
                raise ResultsError(
                    f"{self.path / name}:{number}: answers '{record['id']}', as line "
                    f"{first[record['id']]} does; {self._fix}"
                )
        return [Prediction.of_record(record) for record in records]

    def append(
        self, predictions: Iterable[Prediction], name: str = PREDICTIONS
    ) -> Iterable[Prediction]:
        """Write each prediction down as it comes, behind the last whole line, and pass it on."""
        _cut_half_line(self.path / name)
        with (self.path / name).open("a", encoding="utf-8") as file:
            for prediction in predictions:
                with writing(self.path / name):
                    file.write(json.dumps(prediction.record(), ensure_ascii=False) + "\n")
                    file.flush()
                yield prediction

    def finish(
        self,
        scores: Iterable[Score],
        metrics: Mapping[str, Interval],
        slices: Mapping[str, Mapping[str, Interval]],
        manifest: Mapping[str, Any],
        system: Iterable[Mapping[str, float]],
    ) -> None:
        """Write what was concluded and, last of all, that the run is complete."""
        lines = [json.dumps({"id": s.id, "group": s.group, **s.values}) for s in scores]
        write_whole(self.path / "scores.jsonl", "\n".join(lines) + "\n")
        numbers = {
            "all": {name: asdict(m) for name, m in metrics.items()},
            "slices": {
                tag: {name: asdict(m) for name, m in part.items()} for tag, part in slices.items()
            },
        }
        write_whole(self.path / "metrics.json", json.dumps(numbers, indent=1))
        write_whole(self.path / "system.json", json.dumps(list(system)))
        write_whole(self.path / "manifest.json", json.dumps(redacted(dict(manifest)), indent=1))
        files = {}
        for path in sorted(self.path.rglob("*")):
            if path.is_file() and not path.name.endswith(PART):
                # Answers were flushed one by one; from now on they must survive a loss of power.
                make_durable(path)
                name = str(path.relative_to(self.path))
                files[name] = file_sha256(path)
        for folder in self.path.parents[:3]:  # rung, task, root: they may be new
            make_durable(folder)
        write_whole(self.path / COMPLETE, json.dumps({"sha256": files}, indent=1))

    def write(self, name: str, text: str) -> None:
        """A file of the run, all of it or nothing; `complete.json` does not vouch for it any
        more, until it covers it again."""
        if self.complete and name in self._sums:
            self._vouch({name: None})
        write_whole(self.path / name, text)

    def cover(self, pattern: str) -> None:
        """Let `complete.json` vouch for files that were made when the run was complete; nothing is
        done for a run that is not."""
        if self.complete:
            made = sorted(p for p in self.path.glob(pattern) if not p.name.endswith(PART))
            self._vouch({p.name: file_sha256(p) for p in made})

    def _vouch(self, files: Mapping[str, str | None]) -> None:
        """Change what `complete.json` says of files; None takes one out. When the run was finished
        is not changed."""
        mark = self.path / COMPLETE
        finished, known = mark.stat().st_mtime_ns, self.read(COMPLETE, file_types.SUMS)
        sums = {k: v for k, v in (known["sha256"] | files).items() if v is not None}
        write_whole(mark, json.dumps(known | {"sha256": sums}, indent=1))
        os.utime(mark, ns=(finished, finished))

    def manifest(self) -> dict[str, Any]:
        """Where the run comes from, with what older manifests do not say filled in, and without
        the secrets that they may hold.

        Raises ResultsError if it cannot be read.
        """
        manifest = upgraded(self.read("manifest.json", OLD_MANIFEST))
        if said := file_types.problem(manifest, MANIFEST):
            raise ResultsError(f"{self.path}/manifest.json: cannot be read ({said}); {self._fix}")
        return redacted(manifest)

    def read(
        self, name: str, wanted: TypeAdapter[Any] = file_types.ANYTHING, fix: str | None = None
    ) -> Any:
        """A JSON file of the run. Raises ResultsError if it cannot be read, or is of another
        type; `fix` says what helps then, if that is less than to run again."""
        where = str(self.path / name)
        return file_types.value_of(self._content(name), where, wanted, fix or self._fix)

    def table(self, name: str, wanted: TypeAdapter[Any] = file_types.LINE) -> pd.DataFrame:
        """A JSON Lines file of the run, every value as it was written.

        Raises ResultsError if it cannot be read, or is of another type.
        """
        # pandas.read_json would guess numbers: the groups "1" and "01" would become one.
        lines = file_types.lines_of(self._content(name), str(self.path / name), wanted, self._fix)
        return pd.DataFrame.from_records(lines, columns=None if lines else ["id"])

    @property
    def _fix(self) -> str:
        return f"delete {self.path} and run again"

    @property
    def _sums(self) -> dict[str, str]:
        """SHA-256 of each file that a complete run vouches for."""
        sums: dict[str, str] = file_types.value_of(
            file_types.bytes_of(self.path / COMPLETE, self._fix),
            str(self.path / COMPLETE),
            file_types.SUMS,
            self._fix,
        )["sha256"]
        return sums

    def _content(self, name: str) -> bytes:
        """A file of the run. Raises ResultsError if a complete run wrote another one."""
        data = file_types.bytes_of(self.path / name, self._fix)
        if name != COMPLETE and self.complete:
            wrote = self._sums.get(name)
            if wrote not in (None, hashlib.sha256(data).hexdigest()):
                raise ResultsError(
                    f"{self.path / name}: was changed after the run had finished (its SHA-256 is "
                    f"not the one in {COMPLETE}); put it back, or delete {self.path} and run again"
                )
        return data


def _cut_half_line(path: Path) -> None:
    """Take away what stands behind the last line break: a killed process wrote half a line."""
    if path.exists():
        data = path.read_bytes()
        whole = data.rfind(b"\n") + 1
        if whole < len(data):
            os.truncate(path, whole)


class Results(NamedTuple):
    """All complete runs, as tidy tables."""

    runs: pd.DataFrame
    """One row per run, metric and slice ("" is the whole set): value, low, high, n; and what the
    run is a control of, None for the rungs of the ladder."""
    items: pd.DataFrame
    """One row per run and eval example: the prediction and its scores."""


def load_results(root: str | Path) -> Results:
    """Read every complete run below a folder. Raises ResultsError if there is none."""
    folders = find_runs(root)
    runs: list[dict[str, Any]] = []
    items: list[pd.DataFrame] = []
    for folder in folders:
        manifest = folder.manifest()
        names = ("run", "task", "rung", "model", "seed", "limit", "primary")
        about = {name: manifest[name] for name in names}
        control = manifest["control"]
        about["control"] = control["kind"] if control else None
        about["eval_sha256"] = manifest["fingerprints"]["eval"]
        numbers = folder.read("metrics.json", file_types.METRICS)
        for tag, part in {"": numbers["all"], **numbers["slices"]}.items():
            runs += [{**about, "slice": tag, "metric": name, **m} for name, m in part.items()]
        predictions = folder.table(PREDICTIONS, file_types.PREDICTION)
        scores = folder.table("scores.jsonl", file_types.SCORE)
        items.append(predictions.merge(scores, on="id", suffixes=("", "_score")).assign(**about))
    return Results(pd.DataFrame(runs), pd.concat(items, ignore_index=True))


def find_runs(root: str | Path) -> list[RunFolder]:
    """The complete runs below a folder, in the order in which they were finished."""
    found = [mark for mark in Path(root).resolve().rglob(COMPLETE) if mark.is_file()]
    marks = sorted(found, key=lambda p: (p.stat().st_mtime, str(p)))
    if not marks:
        raise ResultsError(f"{root}: holds no complete run; run `python -m harness +task=…` first")
    return [RunFolder(mark.parent) for mark in marks]
