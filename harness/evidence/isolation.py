"""Whether eval is sealed: does any of it stand in what a rung learns from?

Equal ids, shared groups, equal text after normalization, and near-duplicates by the Jaccard
similarity of their sets of character 5-grams (Broder 1997, "On the resemblance and containment of
documents"), or because an eval input is contained in a longer text. A corpus may hold facts: the
passages that an example names as its sources may say what it asks in nearly its words.
Similarities are exact: the candidates come from one sparse matrix product and not from a sketch,
so that no pair over a threshold is missed.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from harness.errors import ConfigError, LeakError
from harness.task import Example, Passage, Task

__all__ = ["Certificate", "Isolation", "Leak", "Pair", "normalize"]

GRAM = 5
"""Characters per n-gram; five bytes fit into an integer, so that no two n-grams collide."""
COMMON = 64
"""N-grams of more eval texts than this are left out of the product where they can be."""
CHUNK = 4096
"""Lines that are compared at a time, which bounds the memory."""
SHORTEST = 40
"""An eval text of fewer n-grams says too little for containment to mean anything."""

Grams = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Pair:
    """An eval text and the text it was found in."""

    eval_where: str
    eval_text: str
    where: str
    text: str
    similarity: float
    """Jaccard similarity of the two sets of n-grams."""
    containment: float
    """Share of the eval text's n-grams that the other text has."""


@dataclass(frozen=True)
class Leak:
    """One way in which eval is not sealed."""

    kind: str
    """id, group, text, near-duplicate or contained"""
    split: str
    pair: Pair


@dataclass(frozen=True)
class Certificate:
    """What was compared with what, how, and what was found."""

    method: str
    thresholds: dict[str, float]
    compared: dict[str, int]
    """Lines of each split that eval was compared with."""
    closest: dict[str, Pair]
    """The most similar pair found between eval and each split."""
    leaks: tuple[Leak, ...]
    decision: str
    """sealed, or what was done about the leaks: dropped or allowed"""

    def record(self) -> dict[str, Any]:
        """As JSON; texts are in the task's files."""
        record: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return record


@dataclass(frozen=True)
class Isolation:
    """How near is too near, and what then."""

    near_duplicate: float
    """Jaccard similarity from which two inputs count as the same."""
    contained: float
    """Share of an eval input that may stand in another text."""
    leaks: str
    """stop; drop (take the other line out and go on); allow (go on, and say so everywhere)"""

    def seal(self, task: Task) -> tuple[Task, Certificate]:
        """Check a task before anything runs. Raises LeakError that names both lines."""
        if self.leaks not in ("stop", "drop", "allow"):
            raise ConfigError(f"isolation.leaks={self.leaks}: is not one of stop, drop, allow")
        m = task.materials
        splits: dict[str, Sequence[Example | Passage]] = {
            "train": m.train, "dev": m.dev, "corpus": m.corpus
        }  # fmt: skip
        found: list[Leak] = []
        closest: dict[str, Pair] = {}
        for name, rows in splits.items():
            leaks, nearest = self._compare(name, task.eval, rows)
            found += leaks
            if nearest:
                closest[name] = nearest
        if found and self.leaks == "stop":
            raise LeakError(_message(found))
        decision = "sealed" if not found else {"drop": "dropped", "allow": "allowed"}[self.leaks]
        certificate = Certificate(
            method=f"ids, groups, normalized text, character {GRAM}-grams (exact Jaccard)",
            thresholds={"near_duplicate": self.near_duplicate, "contained": self.contained},
            compared={name: len(rows) for name, rows in splits.items()},
            closest=closest,
            leaks=tuple(found),
            decision=decision,
        )
        return (_without(task, found) if decision == "dropped" else task), certificate

    def _compare(
        self, split: str, sealed: Sequence[Example], rows: Sequence[Example | Passage]
    ) -> tuple[list[Leak], Pair | None]:
        leaks: list[Leak] = []
        ids = {e.id: e for e in sealed}
        groups = {e.group: e for e in sealed}
        for row in rows:
            if isinstance(row, Example):
                if row.id in ids:
                    leaks.append(Leak("id", split, _pair(ids[row.id], row, 0.0, 0.0)))
                if row.group in groups:
                    leaks.append(Leak("group", split, _pair(groups[row.group], row, 0.0, 0.0)))
        closest: Pair | None = None
        for e, row, similarity, containment, long in self._similar(sealed, rows):
            pair = _pair(e, row, similarity, containment)
            if closest is None or similarity > closest.similarity:
                closest = pair
            if normalize(e.input) == normalize(_text(row)):
                leaks.append(Leak("text", split, pair))
            elif isinstance(row, Passage) and row.id in e.sources:
                continue
            elif similarity >= self.near_duplicate:
                leaks.append(Leak("near-duplicate", split, pair))
            elif containment >= self.contained and long:
                leaks.append(Leak("contained", split, pair))
        return leaks, closest

    def _similar(
        self, sealed: Sequence[Example], rows: Sequence[Example | Passage]
    ) -> Iterator[tuple[Example, Example | Passage, float, float, bool]]:
        """Pairs that may be over a threshold and, of every chunk, the most similar one."""
        threshold = min(self.near_duplicate, self.contained)
        table = _Table([_grams(e.input) for e in sealed], threshold)
        for start in range(0, len(rows), CHUNK):
            grams = [_grams(_text(row)) for row in rows[start : start + CHUNK]]
            for i, j in table.candidates(grams):
                ours, theirs = table.grams[j], grams[i]
                shared = len(np.intersect1d(ours, theirs, assume_unique=True))
                union = len(ours) + len(theirs) - shared
                yield (
                    sealed[j],
                    rows[start + i],
                    shared / union,
                    shared / len(ours),
                    len(ours) >= SHORTEST,
                )


