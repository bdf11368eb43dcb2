"""Whether eval is sealed: does any of it stand in what a rung learns from?

Equal ids, shared groups, equal text after normalization, and near-duplicates by the Jaccard
similarity of their sets of character 5-grams (Broder 1997, "On the resemblance and containment of
documents"), or because an eval input is contained in a longer text. A corpus may hold facts: the
passages that an example names as its sources may say what it asks in nearly its words; the data of
a tool may have a short input, a name say, as what is looked up.
Similarities are exact: the candidates come from sparse matrix products and not from a sketch,
so that no pair over a threshold is missed.

What that finds at the default thresholds, of planted copies in two tasks (bench/isolation.py, the
table in docs/experiments.md): every copy that differs in case, punctuation, spacing, width of
letters or characters that cannot be seen; 97% and more with one word in ten replaced, two words
transposed, or longer text around them; 11% and 28% with one word in five replaced; next to none
with three in ten, or where half was cut off; and no paraphrase (0 of 80).
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from harness.errors import ConfigError, LeakError
from harness.task import Example, Passage, Task

__all__ = ["Certificate", "Isolation", "Leak", "Pair", "normalize", "similar_pairs"]

GRAM = 5
"""Characters per n-gram; five bytes leave an integer room for the number of the text."""
UPDATED = "updated corpus"
"""The corpus of an update, which is compared with eval as the corpus is."""
OWNER_BITS = 23
"""For that number: 8 million texts of eval."""
TOOLS = "tools"
"""What a model may call: no line of it can be left out."""
COMMON = 64
"""N-grams of more eval texts than this are left out of the product where they can be."""
CHUNK = 1 << 19
"""Characters of train, dev or corpus that are compared at a time, which bounds the memory."""
PAIRS = 1 << 14
"""Pairs that are compared exactly at a time, which bounds it too."""
SHORTEST = 40
"""An eval text of fewer n-grams says too little for containment to mean anything."""
NEVER = 2.0
"""A containment that no text reaches."""
INVISIBLE = re.compile(
    "[\u00ad\u034f\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufe00-\ufe0f\ufeff]"
)
"""Soft hyphens, zero-width characters, directions and variants: they would cut a word in two."""

Integers = npt.NDArray[np.int64]


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

    def concerning(self, splits: Collection[str]) -> Certificate:
        """What of it concerns a rung that reads these splits: a leak into another changes none of
        its answers."""
        leaks = tuple(leak for leak in self.leaks if leak.split in splits)
        return replace(self, leaks=leaks, decision=self.decision if leaks else "sealed")

    def record(self) -> dict[str, Any]:
        """As JSON; texts are in the task's files."""
        record: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return record


