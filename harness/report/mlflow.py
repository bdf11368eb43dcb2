"""MLflow, as a mirror of results/: whatever it loses can be made again from disk.

`python -m harness.report.mlflow RESULTS` mirrors every complete run below a folder; runs that
are there already are left alone. This file and mlflow_run.py are all that import mlflow.
"""

from __future__ import annotations

import argparse
import logging
import os
import shlex
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from filelock import FileLock

from harness.command import command
from harness.errors import ConfigError, HarnessError, TrackingError, first_line
from harness.files import PART, make_durable
from harness.inert import say, tell
from harness.record.results import COMPLETE, RunFolder, find_runs
from harness.report.mlflow_ladder import Ladder
from harness.report.mlflow_run import NOTE, PARENT, Run, log_batch, shortened
from harness.report.patience import Patience, Watched
from harness.secrets import redact
from harness.values import Positive, folder_name, settings

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from harness.analysis.findings import Findings

__all__ = ["Mlflow", "NoTracking", "Tracking", "main"]

DEFAULT_URI = f"sqlite:///{Path.cwd()}/mlflow.db"
LONGEST_REASON = 200
QUEUE = 120
"""Seconds to wait for other processes that mirror to the same store."""
ENVIRONMENT = {
    # A request without an answer may have been carried out: sent again, it makes a second run.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
"""What MLflow's client is told where the user has not."""


class Tracking(Protocol):
    """Where runs are mirrored."""

    def mirror(self, folder: RunFolder) -> None:
        """Show a complete run. Raises TrackingError; the run on disk is safe either way."""

    def conclude(self, sweep: str, found: Findings) -> None:
        """Show the ladder on the sweep's parent run. Raises TrackingError."""

    def command(self, results: Path) -> str:
        """What to type to mirror a results folder later."""


class NoTracking:
    """Runs are mirrored to no store."""

    def mirror(self, folder: RunFolder) -> None:
        pass

    def conclude(self, sweep: str, found: Findings) -> None:
        pass

    def command(self, results: Path) -> str:
        return _command(results)


@settings("tracking")
class Mlflow:
    """An MLflow store or server: one experiment per task, a parent run per sweep."""

    uri: str
    patience: Positive | None = None
    """Seconds that all runs together may lose to a store that stalls or fails; None waits."""

    def __post_init__(self) -> None:
        if not self.uri.strip():
            raise ConfigError(
                f"tracking.uri={self.uri!r}: must be a tracking URI, such as "
                "sqlite:////tmp/mlflow.db; or say tracking=none"
            )

    def mirror(self, folder: RunFolder) -> None:
        with self._failing():
            self._patience.check()
        shown, state = Run.of(folder), shortened((folder.path / COMPLETE).read_text())
        with self._failing():
            self._patience.within(lambda: self._mirror(shown, state))

    def conclude(self, sweep: str, found: Findings) -> None:
        with self._failing():
            self._patience.check()
        with tempfile.TemporaryDirectory() as scratch:
            shown = Ladder.of(found, Path(scratch))
            with self._failing():
                self._patience.within(lambda: self._conclude(sweep, shown))

    def command(self, results: Path) -> str:
        return f"{_command(results)} --uri {shlex.quote(redact(self.uri))}"

    def _mirror(self, shown: Run, state: str) -> None:
        """`state` tells a run that was done again from the one that was mirrored."""
        with self._client() as client:
            experiment = self._experiment(client, shown.task)
            found = _search(client, experiment, "harness.run", shown.id)
            whole = [run for run in found if run.data.tags.get("harness.complete") == state]
            for run in found:  # an earlier state of this run, or a mirroring that broke off
                if run not in whole[:1]:
                    client.delete_run(run.info.run_id)
            if whole:
                return
            parent = self._parent(client, experiment, shown.sweep, shown.task, shown.began)
            run_id = shown.send(client, experiment, parent)
            client.set_tag(run_id, "harness.complete", state)

    def _conclude(self, sweep: str, shown: Ladder) -> None:
        with self._client() as client:
            experiment = self._experiment(client, shown.task)
            parent = self._parent(client, experiment, sweep, shown.task, began=None)
            for run in _search(client, experiment, "harness.sweep", sweep):
                if run.data.tags.get(PARENT) != parent:
                    client.set_tag(run.info.run_id, PARENT, parent)
            client.set_terminated(parent, end_time=shown.ended)
            log_batch(client, parent, [(name, value, 0, 0) for name, value in shown.values])
            for name, text in shown.texts.items():
                client.log_text(parent, text, name)
            client.set_tag(parent, NOTE, shown.note)
            for picture in shown.pictures:
                client.log_artifact(parent, str(picture))

    @cached_property
    def _patience(self) -> Patience:
        return Patience(self.patience)

    @contextmanager
    def _failing(self) -> Iterator[None]:
        """Whatever goes wrong with the store is a TrackingError: a run is not lost by it."""
        try:
            yield
        except HarnessError:
            raise
        except Exception as error:  # a server may answer anything
            shown = redact(self.uri)
            reason = f"{type(error).__name__}: {first_line(error)}".replace(self.uri, shown)
            if len(reason) > LONGEST_REASON:  # what was asked stands first, why it failed last
                reason = f"{reason[:80]} … {reason[83 - LONGEST_REASON :]}"
            raise TrackingError(
                f"tracking at {shown} failed ({reason}); start the server, fix tracking.uri, or "
                "say tracking=none"
            ) from error

    @contextmanager
    def _client(self) -> Iterator[MlflowClient]:
        """A client, one process at a time: a fresh SQLite store does not survive a race."""
        for name, value in ENVIRONMENT.items():
            os.environ.setdefault(name, value)
        from mlflow import MlflowClient

        for chatty in ("alembic", "mlflow"):  # of each attempt that failed, a page
            logging.getLogger(chatty).setLevel(logging.ERROR)
        # It writes a traceback of each error that it raises as well.
        logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)
        # A lock of one's own: another user's could not be opened.
        name = f"harness-{getattr(os, 'getuid', int)()}-{shortened(self.uri)}.lock"
        with FileLock(Path(tempfile.gettempdir()) / name, timeout=QUEUE):
            with self._patience.call():
                _check_file(self.uri)
                _make_whole(self.uri)
                client = MlflowClient(tracking_uri=self.uri)
            yield cast("MlflowClient", Watched(client, self._patience))

    def _experiment(self, client: MlflowClient, name: str) -> str:
        try:
            folder_name(name)  # results may come from somebody else
        except ValueError as error:
            raise TrackingError(f"task {name}: {error}") from error
        found = client.get_experiment_by_name(name)
        if found is not None:
            return str(found.experiment_id)
        file = _file(self.uri)
        # SQLite's default would be ./mlruns, wherever that happens to be.
        where = (file.resolve().parent / "mlartifacts" / name).as_uri() if file else None
        return str(client.create_experiment(name, artifact_location=where))

    def _parent(
        self, client: MlflowClient, experiment: str, sweep: str, task: str, began: int | None
    ) -> str:
        found = _search(client, experiment, "harness.sweep", sweep, parents=True)
        if found:
            kept, *doubled = sorted(str(run.info.run_id) for run in found)
            for run_id in doubled:  # made by a request that seemed to have failed
                client.delete_run(run_id)
            return kept
        tags = {"harness.sweep": sweep, "harness.kind": "sweep", "task": task}
        run = client.create_run(experiment, began, tags, run_name=f"sweep {sweep}")
        client.set_terminated(run.info.run_id)
        return str(run.info.run_id)


