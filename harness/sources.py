"""Where rows come from: JSONL, CSV and Parquet files, or any dataset of `datasets.load_dataset`."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import TaskError, first_line
from harness.home import places
from harness.progress import watched
from harness.reading import UnreadableError, json_of, lines_of

__all__ = ["SUFFIXES", "Row", "check_cells", "is_there", "read_file", "read_split"]

LONGEST_CELL = 2**30
"""Characters of a CSV cell; the library's own bound, 131,072, is less than some inputs have."""

DEEPEST = 500
"""Levels of lists and objects in a cell: what recurses over deeper ones would give out."""

SUFFIXES = (".jsonl", ".csv", ".parquet")


@dataclass(frozen=True)
class Row:
    """One record and the place it came from, for messages: `train.jsonl:12`."""

    where: str
    values: Mapping[str, Any]


def read_split(source: str, split: str, revision: str | None = None) -> list[Row] | None:
    """The rows of one split, or None if the source has no such split.

    `source` is a folder with `<split>.jsonl`, `.csv` or `.parquet`; any other folder or a hub id
    goes to `datasets.load_dataset`. Raises TaskError for what cannot be read.
    """
    folder = Path(source)
    if folder.is_dir():
        there = [path for s in SUFFIXES if is_there(path := folder / f"{split}{s}")]
        if len(there) > 1:
            names = " and ".join(map(str, there))
            raise TaskError(f"{names}: are the same split; keep one file of it")
        if there:
            return list(watched(read_file(there[0]), f"reading {there[0].name}"))
        if any(path.suffix in SUFFIXES for path in folder.iterdir()):
            return None
    return _read_dataset(source, split, revision)


def is_there(path: Path) -> bool:
    """Whether there is a file. Raises TaskError for a folder or a broken link in its place: what
    was meant to be read must not be left out in silence."""
    if path.is_file():
        return True
    if path.is_dir() or path.is_symlink():
        kind = "a folder" if path.is_dir() else "a link to nothing"
        raise TaskError(f"{path}: is {kind} and no file; put the file there, or take it away")
    return False


def read_file(path: Path) -> Iterator[Row]:
    """The rows of a JSONL, CSV or Parquet file. Raises TaskError with file, line and fix."""
    try:
        match path.suffix:
            case ".jsonl":
                yield from _read_jsonl(path)
            case ".csv":
                yield from _read_csv(path)
            case ".parquet":
                yield from _read_parquet(path)
            case other:
                raise TaskError(
                    f"{path}: cannot read '{other}' files; use .jsonl, .csv or .parquet"
                )
    except UnreadableError as error:
        raise TaskError(f"{path}: {error}") from error


def check_cells(values: Mapping[str, Any], where: str) -> None:
    """Raise TaskError for a value that JSON does not have, such as a date out of Parquet."""
    for name, value in values.items():
        if problem := _foreign(value):
            raise TaskError(f"{where}: {name} holds {problem}; write it as text")


def _foreign(value: Any) -> str | None:
    """What of a value JSON does not have, at any depth; None if it has all of it."""
    level = [value]
    for _ in range(DEEPEST):
        below: list[Any] = []
        for one in level:
            match one:
                case dict():
                    below += one.values()
                case list():
                    below += one
                case float() if not math.isfinite(one):
                    return f"{one}, which is no number of JSON"
                case None | str() | int() | float():
                    pass
                case _:
                    return f"a {type(one).__name__}, which JSON does not have"
        if not below:
            return None
        level = below
    return f"more than {DEEPEST} levels of lists and objects"


def _read_jsonl(path: Path) -> Iterator[Row]:
    for number, line in enumerate(lines_of(path), 1):
        where = f"{path}:{number}"
        if not line.strip():
            continue
        try:
            values = json_of(line.rstrip())
        except UnreadableError as error:
            raise TaskError(
                f"{where}: {error}: {line.strip()[:60]!r}; fix or delete the line"
            ) from error
        if not isinstance(values, dict):
            raise TaskError(
                f"{where}: a {type(values).__name__}, not an object; write one {{…}} a line"
            )
        yield Row(where, values)


def _read_csv(path: Path) -> Iterator[Row]:
    csv.field_size_limit(LONGEST_CELL)
    reader = csv.DictReader(lines_of(path, newline=""), restkey="", strict=True)
    try:
        header = list(reader.fieldnames or [])
    except csv.Error as error:
        raise TaskError(f"{path}:1: not CSV ({error}); fix the quotes") from error
    _check_header(header, f"{path}:1")
    while True:
        start = reader.line_num + 1
        try:
            values = next(reader, None)
        except csv.Error as error:
            raise TaskError(f"{path}:{start}: not CSV ({error}); fix the quotes") from error
        if values is None:
            return
        where = f"{path}:{reader.line_num}"
        if "" in values or None in values.values():
            raise TaskError(
                f"{where}: has more or fewer cells than the header's {len(header)}; quote cells "
                "that contain commas"
            )
        yield Row(where, values)


def _check_header(header: list[str], where: str) -> None:
    if len(header) == 1 and any(mark in header[0] for mark in ";\t"):
        raise TaskError(
            f"{where}: has one column, {header[0]!r}; put commas between the cells, not "
            "semicolons or tabs"
        )
    for name in header:
        if not name:
            raise TaskError(f"{where}: a column has no name; name it or take it out")
        if header.count(name) > 1:
            raise TaskError(f"{where}: column '{name}' stands there twice; rename one")


def _read_parquet(path: Path) -> Iterator[Row]:
    import pyarrow.parquet

    try:
        rows = pyarrow.parquet.read_table(path).to_pylist()
    except (OverflowError, UnicodeDecodeError) as error:  # a date beyond year 9999, half a letter
        raise TaskError(
            f"{path}: holds a value that cannot be read ({first_line(error)}); write dates as "
            "text, and text as UTF-8"
        ) from error
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        raise TaskError(
            f"{path}: not Parquet that can be read ({first_line(error)}); write the file again"
        ) from error
    for number, values in enumerate(rows, 1):
        yield Row(f"{path}:{number}", values)


def _read_dataset(source: str, split: str, revision: str | None) -> list[Row] | None:
    import datasets

    try:
        loaded = datasets.load_dataset(source, revision=revision)
        rows = list(loaded[split]) if split in loaded else None
    except Exception as error:  # the hub client raises a dozen unrelated kinds
        nowhere = "" if Path(source).exists() else f"; there is no file or folder {places(source)}"
        raise TaskError(
            f"cannot load dataset '{source}' ({first_line(error)}){nowhere}; "
            "give a hub id that can be reached or a folder: task.source=FOLDER"
        ) from error
    if rows is None:
        return None
    features = loaded[split].features
    names = {
        column: feature.names
        for column, feature in features.items()
        if isinstance(feature, datasets.ClassLabel)
    }
    return [
        Row(
            f"{source}[{split}]:{number}",
            {k: names[k][v] if k in names and v is not None else v for k, v in values.items()},
        )
        for number, values in enumerate(rows, 1)
    ]
