"""A search of the corpus by words."""

from __future__ import annotations

import hashlib
import json
import re
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

from harness.errors import ConfigError, first_line
from harness.tool import Opened, Tool, ToolError
from harness.toolbox.sqlite import limited
from harness.values import AtLeastOne, settings

__all__ = ["Search"]


@settings("task.tools")
class Search(Tool):
    """The k passages whose words fit a query best, by BM25 over SQLite's full-text index (FTS5)
    with Porter's stemmer.

    >>> find = Search("The handbook.", k=1).opened(["[A] Tents\\nPoles bend.", "[B] Boots"])
    >>> find({"query": "bent pole of a tent"}, 1.0)
    '[A] Tents\\nPoles bend.'
    """

    description: str
    k: AtLeastOne = 1
    longest: AtLeastOne = 80
    """Characters of a query."""

    @property
    def parameters(self) -> Mapping[str, Any]:  # type: ignore[override]
        query = {"type": "string", "minLength": 1, "maxLength": self.longest}
        return {
            "type": "object",
            "properties": {"query": query},
            "required": ["query"],
            "additionalProperties": False,
        }

    @property
    def fingerprint(self) -> str:
        about = ["search", self.description, self.k, self.longest]
        return hashlib.sha256(json.dumps(about).encode()).hexdigest()

    def opened(self, passages: Sequence[str]) -> Opened:
        """Raises ConfigError without a corpus, or where SQLite was built without FTS5."""
        if not passages:
            raise ConfigError("task.tools: a search needs a corpus; add corpus.jsonl")
        index = sqlite3.connect(":memory:", check_same_thread=False)
        try:
            index.execute("CREATE VIRTUAL TABLE p USING fts5(text, tokenize='porter unicode61')")
        except sqlite3.Error as error:
            raise ConfigError(
                f"task.tools: a search needs SQLite with FTS5 ({first_line(error)})"
            ) from error
        index.executemany("INSERT INTO p VALUES (?)", ((text,) for text in passages))

        def find(arguments: Mapping[str, Any], seconds: float) -> str:
            words = dict.fromkeys(re.findall(r"\w+", arguments["query"].casefold()))
            if not words:
                raise ToolError("the query has no words")
            any_of = " OR ".join(f'"{word}"' for word in words)
            ranked = "SELECT text FROM p WHERE p MATCH ? ORDER BY bm25(p), rowid LIMIT ?"
            with limited(index, seconds):
                rows = index.execute(ranked, (any_of, self.k)).fetchall()
            return "\n\n".join(text for (text,) in rows) or "nothing found"

        return find
