"""A query of an SQLite database, with named parameters; nothing can be written."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote

from harness.errors import TaskError, first_line
from harness.files import file_sha256
from harness.home import located, places
from harness.tool import Opened, Tool, ToolError, check_parameters
from harness.toolbox.sqlite import limited
from harness.values import settings

__all__ = ["Sql"]

ROWS = 20
"""Of a result at most."""
SECONDS = 10.0
"""For the statements that make a database."""
PAGES = 65_536
"""Of a database in memory: 256 MB."""
LONGEST = 10_000_000
"""Bytes of a cell: making a longer one is a single step, which no limit of time would end."""
HARMLESS = {"foreign_keys", "encoding", "user_version"}
"""Pragmas of a text of SQL statements; others reach into files and limits."""
READING = {
    sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE,
}  # fmt: skip


@settings("task.tools")
class Sql(Tool):
    """A read-only query, written by the task's author; the model fills its parameters.

    Of several rows the first 20 are told, as JSON.
    """

    description: str
    database: str
    """A SQLite file, or a text of SQL statements (`.sql`) from which one is made in memory."""
    query: str
    """One SELECT with `:name` for each parameter; one that the model leaves out is NULL."""
    parameters: Mapping[str, Any]

    def __post_init__(self) -> None:
        check_parameters(self.parameters)
        if not self._path.is_file():
            raise TaskError(
                f"task.tools: no database {self.database} (looked for {places(self.database)}); "
                "fix its path"
            )
        for ending in ("-wal", "-journal"):
            beside = self._path.with_name(self._path.name + ending)
            if beside.is_file() and beside.stat().st_size:
                # What stands there belongs to the answers and is no part of the file.
                raise TaskError(
                    f"{beside}: the database has changes that are not in its file yet; close "
                    "whatever writes to it, or run PRAGMA wal_checkpoint(TRUNCATE)"
                )
        try:
            self._connection.execute(f"EXPLAIN {self.query}", self._values({}))
        except sqlite3.Error as error:
            raise TaskError(
                f"{self._path}: {first_line(error)}; fix the query {self.query!r}, which must be "
                "one SELECT, or the database"
            ) from error

    @property
    def fingerprint(self) -> str:
        content = file_sha256(self._path)
        about = ["sql", self.description, content, self.query, dict(self.parameters)]
        return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()

    def opened(self, passages: Sequence[str]) -> Opened:
        return self._find

    def texts(self) -> Iterator[tuple[str, str]]:
        """The words of each row of each table. Raises TaskError for what cannot be read."""
        try:
            tables = self._connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            for (table,) in tables.fetchall():
                name = table.replace('"', '""')
                for n, row in enumerate(self._connection.execute(f'SELECT * FROM "{name}"'), 1):
                    words = " ".join(str(cell) for cell in row if isinstance(cell, str))
                    if words:
                        yield f"{self._path} {table}:{n}", words
        except sqlite3.Error as error:
            raise TaskError(
                f"{self._path}: cannot be read ({first_line(error)}); fix it"
            ) from error

    @property
    def _path(self) -> Path:
        return Path(located(self.database))

    @cached_property
    def _connection(self) -> sqlite3.Connection:
        """Raises TaskError for what is no database."""
        path = self._path
        try:
            if path.suffix == ".sql":
                made = sqlite3.connect(":memory:", check_same_thread=False)
                made.execute(f"PRAGMA max_page_count = {PAGES}")
                made.set_authorizer(_makes)
                with limited(made, SECONDS):
                    made.executescript(path.read_text(encoding="utf-8"))
            else:
                place = f"file:{quote(str(path.resolve()))}?mode=ro"
                made = sqlite3.connect(place, uri=True, check_same_thread=False)
                made.execute("SELECT name FROM sqlite_master").fetchall()
        except (sqlite3.Error, UnicodeDecodeError, ToolError) as error:
            raise TaskError(f"{path}: is no database ({first_line(error)}); fix it") from error
        made.set_authorizer(_reads)
        made.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LONGEST)
        return made

    def _values(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        return dict.fromkeys(self.parameters["properties"]) | dict(arguments)

    def _find(self, arguments: Mapping[str, Any], seconds: float) -> str:
        with limited(self._connection, seconds):
            found = self._connection.execute(self.query, self._values(arguments))
            names = [column[0] for column in found.description]
            rows = [dict(zip(names, row, strict=True)) for row in found.fetchmany(ROWS)]
        if not rows:
            return "nothing found"
        return json.dumps(
            rows[0] if len(rows) == 1 else rows,
            ensure_ascii=False, separators=(",", ":"), default=str,
        )  # fmt: skip


def _reads(action: int, *_: str | None) -> int:
    """What a query may do."""
    return sqlite3.SQLITE_OK if action in READING else sqlite3.SQLITE_DENY


def _makes(action: int, first: str | None, *_: str | None) -> int:
    """What the statements that make a database may do: all but reach other files."""
    outside = action in (sqlite3.SQLITE_ATTACH, sqlite3.SQLITE_DETACH) or (
        action == sqlite3.SQLITE_PRAGMA and (first or "").lower() not in HARMLESS
    )
    return sqlite3.SQLITE_DENY if outside else sqlite3.SQLITE_OK