@dataclass(frozen=True)
class Isolation:
    """How near is too near, and what then.

    >>> Isolation(near_duplicate=0.6, contained=0.9, leaks="stop").leaks
    'stop'
    """

    near_duplicate: float
    """Jaccard similarity, above 0 and at most 1, from which two inputs count as the same."""
    contained: float
    """Share of an eval input, above 0 and at most 1, that may not stand in another text."""
    leaks: str
    """stop; drop (take the other line out and go on); allow (go on, and say so everywhere)"""

    def __post_init__(self) -> None:
        for name in ("near_duplicate", "contained"):
            value = getattr(self, name)
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if not (number and 0 < value <= 1):  # NaN is in no range
                raise ConfigError(
                    f"isolation.{name}={value}: must be a number above 0 and at most 1; to go on "
                    "in spite of leaks, set isolation.leaks=allow"
                )
        if self.leaks not in ("stop", "drop", "allow"):
            raise ConfigError(f"isolation.leaks={self.leaks}: is not one of stop, drop, allow")

    def certify(self, task: Task) -> tuple[Task, Certificate]:
        """Check a task before anything runs. Raises LeakError that names both lines."""
        m = task.materials
        splits: dict[str, Sequence[Example | Passage]] = {
            "train": m.train, "dev": m.dev, "corpus": m.corpus
        }  # fmt: skip
        found_by_tools = tuple(
            Passage(where, "", text, where)
            for tool in m.tools.values()
            for where, text in tool.texts()
        )
        if found_by_tools:
            splits[TOOLS] = found_by_tools
        sealed = dict.fromkeys(splits, task.eval)
        if task.update:  # what it looks up must not hold its questions either
            splits[UPDATED], sealed[UPDATED] = task.update.corpus, task.update.eval
        found: list[Leak] = []
        closest: dict[str, Pair] = {}
        for name, rows in splits.items():
            leaks, nearest = self._compare(name, sealed[name], rows)
            found += leaks
            if nearest:
                closest[name] = nearest
        if found and self.leaks == "stop":
            raise LeakError(_message(found))
        if self.leaks == "drop" and (fast := [leak for leak in found if leak.split == TOOLS]):
            raise LeakError(f"{_message(fast)}; a tool's data cannot be left out by harness")
        decision = "sealed" if not found else {"drop": "dropped", "allow": "allowed"}[self.leaks]
        certificate = Certificate(
            method=f"ids, groups, normalized text, character {GRAM}-grams (exact Jaccard)",
            thresholds={"near_duplicate": self.near_duplicate, "contained": self.contained},
            compared={name: len(rows) for name, rows in splits.items()},
            closest=closest,
            leaks=tuple(found),
            decision=decision,
        )
        if decision == "dropped":
            task = _without(task, found)
        elif task.update and found:
            allowed = len(certificate.concerning([UPDATED]).leaks)
            task = replace(task, update=replace(task.update, leaks=allowed))
        return task, certificate

    def leaks_of(self, text: str, name: str, task: Task) -> list[Leak]:
        """Where a prompt called `name` says what eval asks, as a whole or in one of its lines, or
        has a long target of eval in it.

        Labels are no secret, and a short target may stand anywhere: neither is looked for.
        """
        parts = [part for part in dict.fromkeys([text, *text.splitlines()]) if normalize(part)]
        rows = [Passage("", "", part, name) for part in parts]
        leaks, _ = self._compare(name, task.eval, rows)
        if task.materials.answer.labels is None:
            targets = [replace(e, input=e.target, gold_passages=()) for e in task.eval]
            long = [e for e in targets if len(normalize(e.input)) >= SHORTEST + GRAM]
            leaks += self._compare(name, long, rows)[0] if long else []
        return leaks

    def found_in(self, task: Task, what: str, texts: Sequence[Passage]) -> list[Leak]:
        """What of eval's inputs stands in texts that are no part of the task, called `what`."""
        return self._compare(what, task.eval, texts)[0]

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
                elif row.group in groups:
                    leaks.append(Leak("group", split, _pair(groups[row.group], row, 0.0, 0.0)))
        closest: Pair | None = None
        for e, row, pair, long in self._similar(sealed, rows):
            if closest is None or pair.similarity > closest.similarity:
                closest = pair
            if split == TOOLS and not long:
                continue  # what a call looks up: a name, a number
            if pair.similarity == 1 and normalize(e.input) == normalize(_text(row)):
                leaks.append(Leak("text", split, pair))
            elif isinstance(row, Passage) and row.id in e.gold_passages:
                continue
            elif pair.similarity >= self.near_duplicate:
                leaks.append(Leak("near-duplicate", split, pair))
            elif pair.containment >= self.contained and long:
                leaks.append(Leak("contained", split, pair))
        return leaks, closest

    def _similar(
        self, sealed: Sequence[Example], rows: Sequence[Example | Passage]
    ) -> Iterator[tuple[Example, Example | Passage, Pair, bool]]:
        """All pairs over a threshold and, of every chunk, the most similar one."""
        table = _Table([e.input for e in sealed], self.near_duplicate, self.contained)
        start = 0
        for chunk in _chunks([_text(row) for row in rows]):
            for i, j, similarity, containment in table.matches(chunk):
                row = rows[start + i]
                pair = _pair(sealed[j], row, similarity, containment)
                yield sealed[j], row, pair, bool(table.sizes[j] >= SHORTEST)
            start += len(chunk)


