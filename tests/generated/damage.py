"""What careless and hostile hands do to files and values, as strategies."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, 1.5, 10**40, 1e300, float("nan"), float("inf"), float("-inf"),
    "", " ", "abc", "-1", "nan", "no", "../../x", "a\x00b", "\ud800", "\u202eabc", "\x1b[31m",
    "x" * 5000, "${nothing}", [], {}, [[]], {"": {}}, ["a", 1], {"a": 1}, [None], {"id": 7},
)  # fmt: skip
"""Values of every type that JSON and YAML can say."""

odd = st.sampled_from(ODD)


def deep(levels: int = 3000) -> str:
    """JSON that is nested too deeply for any reader."""
    return "[" * levels + "]" * levels


@dataclass(frozen=True)
class Damage:
    """One way to spoil a file."""

    name: str
    do: Callable[[Path], None]

    def __repr__(self) -> str:
        return self.name


def _bytes(name: str, change: Callable[[bytes], bytes]) -> Damage:
    return Damage(name, lambda path: _write(path, change(path.read_bytes())))


def _write(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _broken_link(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.with_name("gone"))


def _loop(path: Path) -> None:
    path.unlink()
    path.symlink_to(path)


def _deleted(path: Path) -> None:
    path.unlink()


WHOLE = (
    _bytes("empty", lambda data: b""),
    _bytes("one line break", lambda data: b"\n"),
    _bytes("utf-16", lambda data: data.decode().encode("utf-16")),
    _bytes("utf-16 without a mark", lambda data: data.decode().encode("utf-16-le")),
    _bytes("latin-1", lambda data: data.replace(b"e", "é".encode("latin-1"), 3)),
    _bytes("BOM", lambda data: b"\xef\xbb\xbf" + data),
    _bytes("two BOMs", lambda data: b"\xef\xbb\xbf" * 2 + data),
    _bytes("CRLF", lambda data: data.replace(b"\n", b"\r\n")),
    _bytes("CR", lambda data: data.replace(b"\n", b"\r")),
    _bytes("NUL in front", lambda data: b"\x00" + data),
    _bytes("NULs for a half", lambda data: data[: len(data) // 2] + b"\x00" * (len(data) // 2)),
    _bytes("twice", lambda data: data + data),
    _bytes("gzip", lambda data: b"\x1f\x8b\x08\x00" + data[:20]),
    _bytes("too deep", lambda data: deep().encode()),
    _bytes("too deep, objects", lambda data: b'{"a":' * 3000 + b"1" + b"}" * 3000),
    _bytes("huge number", lambda data: b"9" * 6000),
    _bytes("a number", lambda data: b"7"),
    _bytes("a list", lambda data: b"[1, 2]"),
    _bytes("null", lambda data: b"null"),
    _bytes("text", lambda data: b'"text"'),
    _bytes("an object", lambda data: b"{}"),
    Damage("a folder in its place", _folder),
    Damage("a broken link", _broken_link),
    Damage("a link to itself", _loop),
    Damage("deleted", _deleted),
)

whole = st.sampled_from(WHOLE)


@st.composite
def cut(draw: st.DrawFn) -> Damage:
    """The file ends somewhere."""
    share = draw(st.floats(0, 0.999))
    return _bytes(f"cut at {share:.3f}", lambda data: data[: int(len(data) * share)])


@st.composite
def flipped(draw: st.DrawFn) -> Damage:
    """One byte is another."""
    share, byte = draw(st.floats(0, 0.999)), draw(st.integers(0, 255))

    def change(data: bytes) -> bytes:
        at = int(len(data) * share)
        return data[:at] + bytes([byte]) + data[at + 1 :]

    return _bytes(f"byte {byte} at {share:.3f}", change)


def changed(value: Any, draw: st.DrawFn) -> Any:
    """The same JSON with one value replaced, taken out, or added, anywhere in it."""
    if isinstance(value, dict) and value and draw(st.integers(0, 3)):
        key = draw(st.sampled_from(sorted(value)))
        return value | {key: changed(value[key], draw)}
    if isinstance(value, list) and value and draw(st.integers(0, 3)):
        place = draw(st.integers(0, len(value) - 1))
        return [*value[:place], changed(value[place], draw), *value[place + 1 :]]
    how = draw(st.sampled_from(["replaced", "replaced", "taken out", "added"]))
    if isinstance(value, dict) and how == "taken out" and value:
        gone = draw(st.sampled_from(sorted(value)))
        return {k: v for k, v in value.items() if k != gone}
    if isinstance(value, dict) and how == "added":
        return value | {"foreign": draw(odd)}
    return draw(odd)


@st.composite
def other_value(draw: st.DrawFn) -> Damage:
    """One value of a JSON file is another, or of one line of a JSONL file."""
    chosen = draw(st.randoms(use_true_random=False))
    # The file is not here yet: what is drawn decides when it is.
    data = st.data()
    holder = draw(data)

    def change(path: Path) -> None:
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".jsonl":
            lines = text.splitlines()
            place = chosen.randrange(len(lines)) if lines else 0
            if lines:
                lines[place] = json.dumps(changed(json.loads(lines[place]), holder.draw))
            path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        else:
            path.write_text(json.dumps(changed(json.loads(text), holder.draw)), encoding="utf-8")

    return Damage("another value", change)


def copied(template: Path, to: Path) -> Path:
    """A fresh copy of a folder to spoil."""
    shutil.copytree(template, to, symlinks=True)
    return to
