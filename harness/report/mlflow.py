"""MLflow, as a mirror of results/: whatever it loses can be made again from disk.

`python -m harness.report.mlflow RESULTS` mirrors every complete run below a folder; runs that
are there already are left alone. This file and mlflow_run.py are all that import mlflow.
"""

from __future__ import annotations

import argparse
import logging
import os
import re
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any, Protocol

import pandas as pd
from filelock import FileLock

from harness.command import command
from harness.errors import HarnessError, TrackingError, first_line
from harness.files import PART, make_durable
from harness.record.results import COMPLETE, RunFolder, find_runs
from harness.report.formatting import seeds
from harness.report.mlflow_run import NOTE, log_batch, log_run, shortened, times

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from harness.analysis.findings import Findings
    from harness.analysis.rungs import RungResult

__all__ = ["Mlflow", "NoTracking", "Tracking", "main"]

DEFAULT_URI = f"sqlite:///{Path.cwd()}/mlflow.db"
LONGEST_NOTE = 8000
"""MLflow would cut a longer description off, wherever that is."""


class Tracking(Protocol):
    """Where runs are mirrored."""

    def mirror(self, folder: RunFolder) -> None:
        """Show a complete run. Raises TrackingError; the run on disk is safe either way."""

    def conclude(self, sweep: str, found: Findings) -> None:
        """Show the ladder on the sweep's parent run."""


class NoTracking:
    """Runs are mirrored to no store."""

    def mirror(self, folder: RunFolder) -> None:
        pass

    def conclude(self, sweep: str, found: Findings) -> None:
        pass


class Mlflow:
    """An MLflow store or server: one experiment per task, a parent run per sweep."""

    def __init__(self, uri: str) -> None:
        self.uri = uri

    def mirror(self, folder: RunFolder) -> None:
        manifest = folder.manifest()
        with self._client() as client:
            experiment = self._experiment(client, manifest["task"])
            state = (folder.path / COMPLETE).read_text()
            found = _search(client, experiment, "harness.run", manifest["run"])
            if any(run.data.tags.get("harness.complete") == shortened(state) for run in found):
                return
            for run in found:  # an earlier state of this run, or a mirroring that broke off
                client.delete_run(run.info.run_id)
            began, _ = times(folder)
            parent = self._parent(client, experiment, manifest["sweep"], manifest["task"], began)
            run_id = log_run(client, experiment, parent, folder, manifest)
            client.set_tag(run_id, "harness.complete", shortened(state))

    def conclude(self, sweep: str, found: Findings) -> None:
        from harness.analysis.export import as_json, record
        from harness.report.figures import ladder_chart, save
        from harness.report.markdown import GAP, fitting, markdown
        from harness.report.page import page
        from harness.report.pareto_figure import pareto_chart

        task = found.manifest["task"]
        with self._client() as client, tempfile.TemporaryDirectory() as scratch:
            experiment = self._experiment(client, task)
            parent = self._parent(client, experiment, sweep, task, began=None)
            client.set_terminated(parent, end_time=max(times(run.folder)[1] for run in found.runs))
            # Numbered as the ladder is, so that the UI sorts them; the same in every sweep.
            names = [f"ladder/{r.manifest['place']:02d} {r.key}" for r in found.rungs]
            values = [rung.primary.value for rung in found.rungs]
            log_batch(client, parent, [(k, v, 0, 0) for k, v in zip(names, values, strict=True)])
            table = pd.DataFrame([_summary(rung) for rung in found.rungs])
            client.log_text(parent, table.to_json(orient="split"), "ladder.json")
            client.log_text(parent, as_json(record(found)), "findings.json")
            parts = markdown(found)
            client.log_text(parent, GAP.join(parts), "ladder.md")
            note = fitting(parts, LONGEST_NOTE, "The rest is in the artifact ladder.md.")
            client.set_tag(parent, NOTE, note)
            client.log_text(parent, page(found), "report.html")
            if found.rungs:
                save(ladder_chart(found.rungs), Path(scratch) / "ladder.png")
                client.log_artifact(parent, str(Path(scratch) / "ladder.png"))
            if (pareto := pareto_chart(found)) is not None:
                save(pareto, Path(scratch) / "pareto.png")
                client.log_artifact(parent, str(Path(scratch) / "pareto.png"))

    @contextmanager
    def _client(self) -> Iterator[MlflowClient]:
        """A client, one process at a time: a fresh SQLite store does not survive a race."""
        # A server that is down should be noticed in seconds, not after minutes of retries.
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
        from mlflow import MlflowClient
        from mlflow.exceptions import MlflowException
        from sqlalchemy.exc import SQLAlchemyError

        for chatty in ("alembic", "mlflow"):
            logging.getLogger(chatty).setLevel(logging.WARNING)
        # It writes a traceback of each error that it raises as well.
        logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)
        lock = FileLock(Path(tempfile.gettempdir()) / f"harness-{shortened(self.uri)}.lock")
        try:
            with lock:
                _make_whole(self.uri)
                yield MlflowClient(tracking_uri=self.uri)
        except (MlflowException, SQLAlchemyError, OSError) as error:
            reason = first_line(error)[:200]
            raise TrackingError(
                f"tracking at {self.uri} failed ({reason}); start the server, fix tracking.uri, "
                "or say tracking=none"
            ) from error

    def _experiment(self, client: MlflowClient, name: str) -> str:
        found = client.get_experiment_by_name(name)
        if found is not None:
            return str(found.experiment_id)
        match = re.match(r"sqlite:///(/.*)", self.uri)
        # SQLite's default would be ./mlruns, wherever that happens to be.
        where = (Path(match[1]).parent / "mlartifacts" / name).as_uri() if match else None
        return str(client.create_experiment(name, artifact_location=where))

    def _parent(
        self, client: MlflowClient, experiment: str, sweep: str, task: str, began: int | None
    ) -> str:
        found = _search(client, experiment, "harness.sweep", sweep, parents=True)
        if found:
            return str(found[0].info.run_id)
        tags = {"harness.sweep": sweep, "harness.kind": "sweep", "task": task}
        run = client.create_run(experiment, began, tags, run_name=f"sweep {sweep}")
        client.set_terminated(run.info.run_id)
        return str(run.info.run_id)


