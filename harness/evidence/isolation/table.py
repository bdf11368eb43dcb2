"""All pairs of texts that share much, exactly: sparse matrix products, and no sketch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from harness.evidence.isolation.features import Features, Integers, chunks, grams, lines

__all__ = ["NEVER", "Table", "similar_pairs"]

COMMON = 64
"""Features of more eval texts than this are left out of products where they can be."""
SURPLUS = 0.2
"""Of the features that a similar pair must share: so many of them it must share in its products.
More make these denser, fewer leave more pairs to be compared."""
PAIRS = 1 << 14
"""Pairs that are compared exactly at a time, which bounds the memory."""
NEVER = 2.0
"""A threshold that no text reaches."""


@dataclass(frozen=True)
class _Join:
    """The rare features of eval, by which pairs over one threshold are found."""

    threshold: float
    both: bool
    """Whether it is a share of either text's features, so that the line's rare ones suffice."""
    rows: Any
    """A sparse matrix of ones, of shape [eval texts, features]."""
    least: Integers
    """How many of them each text shares at least with one over the threshold."""


class Table:
    """The features of eval, ready to be multiplied with those of many lines.

    Two texts over a threshold share so many features that, of either, the rarest have some in
    common (the prefix filter of Bayardo et al. 2007, "Scaling up all pairs similarity search",
    with several features as in Wang et al. 2012, "Can we beat the prefix filtering?"). So common
    features stay out of the products, which keeps them sparse and misses nothing. Pairs that share
    enough of the rare ones are then compared exactly.
    """

    def __init__(
        self, features: Features, texts: Sequence[bytes], similar: float, contained: float
    ) -> None:
        self.features, self.similar, self.contained = features, similar, contained
        found, row = features(texts)
        self.vocabulary, place, frequency = np.unique(
            found, return_inverse=True, return_counts=True
        )
        self.sizes = np.bincount(row, minlength=len(texts))
        # Columns are numbered from the rarest feature to the commonest.
        order = np.argsort(frequency, kind="stable")
        self.column = np.argsort(order)
        self.frequency = frequency[order]
        row, column = _by_rarity(row, self.column[place])
        self.shape = len(texts), len(self.vocabulary)
        self.whole = _matrix(row, column, self.shape)
        self.joins = [
            _Join(threshold, both, *self._rare(row, column, self.sizes, threshold))
            for threshold, both in ((similar, True), (contained, False))
            if threshold <= 1
        ]

    def matches(self, texts: Sequence[bytes]) -> Iterator[tuple[int, int, float, float]]:
        """(line, eval text, similarity, containment) of all pairs over a threshold, and of the
        one that looks most similar."""
        found, row = self.features(texts)
        sizes = np.bincount(row, minlength=len(texts))
        # Sorted features make this search a walk through the vocabulary.
        place = np.searchsorted(self.vocabulary, found).clip(max=len(self.vocabulary) - 1)
        known = self.vocabulary[place] == found
        row, column = _by_rarity(row[known], self.column[place[known]])
        whole = _matrix(row, column, (len(texts), self.shape[1]))
        candidates: list[Integers] = []
        for join in self.joins:
            rows, least = whole, np.full(len(texts), len(self.vocabulary))
            if join.both:
                rows, least = self._rare(row, column, sizes, join.threshold)
            product = rows @ join.rows.T
            if not product.nnz:
                continue
            # Of tens of millions of pairs all but a few share too little for any text.
            floor = min(least.min(), join.least.min(), product.data.max())
            place = np.flatnonzero(product.data >= floor)
            i, j = np.searchsorted(product.indptr, place, "right") - 1, product.indices[place]
            count = product.data[place]
            keep = count >= np.minimum(least[i], join.least[j])
            keep[np.argmax(count / (sizes[i] + self.sizes[j]))] = True
            candidates.append(i[keep] * self.shape[0] + j[keep])
        if not candidates:
            return
        pairs = np.stack(np.divmod(np.unique(np.concatenate(candidates)), self.shape[0]))
        for i, j in (pairs[:, at : at + PAIRS] for at in range(0, pairs.shape[1], PAIRS)):
            shared = np.asarray(whole[i].multiply(self.whole[j]).sum(axis=1)).ravel()
            similarity = shared / (sizes[i] + self.sizes[j] - shared)
            containment = shared / self.sizes[j]
            over = (similarity >= self.similar) | (containment >= self.contained)
            over[np.argmax(similarity)] = True
            numbers = (values[over].tolist() for values in (i, j, similarity, containment))
            yield from zip(*numbers, strict=True)

    def _rare(
        self, row: Integers, column: Integers, sizes: Integers, threshold: float
    ) -> tuple[Any, Integers]:
        """The rarest features of texts, as a matrix, and how many of them, at least, a text has in
        common with one that has the share `threshold` of all of its features.

        Of features in order of rarity; those that eval does not have are rarer than all others.
        """
        known = np.bincount(row, minlength=len(sizes))
        rank = np.arange(len(row)) - np.repeat(known.cumsum() - known, known)
        rank += (sizes - known)[row]
        shared = np.ceil(threshold * sizes - 1e-9).astype(np.int64)  # rounding must lose no pair
        least = np.ceil(SURPLUS * shared).astype(np.int64)
        rare = (rank < (sizes - shared + least)[row]) | (self.frequency[column] <= COMMON)
        return _matrix(row[rare], column[rare], (len(sizes), self.shape[1])), least


def similar_pairs(texts: Sequence[str], at_least: float) -> Iterator[tuple[int, int, float]]:
    """Places of two texts, the first one first, and their Jaccard similarity: all pairs of at least
    so much, above 0 and at most 1."""
    table = Table(grams, lines(texts), at_least, NEVER)
    for start, chunk in chunks(texts):
        for i, j, similarity, _ in table.matches(chunk):
            if j < start + i and similarity >= at_least:
                yield j, start + i, similarity


def _by_rarity(row: Integers, column: Integers) -> tuple[Integers, Integers]:
    """Places of a matrix, row by row, in each from the rarest feature on."""
    order = np.lexsort((column, row))
    return row[order], column[order]


def _matrix(row: Integers, column: Integers, shape: tuple[int, int]) -> Any:
    """Ones at these places of a sparse matrix."""
    return sparse.csr_matrix((np.ones(len(row), np.int32), (row, column)), shape=shape)
