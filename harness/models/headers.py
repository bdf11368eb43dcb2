"""What stands at the head of a file of weights, read without believing it.

A header says how much follows it. Here nothing is read or allocated because a header says so:
every length is held against the file's own first. The libraries that load weights allocate what
they are told.
"""

from __future__ import annotations

import json
import struct
from math import prod
from pathlib import Path
from typing import Any, BinaryIO

from harness.errors import WeightsError

__all__ = ["check_gguf", "check_safetensors"]

LONGEST_HEADER = 25_000_000
"""Bytes of a safetensors header; the largest models there are need a few hundred thousand."""
MOST_TENSORS = 100_000
MOST_FIELDS = 10_000
MOST_VALUES = 5_000_000
"""In one list of a GGUF header: vocabularies are the longest, of a few hundred thousand."""
MOST_DIMENSIONS = 8

BITS = {
    "BOOL": 8, "U8": 8, "I8": 8, "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8, "F8_E4M3FNUZ": 8,
    "F8_E5M2FNUZ": 8, "I16": 16, "U16": 16, "F16": 16, "BF16": 16, "I32": 32, "U32": 32,
    "F32": 32, "I64": 64, "U64": 64, "F64": 64, "C64": 64, "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6,
}  # fmt: skip
"""Of one number, by the type's name in a safetensors header."""


def check_safetensors(path: Path) -> int:
    """How many tensors a file has. Raises WeightsError for a header that does not describe it."""
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(8)
        length = int.from_bytes(start, "little")
        if len(start) < 8 or length > size - 8:
            raise _broken(path, f"its header says {length:,} bytes, and the file has {size:,}")
        if length > LONGEST_HEADER:
            raise _broken(path, f"a header of {length:,} bytes (at most {LONGEST_HEADER:,})")
        try:
            header = json.loads(file.read(length))
        except (ValueError, RecursionError) as error:
            raise _broken(path, "its header is not JSON") from error
    if not isinstance(header, dict):
        raise _broken(path, "its header is not an object")
    header.pop("__metadata__", None)
    end = 0
    places = sorted(_place(path, name, tensor) for name, tensor in header.items())
    for first, last, name in places:
        if first != end:
            what = "overlaps with" if first < end else "leaves a hole behind"
            raise _broken(path, f"tensor {name!r} {what} the one before it")
        end = last
    if end != size - 8 - length:
        raise _broken(
            path, f"its tensors take {end:,} bytes, and behind the header are {size - 8 - length:,}"
        )
    return len(places)


def _place(path: Path, name: str, tensor: Any) -> tuple[int, int, str]:
    """Where a tensor begins and ends, as a safetensors header has it."""
    try:
        bits, shape = BITS[tensor["dtype"]], tensor["shape"]
        first, last = tensor["data_offsets"]
    except (KeyError, TypeError, ValueError) as error:
        raise _broken(
            path, f"tensor {name!r} has no known dtype, shape and data_offsets"
        ) from error
    numbers = [first, last, *shape] if isinstance(shape, list) else [None]
    if any(type(n) is not int or n < 0 for n in numbers) or first > last:
        raise _broken(path, f"tensor {name!r} has a shape or data_offsets that cannot be")
    if (last - first) * 8 != prod(shape) * bits:
        raise _broken(
            path, f"tensor {name!r} has {last - first:,} bytes, and its shape {shape} needs "
            f"{prod(shape) * bits // 8:,}"
        )  # fmt: skip
    return first, last, name


def check_gguf(path: Path) -> None:
    """Raise WeightsError for a header that does not describe its file."""
    with path.open("rb") as file:
        reader = _Gguf(path, file)
        try:
            reader.check()
        except struct.error as error:
            raise _broken(path, "the file ends within its header") from error


