"""Texts as sets of features, in numbers: character 5-grams, and pairs of neighbouring words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from harness.evidence.isolation.letters import normalize

__all__ = ["GRAM", "Features", "Integers", "chunks", "grams", "lines", "word_pairs"]

GRAM = 5
"""Characters per n-gram; five bytes leave an integer room for the number of the text."""
OWNER_BITS = 23
"""For that number: 8 million texts."""
KEY_BITS = 63 - OWNER_BITS
"""For a feature."""
CHUNK = 1 << 19
"""Characters that are compared at a time, which bounds the memory."""
REACH = 2
"""Words further apart than this make no pair."""

Integers = npt.NDArray[np.int64]
Unsigned = npt.NDArray[np.uint64]
Features = Callable[[Sequence[bytes]], tuple[Integers, Integers]]
"""Of normalized lines: features, each once for each line, in order, and the lines they are of."""

BASE, FIRST, SECOND, LAST = (
    np.uint64(n)
    for n in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB, 0xD6E8FEB86659FD93)
)
"""Odd numbers of 64 bits by which hashes are multiplied (those of splitmix64, and one more)."""


def lines(texts: Sequence[str]) -> list[bytes]:
    """Texts as they are compared."""
    return [normalize(text).encode() for text in texts]


def chunks(texts: Sequence[str]) -> Iterator[tuple[int, list[bytes]]]:
    """Lines of about CHUNK characters together, with the place of the first text."""
    chunk: list[str] = []
    start = size = 0
    for text in texts:
        chunk.append(text)
        size += len(text) + GRAM
        if size >= CHUNK:
            yield start, lines(chunk)
            start += len(chunk)
            chunk, size = [], 0
    if chunk:
        yield start, lines(chunk)


def grams(lines: Sequence[bytes]) -> tuple[Integers, Integers]:
    """Each line's n-grams, as the integers that their bytes spell; a shorter line is one of its
    own."""
    padded = [line.ljust(GRAM) for line in lines]
    data = np.frombuffer(b"".join(padded), np.uint8).astype(np.int64)
    owner = np.repeat(np.arange(len(padded)), [len(line) for line in padded])
    last = len(data) - GRAM + 1
    found = np.zeros(max(last, 0), np.int64)
    for i in range(GRAM):
        found |= data[i : last + i] << (8 * i)
    inside = owner[:last] == owner[GRAM - 1 :]
    return _sets(found[inside], owner[:last][inside])


def word_pairs(lines: Sequence[bytes]) -> tuple[Integers, Integers]:
    """Each line's pairs of words that are neighbours or have one word between them, in any order,
    as hashes of KEY_BITS bits: of a million other pairs, one in a million is taken for another."""
    hashes, owner = _words(lines)
    keys: list[Integers] = []
    owners: list[Integers] = []
    for apart in range(1, REACH + 1):
        together = owner[:-apart] == owner[apart:]
        one, other = hashes[:-apart][together], hashes[apart:][together]
        mixed = np.minimum(one, other) * FIRST + np.maximum(one, other) * SECOND
        mixed = (mixed ^ (mixed >> np.uint64(29))) * LAST
        keys.append((mixed >> np.uint64(64 - KEY_BITS)).astype(np.int64))
        owners.append(owner[:-apart][together])
    return _sets(np.concatenate(keys), np.concatenate(owners))


def _words(lines: Sequence[bytes]) -> tuple[Unsigned, Integers]:
    """The hash of every word, in order, and the line that it stands in."""
    data = np.frombuffer(b"\n".join([*lines, b""]), np.uint8)
    letter = (data != ord(" ")) & (data != ord("\n"))
    starts = np.flatnonzero(letter & ~np.concatenate([[False], letter[:-1]]))
    owner = np.cumsum(data == ord("\n"))[starts]
    if not len(starts):
        return np.empty(0, np.uint64), owner
    word = np.cumsum(np.bincount(starts, minlength=len(data))) - 1
    place = np.arange(len(data)) - starts[word.clip(min=0)]
    powers = np.cumprod(np.full(int(place.max()) + 1, BASE))
    values = np.where(letter, data, 0).astype(np.uint64) * powers[place.clip(min=0)]
    return np.add.reduceat(values, starts), owner


def _sets(keys: Integers, owner: Integers) -> tuple[Integers, Integers]:
    """Each feature once for each line, in order."""
    packed = np.sort(keys << OWNER_BITS | owner)
    packed = packed[np.diff(packed, prepend=-1) > 0]
    return packed >> OWNER_BITS, packed & ((1 << OWNER_BITS) - 1)
