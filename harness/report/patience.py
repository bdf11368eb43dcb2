"""How long a sweep waits for a tracking store that stalls or fails: bounded, over all its runs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["Patience", "Watched"]

QUICK = 2.0
"""Seconds: a call that takes no longer is work, of which a long run has much."""
LOOK = 0.05
"""Seconds between two looks at a call that is under way."""


class Patience:
    """Seconds that may be lost to one store: in calls that are not quick, and in attempts that
    fail. What an attempt took that came to its end is not lost.

    None waits for ever.
    """

    def __init__(self, seconds: float | None) -> None:
        self.left = seconds

    def check(self) -> None:
        """Raise TimeoutError if it has run out."""
        if self.left is not None and self.left < QUICK:
            raise TimeoutError("given up: it has cost too much time")

    def within(self, action: Callable[[], None]) -> None:
        """Do it, and leave it behind when patience has run out: it then ends before its next call
        of the store. Raises TimeoutError for that, and whatever the action raises."""
        self.check()
        if self.left is None:
            action()
            return
        began = time.monotonic()
        try:
            _Attempt(action, self.left).wait()
        except Exception:
            self.left -= time.monotonic() - began
            raise

    @contextmanager
    def call(self) -> Iterator[None]:
        """Around each call of the store. Raises TimeoutError if the attempt was left behind."""
        attempt = threading.current_thread()
        if not isinstance(attempt, _Attempt):
            yield
            return
        attempt.begin_call()
        try:
            yield
        finally:
            attempt.end_call()


class Watched:
    """A client whose every method is a call in the sense of `Patience.call`."""

    def __init__(self, client: object, patience: Patience) -> None:
        self._client, self._patience = client, patience

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, name)

        def called(*arguments: Any, **named: Any) -> Any:
            with self._patience.call():
                return method(*arguments, **named)

        return called


class _Attempt(threading.Thread):
    """One action, in a thread that its caller need not wait for."""

    def __init__(self, action: Callable[[], None], seconds: float) -> None:
        super().__init__(daemon=True)
        self.action = action
        self.seconds = seconds
        self.waited = 0.0
        """Seconds, in calls that have come to their end."""
        self.since: float | None = None
        """When the call under way began."""
        self.left_behind = False
        self.done = threading.Event()
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            self.action()
        except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
            self.error = error
        self.done.set()

    def wait(self) -> None:
        self.start()
        while not self.done.wait(LOOK):
            if self.waited + _waiting(self.since) >= self.seconds:
                self.left_behind = True
                raise TimeoutError(f"its calls took {self.seconds:.0f} seconds")
        if self.error:
            raise self.error

    def begin_call(self) -> None:
        if self.left_behind:
            raise TimeoutError("left behind")
        self.since = time.monotonic()

    def end_call(self) -> None:
        self.waited += _waiting(self.since)
        self.since = None


def _waiting(since: float | None) -> float:
    """Seconds since then, if that is more than a quick call takes."""
    took = 0.0 if since is None else time.monotonic() - since
    return took if took > QUICK else 0.0