class _Gguf:
    """A GGUF file, read from its beginning: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md"""

    SCALARS = ("B", "b", "H", "h", "I", "i", "f", "?", None, None, "Q", "q", "d")
    """struct's letters, by the number of a value's type; 8 is text and 9 a list."""
    TEXT, LIST = 8, 9

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self.path, self.file = path, file
        self.size = path.stat().st_size
        self.alignment = 32

    def check(self) -> None:
        from gguf import GGML_QUANT_SIZES

        if self.file.read(4) != b"GGUF":
            raise _broken(self.path, "it does not begin as a GGUF file does")
        version, tensors, fields = self.one("I"), self.one("Q"), self.one("Q")
        if version not in (2, 3):
            raise _broken(self.path, f"its GGUF version is {version}, and 2 and 3 are known")
        self.at_most(fields, MOST_FIELDS, "fields")
        self.at_most(tensors, MOST_TENSORS, "tensors")
        for _ in range(fields):
            self.field()
        sizes = {int(kind): size for kind, size in GGML_QUANT_SIZES.items()}
        found = [self.tensor(sizes) for _ in range(tensors)]
        data = -(-self.file.tell() // self.alignment) * self.alignment
        for name, offset, length in found:
            if data + offset + length > self.size:
                raise _broken(
                    self.path,
                    f"tensor {name!r} ends at byte {data + offset + length:,}, and the file has "
                    f"{self.size:,}",
                )
        if (total := sum(length for *_, length in found)) > self.size:
            raise _broken(
                self.path, f"its tensors take {total:,} bytes, and the file has {self.size:,}"
            )

    def field(self) -> None:
        name, kind = self.text(), self.one("I")
        if name == "general.alignment" and kind == self.SCALARS.index("I"):
            self.alignment = self.one("I")
            if self.alignment not in {2**n for n in range(20)}:
                raise _broken(self.path, f"general.alignment is {self.alignment}")
            return
        self.value(name, kind)

    def value(self, name: str, kind: int) -> None:
        if kind == self.TEXT:
            self.text()
        elif kind == self.LIST:
            inner, count = self.one("I"), self.one("Q")
            self.at_most(count, MOST_VALUES, f"values of {name!r}")
            if inner == self.TEXT:
                for _ in range(count):
                    self.text()
            else:
                self.skip(count * self.width(name, inner))
        else:
            self.skip(self.width(name, kind))

    def width(self, name: str, kind: int) -> int:
        letter = self.SCALARS[kind] if kind < len(self.SCALARS) else None
        if letter is None:
            raise _broken(self.path, f"{name!r} is of an unknown type, {kind}")
        return struct.calcsize(f"<{letter}")

    def tensor(self, sizes: dict[int, tuple[int, int]]) -> tuple[str, int, int]:
        """A tensor's name, where it begins behind the header, and its bytes."""
        name, count = self.text(), self.one("I")
        self.at_most(count, MOST_DIMENSIONS, f"dimensions of {name!r}")
        shape = [self.one("Q") for _ in range(count)]
        kind, offset = self.one("I"), self.one("Q")
        if kind not in sizes:
            raise _broken(self.path, f"tensor {name!r} is of an unknown type, {kind}")
        block, width = sizes[kind]
        if shape and shape[0] % block:
            raise _broken(self.path, f"tensor {name!r} has rows that are no whole blocks")
        return name, offset, prod(shape) // block * width

    def at_most(self, count: int, most: int, what: str) -> None:
        if count > most:
            raise _broken(self.path, f"it says that it has {count:,} {what} (at most {most:,})")

    def text(self) -> str:
        length = self.one("Q")
        self.fits(length)
        return self.file.read(length).decode(errors="replace")

    def skip(self, length: int) -> None:
        self.fits(length)
        self.file.seek(length, 1)

    def fits(self, length: int) -> None:
        if length > self.size - self.file.tell():
            raise _broken(
                self.path, f"it says that {length:,} bytes follow, and the file has {self.size:,}"
            )

    def one(self, letter: str) -> int:
        letter = f"<{letter}"
        value: int = struct.unpack(letter, self.file.read(struct.calcsize(letter)))[0]
        return value


def _broken(path: Path, what: str) -> WeightsError:
    return WeightsError(f"{path}: {what}; it is broken or forged: fetch it again")
