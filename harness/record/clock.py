"""Wall seconds of a run, across interruptions."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType

from harness.errors import ResultsError
from harness.files import write_whole
from harness.inert import say
from harness.record import file_types

__all__ = ["Clock"]

LOST = "the seconds before are not counted"
PERIOD = 1.0
"""Seconds between two notes: what a killed process loses at most."""


class Clock:
    """Seconds spent in each phase and in all, kept in a file while they pass."""

    def __init__(self, path: Path) -> None:
        """Goes on from what an interrupted process left in `path`."""
        self.path = path
        self.phases: dict[str, float] = {}
        self.total = 0.0
        if path.exists():
            try:
                kept = file_types.value_of(
                    file_types.bytes_of(path, LOST), str(path), file_types.TIMES, LOST
                )
                self.phases, self.total = kept["phases"], kept["total"]
            except ResultsError as error:  # a loss of power may cut it short
                say(f"warning: {error}")
        self._phase: str | None = None
        self._since = time.perf_counter()
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Count what passes in this block as a phase; phases do not nest."""
        self._note()
        self._phase = name
        try:
            yield
        finally:
            self._note()
            self._phase = None

    def __enter__(self) -> Clock:
        self._since = time.perf_counter()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join()
        self._note()
        self._keep()

    def forget(self) -> None:
        """Take the file away: the run is finished."""
        self.path.unlink(missing_ok=True)

    def _watch(self) -> None:
        while not self._over.wait(PERIOD):
            self._note()
            self._keep()

    def _note(self) -> None:
        """Add what has passed since the last note."""
        with self._lock:
            now = time.perf_counter()
            passed, self._since = now - self._since, now
            self.total += passed
            if self._phase:
                self.phases[self._phase] = self.phases.get(self._phase, 0.0) + passed

    def _keep(self) -> None:
        kept = {"phases": self.phases, "total": self.total}
        with suppress(OSError):  # whatever hinders it hinders answers too, and is told of them
            write_whole(self.path, json.dumps(kept), durable=False)
