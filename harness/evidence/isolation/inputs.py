"""Eval's inputs against the lines of a split: ids, groups, equal, similar and contained texts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from harness.evidence.isolation.certificate import INSTRUCTIONS, TOOLS, Leak, Pair, pair_of, text_of
from harness.evidence.isolation.features import chunks, grams, lines, word_pairs
from harness.evidence.isolation.letters import normalize
from harness.evidence.isolation.table import NEVER, Table
from harness.task import Example, Passage

__all__ = ["SHORTEST", "Found", "Sealed", "compare"]

SHORTEST = 40
"""An eval text of fewer n-grams says too little for containment to mean anything."""
FEWEST_WORDS = 12
"""Eval texts of fewer words are not looked for rewritten: too many questions share so little."""
SHORT_WORDS = 24
"""Eval texts of fewer words are short: questions from one mould share a third of their pairs."""
LOWEST = 0.1
"""Similarity of pairs of words below which a long text is not suspected. Where every other word
was replaced it is 0.12."""
LOWEST_SHORT = 0.36
"""The same of short texts. Of half a text it is 0.45."""
UNKNOWN = 0.4
"""The same where eval has too few texts to say how alike they are."""
PEERS = 50
"""Texts that are enough to say so."""
MOST_PEERS = 1000
"""Texts that are compared with one another at most."""
QUANTILE = 0.99
"""Of the eval texts: so many are less like any other of them than the rest."""
BEYOND = 1.25
"""How much more alike than that two texts are of which one is suspected to be the other."""


@dataclass
class Found:
    """What a comparison finds."""

    leaks: list[Leak] = field(default_factory=list)
    suspects: list[Leak] = field(default_factory=list)
    closest: Pair | None = None


class Sealed:
    """The eval inputs that a split is compared with, as tables.

    Beside character n-grams these are pairs of words, which survive where half of a text is cut
    off and where every other word is another. How much of them two innocent texts share is a
    matter of their length and of the task: two tickets have 0.05, short questions from one mould
    0.4. Hence the threshold is what eval's own texts of that length share with other groups' texts.
    """

    def __init__(
        self,
        examples: Sequence[Example],
        near_duplicate: float,
        contained: float,
        rewritten: bool,
    ) -> None:
        self.examples = examples
        texts = lines([e.input for e in examples])
        self.inputs = Table(grams, texts, near_duplicate, contained)
        self.rewritten = Rewritten(examples, texts) if rewritten else None


class Rewritten:
    """Of eval inputs those that have words enough to be looked for rewritten."""

    def __init__(self, examples: Sequence[Example], texts: Sequence[bytes]) -> None:
        words = [len(text.split()) for text in texts]
        self.places = [i for i, count in enumerate(words) if count >= FEWEST_WORDS]
        """In eval."""
        long = np.array([words[i] >= SHORT_WORDS for i in self.places], bool)
        texts = [texts[i] for i in self.places]
        groups = [examples[i].group for i in self.places]
        self.alike = {True: NEVER, False: NEVER}
        """From which similarity a text is suspected, by whether it is long."""
        for which, lowest in ((True, LOWEST), (False, LOWEST_SHORT)):
            if chosen := np.flatnonzero(long == which).tolist():
                self.alike[which] = _alike(texts, groups, chosen, lowest)
        self.least = np.where(long, self.alike[True], self.alike[False])
        self.table = Table(word_pairs, texts, min(self.alike.values()), NEVER) if texts else None

    def matches(self, chunk: Sequence[bytes]) -> Iterator[tuple[int, int, float, float]]:
        """(line, place in eval, similarity, containment) of all that is suspected."""
        if self.table is None:
            return
        for i, k, similarity, containment in self.table.matches(chunk):
            if similarity >= self.least[k]:
                yield i, self.places[k], similarity, containment


def _alike(
    texts: Sequence[bytes], groups: Sequence[str], chosen: Sequence[int], lowest: float
) -> float:
    """The similarity of pairs of words from which one of the chosen texts and another are too much
    alike to be innocent."""
    chosen, others = _some(chosen), _some(range(len(texts)))
    if len(chosen) < PEERS:
        return UNKNOWN
    table = Table(word_pairs, [texts[j] for j in chosen], lowest / BEYOND, NEVER)
    best = np.zeros(len(chosen))
    for i, k, similarity, _ in table.matches([texts[i] for i in others]):
        if groups[others[i]] != groups[chosen[k]]:
            best[k] = max(best[k], similarity)
    return float(np.clip(BEYOND * np.quantile(best, QUANTILE), lowest, 1.0))


def _some(places: Sequence[int]) -> Sequence[int]:
    """At most MOST_PEERS of them, evenly."""
    return places[:: -(-len(places) // MOST_PEERS)]


def compare(sealed: Sealed, split: str, rows: Sequence[Example | Passage]) -> Found:
    """What of eval stands in the rows of a split."""
    found = Found(leaks=_named_alike(sealed.examples, split, rows))
    rewritten: dict[tuple[int, int], Leak] = {}
    known: set[tuple[int, int]] = set()
    for start, chunk in chunks([text_of(row) for row in rows]):
        for i, j, similarity, containment in sealed.inputs.matches(chunk):
            e, row = sealed.examples[j], rows[start + i]
            pair = pair_of(e, row, similarity, containment)
            if found.closest is None or similarity > found.closest.similarity:
                found.closest = pair
            if kind := _kind(sealed, j, pair, split, row):
                found.leaks.append(Leak(kind, split, pair))
                known.add((start + i, j))
        if sealed.rewritten is None or not isinstance(rows[start], Example):
            continue  # passages say what was asked about, in words like those of the question
        for i, j, similarity, containment in sealed.rewritten.matches(chunk):
            pair = pair_of(sealed.examples[j], rows[start + i], similarity, containment)
            rewritten[start + i, j] = Leak("rewritten", split, pair)
    found.suspects += [leak for place, leak in rewritten.items() if place not in known]
    return found


def _named_alike(
    examples: Sequence[Example], split: str, rows: Sequence[Example | Passage]
) -> list[Leak]:
    """Rows with an id or of a group of eval."""
    ids = {e.id: e for e in examples}
    groups = {e.group: e for e in examples}
    leaks = []
    for row in rows:
        if isinstance(row, Example):
            if row.id in ids:
                leaks.append(Leak("id", split, pair_of(ids[row.id], row)))
            elif row.group in groups:
                leaks.append(Leak("group", split, pair_of(groups[row.group], row)))
    return leaks


def _kind(sealed: Sealed, j: int, pair: Pair, split: str, row: Example | Passage) -> str | None:
    """The kind of leak that a similar pair is, or None."""
    long = sealed.inputs.sizes[j] >= SHORTEST
    if split in (TOOLS, INSTRUCTIONS) and not long:
        return None  # what a call looks up: a name, a number; a word that says how to answer
    if pair.similarity == 1 and normalize(pair.eval_text) == normalize(pair.text):
        return "text"
    if _source(row, sealed.examples[j]):
        return None
    if pair.similarity >= sealed.inputs.similar:
        return "near-duplicate"
    return "contained" if pair.containment >= sealed.inputs.contained and long else None


def _source(row: Example | Passage, e: Example) -> bool:
    """Whether an eval example names a passage as its source: that may sound like it."""
    return isinstance(row, Passage) and row.id in e.gold_passages