def _make_whole(uri: str) -> None:
    """Make a SQLite store that is not there, whole or not at all: with one whose tables were half
    made when its process was killed MLflow never goes on."""
    from mlflow import MlflowClient

    path = _file(uri)
    if path is None or path.exists():
        return
    for left in path.parent.glob(f"{path.name}.*{PART}*"):
        left.unlink()
    scratch = path.with_name(f"{path.name}.{os.getpid()}{PART}")
    MlflowClient(tracking_uri=f"sqlite:///{scratch}").search_experiments(max_results=1)
    make_durable(scratch)
    scratch.replace(path)


def _command(results: Path) -> str:
    return f"python -m harness.report.mlflow {shlex.quote(str(results))}"


def _file(uri: str) -> Path | None:
    """The file of an SQLite store; None for another store."""
    file = uri.removeprefix("sqlite:///").partition("?")[0]
    return Path(file) if uri.startswith("sqlite:///") and file else None


def _check_file(uri: str) -> None:
    """Raise sqlite3.Error or OSError at once for a file that is no store to write to: MLflow would
    try again for minutes. No file is made."""
    file = _file(uri)
    if file is None:
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    if not file.exists():
        tempfile.TemporaryFile(dir=file.parent).close()
        return
    with closing(sqlite3.connect(file)) as database:
        database.execute("BEGIN IMMEDIATE")
        database.rollback()


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
    from harness.analysis.findings import findings
    from harness.analysis.runs import read_ladders

    try:
        tracking = Mlflow(options.uri)
        folders = find_runs(options.results)
        for folder in folders:
            tracking.mirror(folder)
        for ladder in read_ladders(folders):
            for sweep in dict.fromkeys(run.manifest["sweep"] for run in ladder.runs):
                ours = [run for run in ladder.runs if run.manifest["sweep"] == sweep]
                tracking.conclude(sweep, findings(replace(ladder, runs=ours)))
    except HarnessError as error:
        say(f"error: {error}")
        return 2
    tell(f"mirrored {len(folders)} runs to {options.uri}")
    return 0


if __name__ == "__main__":
    command(main)
