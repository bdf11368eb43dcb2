"""All pairs of texts that share much, exactly: sparse matrix products, and no sketch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from scipy import sparse

from harness.evidence.isolation.features import Features, Integers, chunks, grams, lines

__all__ = ["NEVER", "Table", "similar_pairs"]

COMMON = 64
"""Features of more eval texts than this are left out of the product where they can be."""
PAIRS = 1 << 14
"""Pairs that are compared exactly at a time, which bounds the memory."""
NEVER = 2.0
"""A threshold that no text reaches."""


class Table:
    """The features of eval, ready to be multiplied with those of many lines.

    A pair over the lower threshold t shares at least t * n of the eval text's n features. So the
    commonest are left out of the product, fewer than t * n of each text, which keeps it sparse and
    misses nothing (the prefix filter of Bayardo et al. 2007, "Scaling up all pairs similarity
    search"). Pairs that could reach a threshold if they had all that was left out are then
    compared exactly.
    """

    def __init__(
        self, features: Features, texts: Sequence[bytes], similar: float, contained: float
    ) -> None:
        self.features, self.similar, self.contained = features, similar, contained
        found, row = features(texts)
        self.vocabulary, column, frequency = np.unique(
            found, return_inverse=True, return_counts=True
        )
        self.sizes = np.bincount(row, minlength=len(texts))
        self.whole = _matrix(row, column, (len(texts), len(self.vocabulary)))
        order = np.lexsort((-frequency[column], row))
        row, column = row[order], column[order]
        rank = np.arange(len(row)) - np.repeat(self.sizes.cumsum() - self.sizes, self.sizes)
        threshold = min(similar, contained)
        spare = np.ceil(threshold * self.sizes) - 1
        out = (frequency[column] > COMMON) & (rank < spare[row])
        left_out = np.bincount(row[out], minlength=len(texts))
        self.needed = threshold * self.sizes - left_out - 1e-9  # rounding must not lose a pair
        self.rare = _matrix(column[~out], row[~out], self.whole.shape[::-1])

    def matches(self, texts: Sequence[bytes]) -> Iterator[tuple[int, int, float, float]]:
        """(line, eval text, similarity, containment) of all pairs over a threshold, and of the
        one that looks most similar."""
        found, row = self.features(texts)
        sizes = np.bincount(row, minlength=len(texts))
        # Sorted features make this search a walk through the vocabulary.
        place = np.searchsorted(self.vocabulary, found).clip(max=len(self.vocabulary) - 1)
        known = self.vocabulary[place] == found
        rows = _matrix(row[known], place[known], (len(texts), len(self.vocabulary)))
        product = (rows @ self.rare).tocoo()
        if not product.nnz:
            return
        keep = product.data >= self.needed[product.col]
        keep[np.argmax(product.data / (sizes[product.row] + self.sizes[product.col]))] = True
        pairs = np.stack([product.row[keep], product.col[keep]])
        for i, j in (pairs[:, at : at + PAIRS] for at in range(0, pairs.shape[1], PAIRS)):
            shared = np.asarray(rows[i].multiply(self.whole[j]).sum(axis=1)).ravel()
            similarity = shared / (sizes[i] + self.sizes[j] - shared)
            containment = shared / self.sizes[j]
            over = (similarity >= self.similar) | (containment >= self.contained)
            over[np.argmax(similarity)] = True
            numbers = (values[over].tolist() for values in (i, j, similarity, containment))
            yield from zip(*numbers, strict=True)


def similar_pairs(texts: Sequence[str], at_least: float) -> Iterator[tuple[int, int, float]]:
    """Places of two texts, the first one first, and their Jaccard similarity: all pairs of at least
    so much, above 0 and at most 1."""
    table = Table(grams, lines(texts), at_least, NEVER)
    for start, chunk in chunks(texts):
        for i, j, similarity, _ in table.matches(chunk):
            if j < start + i and similarity >= at_least:
                yield j, start + i, similarity


def _matrix(row: Integers, column: Integers, shape: tuple[int, int]) -> Any:
    """Ones at these places of a sparse matrix."""
    return sparse.csr_matrix((np.ones(len(row), np.int32), (row, column)), shape=shape)
