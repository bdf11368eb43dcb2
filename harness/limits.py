"""Limits on what other people's templates and schemas may take: time and memory."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NoReturn

__all__ = ["SECONDS", "LimitError", "limited"]

SECONDS = 5.0
"""Of the processor, for checking or writing one value of a schema."""
AGAIN = 0.1
"""Seconds after which a limit that was passed over strikes again."""


class LimitError(Exception):
    """Something took longer than it may."""


@contextmanager
def limited(seconds: float, megabytes: int | None = None) -> Iterator[None]:
    """Python code under limits: LimitError after so many seconds of the processor, MemoryError for
    so many megabytes more than there are now.

    Seconds are the processor's, so that a busy or a sleeping machine breaks no limit. A signal
    ends the code: that needs the main thread, and not Windows; elsewhere there is no limit.
    Memory is limited on Linux alone.
    """
    if threading.current_thread() is not threading.main_thread() or sys.platform == "win32":
        yield
        return
    before = signal.signal(signal.SIGPROF, _stop)
    signal.setitimer(signal.ITIMER_PROF, seconds, AGAIN)
    try:
        with _memory(megabytes):
            yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def _stop(number: int, frame: FrameType | None) -> NoReturn:
    raise LimitError


@contextmanager
def _memory(megabytes: int | None) -> Iterator[None]:
    """So many megabytes of address space more than now."""
    if megabytes is None or sys.platform != "linux":
        yield
        return
    import resource

    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + megabytes * 2**20
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    # A limit that the user has set stays, if it is the lower one.
    if soft != resource.RLIM_INFINITY:
        most = min(most, soft)
    resource.setrlimit(resource.RLIMIT_AS, (most, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