def _make_whole(uri: str) -> None:
    """Make a SQLite store that is not there, whole or not at all: with one whose tables were half
    made when its process was killed MLflow never goes on."""
    from mlflow import MlflowClient

    match = re.fullmatch(r"sqlite:///([^?]+)", uri)
    path = Path(match[1] if match else "")
    if match is None or path.exists():
        return
    for left in path.parent.glob(f"{path.name}.*{PART}*"):
        left.unlink()
    scratch = path.with_name(f"{path.name}.{os.getpid()}{PART}")
    MlflowClient(tracking_uri=f"sqlite:///{scratch}").search_experiments(max_results=1)
    make_durable(scratch)
    scratch.replace(path)


def _summary(rung: RungResult) -> dict[str, Any]:
    """One rung as a row: every metric but those of single fields, and what a question took."""
    known = {name: rung.metric(name) for name in rung.metrics if not name.startswith("field/")}
    counts = ("prompt_tokens", "completion_tokens", "seconds")
    return {
        "rung": rung.label,
        "n": rung.manifest["n"],
        "seeds": seeds(rung),
        **{name: value.value for name, value in known.items() if value},
        "low": rung.primary.low,
        "high": rung.primary.high,
        **{count: _mean(run.per_question(count) for run in rung.runs) for count in counts},
    }


def _mean(values: Iterable[float | None]) -> float | None:
    """None if one is not known."""
    found = list(values)
    return None if None in found else fmean(value or 0.0 for value in found)


def _search(
    client: MlflowClient, experiment: str, tag: str, value: str, *, parents: bool = False
) -> list[Any]:
    kind = "sweep" if parents else "run"
    query = f"tags.`{tag}` = '{value}' and tags.`harness.kind` = '{kind}'"
    return list(client.search_runs([experiment], query))


def main(arguments: list[str] | None = None) -> int:
    """Mirror all complete runs below a folder; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m harness.report.mlflow",
        description="Mirror the complete runs of a results folder to MLflow, without duplicates.",
    )
    parser.add_argument("results", help="a results folder, or a folder of one run")
    parser.add_argument("--uri", default=DEFAULT_URI, help="tracking URI (default: %(default)s)")
    options = parser.parse_args(arguments)
    tracking = Mlflow(options.uri)
    from harness.analysis.findings import findings
    from harness.analysis.runs import read_ladders

    try:
        folders = find_runs(options.results)
        for folder in folders:
            tracking.mirror(folder)
        for ladder in read_ladders(folders):
            for sweep in dict.fromkeys(run.manifest["sweep"] for run in ladder.runs):
                ours = [run for run in ladder.runs if run.manifest["sweep"] == sweep]
                tracking.conclude(sweep, findings(replace(ladder, runs=ours)))
    except HarnessError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"mirrored {len(folders)} runs to {options.uri}")
    return 0


if __name__ == "__main__":
    command(main)