class _Table:
    """The n-grams of eval, ready to be multiplied with those of many lines.

    A pair over the lower threshold t shares at least t * n of the eval text's n n-grams. So the
    commonest are left out of the product, fewer than t * n of each text, which keeps it sparse and
    misses nothing (the prefix filter of Bayardo et al. 2007, "Scaling up all pairs similarity
    search"). Pairs that could reach a threshold if they had all that was left out are then
    compared exactly.
    """

    def __init__(self, texts: Sequence[str], near_duplicate: float, contained: float) -> None:
        self.near_duplicate, self.contained = near_duplicate, contained
        grams, row = _grams(texts)
        self.vocabulary, column, frequency = np.unique(
            grams, return_inverse=True, return_counts=True
        )
        self.sizes = np.bincount(row, minlength=len(texts))
        self.whole = _matrix(row, column, (len(texts), len(self.vocabulary)))
        order = np.lexsort((-frequency[column], row))
        row, column = row[order], column[order]
        rank = np.arange(len(row)) - np.repeat(self.sizes.cumsum() - self.sizes, self.sizes)
        threshold = min(near_duplicate, contained)
        spare = np.ceil(threshold * self.sizes) - 1
        out = (frequency[column] > COMMON) & (rank < spare[row])
        left_out = np.bincount(row[out], minlength=len(texts))
        self.needed = threshold * self.sizes - left_out - 1e-9  # rounding must not lose a pair
        self.rare = _matrix(column[~out], row[~out], self.whole.shape[::-1])

    def matches(self, texts: Sequence[str]) -> Iterator[tuple[int, int, float, float]]:
        """(line, eval text, similarity, containment) of all pairs over a threshold, and of the
        one that looks most similar."""
        grams, row = _grams(texts)
        sizes = np.bincount(row, minlength=len(texts))
        # Sorted n-grams make this search a walk through the vocabulary.
        place = np.searchsorted(self.vocabulary, grams).clip(max=len(self.vocabulary) - 1)
        known = self.vocabulary[place] == grams
        lines = _matrix(row[known], place[known], (len(texts), len(self.vocabulary)))
        product = (lines @ self.rare).tocoo()
        if not product.nnz:
            return
        keep = product.data >= self.needed[product.col]
        keep[np.argmax(product.data / (sizes[product.row] + self.sizes[product.col]))] = True
        pairs = np.stack([product.row[keep], product.col[keep]])
        for i, j in (pairs[:, at : at + PAIRS] for at in range(0, pairs.shape[1], PAIRS)):
            shared = np.asarray(lines[i].multiply(self.whole[j]).sum(axis=1)).ravel()
            similarity = shared / (sizes[i] + self.sizes[j] - shared)
            containment = shared / self.sizes[j]
            over = (similarity >= self.near_duplicate) | (containment >= self.contained)
            over[np.argmax(similarity)] = True
            found = (values[over].tolist() for values in (i, j, similarity, containment))
            yield from zip(*found, strict=True)


def similar_pairs(texts: Sequence[str], at_least: float) -> Iterator[tuple[int, int, float]]:
    """Places of two texts, the first one first, and their Jaccard similarity: all pairs of at least
    so much, above 0 and at most 1."""
    table = _Table(texts, at_least, NEVER)
    start = 0
    for chunk in _chunks(texts):
        for i, j, similarity, _ in table.matches(chunk):
            if j < start + i and similarity >= at_least:
                yield j, start + i, similarity
        start += len(chunk)


def normalize(text: str) -> str:
    """Case, accents' encoding, punctuation, spacing and what cannot be seen set aside."""
    if not text.isascii():
        text = INVISIBLE.sub("", unicodedata.normalize("NFKC", text))
    return " ".join(re.findall(r"\w+", text.casefold()))


def _grams(texts: Sequence[str]) -> tuple[Integers, Integers]:
    """Each text's set of n-grams: the n-grams in order, as the integers that their bytes spell,
    and the number of the text that has it."""
    lines = [normalize(text).encode().ljust(GRAM) for text in texts]
    data = np.frombuffer(b"".join(lines), np.uint8).astype(np.int64)
    owner = np.repeat(np.arange(len(lines)), [len(line) for line in lines])
    last = len(data) - GRAM + 1
    grams = sum(data[i : last + i] << (8 * i) for i in range(GRAM))
    inside = owner[:last] == owner[GRAM - 1 :]
    keys = np.sort((grams << OWNER_BITS | owner[:last])[inside])
    keys = keys[np.diff(keys, prepend=-1) > 0]
    return keys >> OWNER_BITS, keys & ((1 << OWNER_BITS) - 1)


def _matrix(row: Integers, column: Integers, shape: tuple[int, int]) -> Any:
    """Ones at these places of a sparse matrix."""
    return sparse.csr_matrix((np.ones(len(row), np.int32), (row, column)), shape=shape)


def _chunks(texts: Sequence[str]) -> Iterator[list[str]]:
    """Texts of about CHUNK characters together."""
    chunk: list[str] = []
    size = 0
    for text in texts:
        chunk.append(text)
        size += len(text) + GRAM
        if size >= CHUNK:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


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
    update = task.update
    if update:
        update = replace(update, corpus=tuple(p for p in update.corpus if p.where not in gone))
    if not kept.train or not kept.dev:
        raise LeakError(
            f"all of {'train' if not kept.train else 'dev'} leaks into eval; make new splits"
        )
    return replace(task, materials=kept, update=update)


def _message(leaks: Sequence[Leak]) -> str:
    first = leaks[0]
    how = {
        "id": "have the same id (if each file counts its own, leave the ids out)",
        "group": "are of the same group (if each file counts its own, name them apart)",
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