class _Table:
    """The n-grams of eval, ready to be multiplied with those of many lines.

    A pair over the threshold t shares at least t * n of the eval text's n n-grams. With d of them
    left out, it still shares t * n - d of the others. So the commonest are left out, fewer than
    t * n of each text, which keeps the product sparse and misses nothing (the prefix filter of
    Bayardo et al. 2007, "Scaling up all pairs similarity search").
    """

    def __init__(self, grams: Sequence[Grams], threshold: float) -> None:
        self.grams = grams
        self.sizes = np.array([len(g) for g in grams])
        self.vocabulary, column = np.unique(np.concatenate(grams), return_inverse=True)
        row = np.repeat(np.arange(len(grams)), self.sizes)
        frequency = np.bincount(column)[column]
        order = np.lexsort((-frequency, row))
        row, column, frequency = row[order], column[order], frequency[order]
        rank = np.arange(len(row)) - np.repeat(self.sizes.cumsum() - self.sizes, self.sizes)
        spare = np.ceil(threshold * self.sizes) - 1
        out = (frequency > COMMON) & (rank < spare[row])
        left_out = np.bincount(row[out], minlength=len(grams))
        self.needed = threshold * self.sizes - left_out - 1e-9  # rounding must not lose a pair
        self.matrix = sparse.csc_matrix(
            (np.ones(len(row) - out.sum(), np.int32), (column[~out], row[~out])),
            shape=(len(self.vocabulary), len(grams)),
        )

    def candidates(self, lines: Sequence[Grams]) -> Iterator[tuple[int, int]]:
        """(line, eval text) of all pairs that may reach the threshold, and of the likeliest."""
        sizes = np.array([len(g) for g in lines])
        flat = np.concatenate(lines)
        place = np.searchsorted(self.vocabulary, flat).clip(max=len(self.vocabulary) - 1)
        known = self.vocabulary[place] == flat
        row = np.repeat(np.arange(len(lines)), sizes)[known]
        matrix = sparse.csr_matrix(
            (np.ones(len(row), np.int32), (row, place[known])),
            shape=(len(lines), len(self.vocabulary)),
        )
        shared = (matrix @ self.matrix).tocoo()
        if not shared.nnz:
            return
        keep = shared.data >= self.needed[shared.col]
        union = sizes[shared.row] + self.sizes[shared.col] - shared.data
        keep[np.argmax(shared.data / union)] = True
        yield from zip(shared.row[keep].tolist(), shared.col[keep].tolist(), strict=True)


def normalize(text: str) -> str:
    """Case, accents' encoding, punctuation and spacing set aside."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(re.findall(r"\w+", folded))


def _grams(text: str) -> Grams:
    """The set of a text's n-grams, each as the integer its bytes spell, in order."""
    data = np.frombuffer(normalize(text).encode().ljust(GRAM), np.uint8).astype(np.int64)
    windows = sum(data[i : len(data) - GRAM + 1 + i] << (8 * i) for i in range(GRAM))
    return np.unique(windows)


def _text(row: Example | Passage) -> str:
    return row.input if isinstance(row, Example) else row.text


def _pair(e: Example, row: Example | Passage, similarity: float, containment: float) -> Pair:
    return Pair(e.where, e.input, row.where, _text(row), similarity, containment)


def _without(task: Task, leaks: Sequence[Leak]) -> Task:
    """The task without the lines that leak; eval stays what it is."""
    gone = {leak.pair.where for leak in leaks}
    m = task.materials
    kept = replace(
        m,
        train=tuple(e for e in m.train if e.where not in gone),
        dev=tuple(e for e in m.dev if e.where not in gone),
        corpus=tuple(p for p in m.corpus if p.where not in gone),
    )
    if not kept.train or not kept.dev:
        raise LeakError(
            f"all of {'train' if not kept.train else 'dev'} leaks into eval; make new splits"
        )
    return replace(task, materials=kept)


def _message(leaks: Sequence[Leak]) -> str:
    first = leaks[0]
    how = {
        "id": "have the same id",
        "group": "are of the same group",
        "text": "say the same",
        "near-duplicate": f"are near-duplicates (similarity {first.pair.similarity:.2f})",
        "contained": f"overlap (the second holds {first.pair.containment:.0%} of the first)",
    }[first.kind]
    more = f", and {len(leaks) - 1} more" if len(leaks) > 1 else ""
    return (
        f"{first.pair.eval_where} and {first.pair.where} {how}: {first.pair.eval_text[:60]!r} / "
        f"{first.pair.text[:60]!r}{more}; take the second out of {first.split}, or set "
        "isolation.leaks=drop to leave such lines out, or isolation.leaks=allow to go on anyway"
    )
