"""Passages, and the ids by which rows name them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any

from harness.errors import TaskError
from harness.progress import watched
from harness.sources import Row, is_there, read_file
from harness.task import Example, Passage

__all__ = ["check_sources", "name_of", "read_corpus", "sources_of"]

INVISIBLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
"""Of an id, which people compare by eye. A group may be a whole text."""
CLOSE = 0.8
"""Similarity from which a column's name is a slip: `titel` and `Title` are, `subtitle` is none."""


def read_corpus(path: Path) -> tuple[Passage, ...]:
    """The passages of a file, each id once; none if there is no such file. Raises TaskError."""
    if not is_there(path):
        return ()
    passages: dict[str, Passage] = {}
    for row in watched(read_file(path), f"reading {path.name}"):
        passage = _passage(row)
        if passage.id in passages:
            first = passages[passage.id].where
            raise TaskError(f"{row.where}: id '{passage.id}' stands at {first} too; rename one")
        passages[passage.id] = passage
    return tuple(passages.values())


def _passage(row: Row) -> Passage:
    """Other columns than id, title and text may stand there. Raises TaskError."""
    identity, text = name_of(row.values, "id", row.where), row.values.get("text")
    for name, value in (("id", identity), ("text", text)):
        if not isinstance(value, str) or not value.strip():
            raise TaskError(f"{row.where}: a passage needs '{name}' as text; add it")
    title = row.values.get("title")
    if not isinstance(title, str | None):
        raise TaskError(f"{row.where}: title is {title!r:.60}; it must be text")
    if "title" not in row.values:
        for column in row.values:
            if _is_a_slip(column):
                raise TaskError(
                    f"{row.where}: unknown column '{column}'; did you mean title? rename it, or "
                    "add one"
                )
    return Passage(str(identity), title or "", str(text), row.where)


@cache
def _is_a_slip(column: str) -> bool:
    """Whether a column is meant to be the title; a million rows have the same columns."""
    return bool(get_close_matches(column.lower(), ["title"], cutoff=CLOSE))


def name_of(values: Mapping[str, Any], field: str, where: str) -> str | None:
    """An id or a group as text; None where the row has none: no such column, null or ""."""
    value = values.get(field)
    if value is None or value == "":
        return None
    # A float, or true, has several spellings: which rows share it would be a guess.
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise TaskError(f"{where}: {field} is {value!r}; fix: give text or a whole number")
    name = str(value)
    if field == "id" and (name != name.strip() or INVISIBLE.search(name)):
        raise TaskError(
            f"{where}: id is {name!r:.60}; take out the blanks around it, line breaks and control "
            "characters"
        )
    return name


def sources_of(value: Any, where: str, field: str = "sources") -> tuple[str, ...]:
    """Ids of passages: a list of them, or text that separates them. Raises TaskError."""
    if value is None:
        return ()
    if isinstance(value, str):
        return tuple(value.replace(";", " ").split())
    if isinstance(value, list):
        return tuple(map(str, value))
    raise TaskError(f"{where}: {field} is {value!r}; give a list of passage ids")


def check_sources(examples: Sequence[Example], corpus: Sequence[Passage]) -> None:
    """Raise TaskError for a source that no passage has as its id."""
    known = {passage.id for passage in corpus}
    for example in examples:
        for source in example.gold_passages:
            if source not in known:
                raise TaskError(
                    f"{example.where}: source '{source}' is not in the corpus; fix the id"
                )
