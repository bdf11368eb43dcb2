"""Code that is neither harness's nor PEFT's, by content: an edit of it makes another result."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from pathlib import Path

from harness.files import file_sha256

__all__ = ["KNOWN", "foreign"]

KNOWN = ("harness", "peft")
"""Packages whose code is known by their versions, and which a YAML may name."""


def foreign(parts: Iterable[object]) -> list[list[str]]:
    """Of each object whose class is neither harness's nor PEFT's, and of each name of a file: the
    name, and the SHA-256 of the source file. What that imports is not part of it."""
    found = []
    for part in parts:
        if isinstance(part, str):
            name, source = part, part if Path(part).is_file() else None
        else:
            kind = type(part)
            if kind.__module__.partition(".")[0] in KNOWN:
                continue
            name, source = f"{kind.__module__}.{kind.__qualname__}", _source(kind)
        if source is not None:
            found.append([name, file_sha256(Path(source))])
    return found


def _source(kind: type) -> str | None:
    """Of a class; None for one that is built into Python, or was typed at a prompt."""
    try:
        path = inspect.getsourcefile(kind)
    except (TypeError, OSError):
        return None
    return path if path and Path(path).is_file() else None
