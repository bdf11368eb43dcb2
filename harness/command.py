"""How every command line of harness ends when it is stopped, or when there is no room."""

from __future__ import annotations

import atexit
import errno
import logging
import os
import signal
import socket
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable
from functools import cache
from io import TextIOWrapper
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, NoReturn

from harness.files import UNWRITABLE, free_bytes
from harness.inert import clean, say, visible
from harness.memory import no_memory

__all__ = ["command", "listen", "no_room"]

GRACE = 1.5
"""Seconds that a stopped command has to end by itself: it may be inside a long computation."""
SIGNALS = (signal.SIGINT, signal.SIGTERM)
FULL = (errno.ENOSPC, errno.EDQUOT)


class Stopped(KeyboardInterrupt):
    """A signal asked the process to end."""


def command(main: Callable[[], int | None]) -> NoReturn:
    """Run the main function of a command line, and exit.

    A first SIGINT or SIGTERM ends it within two seconds in one line, with 130 or 143; a second one
    kills. A disk that is full or must not be written is one line, with 2, and so is memory that ran
    out. Tracebacks, warnings and logs of libraries have no secrets in them, and nothing that a
    terminal would obey; what it cannot write is written as Python escapes it.
    """
    listen()
    for number in SIGNALS:
        signal.signal(number, _raise)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    _clean_what_others_say()
    try:
        code = main()
    except Stopped as stopped:
        _leave(stopped.args[0])
    except BaseException as error:  # a panic of a library in Rust is no Exception
        said = no_memory(error) or (no_room(error) if isinstance(error, OSError) else None)
        if said is None:
            raise
        say(f"error: {said}")
        code = 2
    _leave_when_stopped()
    _end(code or 0)


def no_room(error: OSError) -> str | None:
    """What to do about a file that cannot be written, in one line; None for other errors."""
    help_ = UNWRITABLE.get(error.errno or 0)
    if help_ is None:
        return None
    path = Path(os.fsdecode(error.filename) if error.filename else Path.cwd())
    free = f" ({free_bytes(path):,} bytes free)" if error.errno in FULL else ""
    return (
        f"{visible(str(path))}: {error.strerror}; {help_}{free}; "
        "then the same command goes on where it stopped"
    )


def _clean_what_others_say() -> None:
    """Of this process, which is all ours: tracebacks, Python's warnings, records of loggers."""
    warn, record_of = warnings.formatwarning, logging.getLogRecordFactory()

    def trace(
        kind: type[BaseException], error: BaseException, frames: TracebackType | None
    ) -> None:
        sys.stderr.write(clean("".join(traceback.format_exception(error)), lines=True))

    def warned(*args: Any, **named: Any) -> str:
        return clean(warn(*args, **named), lines=True)

    def record(*args: Any, **named: Any) -> logging.LogRecord:
        made = record_of(*args, **named)
        made.msg, made.args = clean(made.getMessage(), lines=True), ()
        return made

    sys.excepthook, warnings.formatwarning = trace, warned
    logging.setLogRecordFactory(record)


@cache
def listen() -> None:
    """Let signals end this process as `command` says already while it imports."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    # Written by the C library's handler at once, while Python's own waits for the computation.
    signal.set_wakeup_fd(ours.fileno(), warn_on_full_buffer=False)
    _leave_when_stopped()
    threading.Thread(target=_watch, args=(ours, theirs), daemon=True).start()


def _leave_when_stopped() -> None:
    for number in SIGNALS:
        signal.signal(number, lambda number, frame: _leave(number))


def _end(code: int) -> NoReturn:
    """What the interpreter does at its end, but for taking itself to pieces: that takes up to three
    seconds here, in which a signal kills without a word."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:  # nobody reads it any more, or its disk is full
            code = code or 120  # as Python says it
    os._exit(code)


def _raise(number: int, frame: FrameType | None) -> NoReturn:
    for each in SIGNALS:
        signal.signal(each, signal.SIG_DFL)
    raise Stopped(number)


def _watch(ours: socket.socket, theirs: socket.socket) -> None:
    """Leave when a signal has come and the main thread has not left. `ours` is kept open."""
    while (number := theirs.recv(1)[0]) not in SIGNALS:
        pass
    time.sleep(GRACE)
    _leave(number)


def _leave(number: int) -> NoReturn:
    """Nothing is lost by going at once: whatever is kept was written when it was made."""
    print(
        "stopped; nothing is lost: the same command goes on where it stopped",
        file=sys.stderr,
        flush=True,
    )
    sys.stdout.flush()
    os._exit(128 + number)
