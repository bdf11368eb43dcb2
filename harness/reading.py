"""Text and JSON as people leave them: read strictly, or refused with the reason and the fix."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

__all__ = ["UnreadableError", "json_of", "lines_of", "text_of"]

UTF8 = "utf-8-sig"
"""With the mark in front that spreadsheets write, or without it."""
SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
"""An escape of half a character, or of one of two halves."""


class UnreadableError(ValueError):
    """Why something cannot be read, and the fix; the place is for the caller to say."""


def text_of(path: Path) -> str:
    """The text of a file. Raises UnreadableError."""
    return "".join(lines_of(path))


def lines_of(path: Path, newline: str | None = None) -> Iterator[str]:
    """The lines of a file, each checked when it comes; `newline` as of `open`. Raises
    UnreadableError."""
    try:
        with path.open(encoding=UTF8, newline=newline) as file:
            for line in file:
                if "\0" in line:
                    raise UnreadableError(
                        "holds NUL characters, as UTF-16 does; save the file as UTF-8"
                    )
                yield line
    except UnicodeDecodeError as error:
        raise UnreadableError(f"not UTF-8 ({error.reason}); save the file as UTF-8") from error
    except OSError as error:
        raise UnreadableError(
            f"cannot be read ({error.strerror}); put a file there that can be read"
        ) from error


def json_of(text: str) -> Any:
    """The value of a JSON text. Raises UnreadableError, also for what Python would take and JSON
    does not know: NaN, the same key twice, half a character."""
    try:
        value = json.loads(text, parse_constant=_constant, object_pairs_hook=_object)
    except json.JSONDecodeError as error:
        line = f"line {error.lineno}, " if error.lineno > 1 else ""
        raise UnreadableError(f"not JSON ({error.msg} at {line}column {error.colno})") from error
    except RecursionError as error:
        raise UnreadableError("not JSON that can be read (nested too deeply)") from error
    except ValueError as error:
        if isinstance(error, UnreadableError):
            raise
        raise UnreadableError("not JSON that can be read (a number has too many digits)") from error
    if SURROGATE.search(text):
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError as error:
            raise UnreadableError("not JSON (an escape \\u… is half a character)") from error
    return value


def _constant(name: str) -> NoReturn:
    raise UnreadableError(f"not JSON ({name} is no number of JSON)")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise UnreadableError(f"not JSON of one meaning ({twice!r:.60} stands there twice)")
    return found
