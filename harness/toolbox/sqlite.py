"""SQLite under a time limit."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager

from harness.errors import first_line
from harness.tool import ToolError

__all__ = ["limited"]

STEPS = 1000
"""Instructions of SQLite's virtual machine between two looks at the clock."""


@contextmanager
def limited(connection: sqlite3.Connection, seconds: float) -> Iterator[None]:
    """What is executed inside is stopped after so many seconds. Raises ToolError for that, and for
    whatever SQLite refuses, such as an integer of more than 64 bits."""
    until = time.monotonic() + seconds
    connection.set_progress_handler(lambda: time.monotonic() > until, STEPS)
    try:
        yield
    except (sqlite3.Error, OverflowError, UnicodeError) as error:
        late = time.monotonic() > until
        said = f"it took longer than {seconds:g} s" if late else first_line(error)
        raise ToolError(said) from error
    finally:
        connection.set_progress_handler(None, 0)
