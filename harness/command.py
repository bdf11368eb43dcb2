"""How every command line of harness ends when it is stopped, or when there is no room."""

from __future__ import annotations

import errno
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from io import TextIOWrapper
from pathlib import Path
from types import FrameType
from typing import NoReturn

from harness.errors import visible
from harness.memory import no_memory

__all__ = ["command", "no_room"]

GRACE = 1.5
"""Seconds that a stopped command has to end by itself: it may be inside a long computation."""
SIGNALS = (signal.SIGINT, signal.SIGTERM)
NO_ROOM = {
    errno.ENOSPC: "make room there",
    errno.EDQUOT: "make room there",
    errno.EROFS: "choose a folder that can be written, such as results=FOLDER",
    errno.EACCES: "change its permissions, or choose another folder",
    errno.EPERM: "change its permissions, or choose another folder",
}
"""What helps against an error of the operating system that is not ours."""


class Stopped(KeyboardInterrupt):
    """A signal asked the process to end."""


def command(main: Callable[[], int | None]) -> NoReturn:
    """Run the main function of a command line, and exit.

    A first SIGINT or SIGTERM ends it within two seconds in one line, with 130 or 143; a second one
    kills. A disk that is full or must not be written is one line, with 2, and so is memory that ran
    out. What a terminal cannot write is written as Python escapes it.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    _listen()
    try:
        code = main()
    except Stopped as stopped:
        _leave(stopped.args[0])
    except Exception as error:
        said = no_memory(error) or (no_room(error) if isinstance(error, OSError) else None)
        if said is None:
            raise
        print(f"error: {visible(said)}", file=sys.stderr)
        code = 2
    sys.exit(code)


def no_room(error: OSError) -> str | None:
    """What to do about a file that cannot be written, in one line; None for other errors."""
    help_ = NO_ROOM.get(error.errno or 0)
    if help_ is None:
        return None
    place = visible(str(error.filename or Path.cwd()))
    return f"{place}: {error.strerror}; {help_}; then the same command goes on where it stopped"


def _listen() -> None:
    """Let signals end this process."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    # Written by the C library's handler at once, while Python's own waits for the computation.
    signal.set_wakeup_fd(ours.fileno(), warn_on_full_buffer=False)
    for number in SIGNALS:
        signal.signal(number, _raise)
    threading.Thread(target=_watch, args=(ours, theirs), daemon=True).start()


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
