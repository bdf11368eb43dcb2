"""Inputs that mean the same as one of eval, by the cosine of sentence embeddings: a hint."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from harness.evidence.isolation.certificate import Leak, pair_of
from harness.task import Example

__all__ = ["Encoder", "paraphrases"]

ROWS = 4096
"""Inputs compared at a time, which bounds the memory."""


class Encoder(Protocol):
    """What embeds texts: unit vectors of shape [texts, dimension]."""

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """One vector for each text."""


def paraphrases(
    encoder: Encoder,
    sealed: Sequence[Example],
    split: str,
    rows: Sequence[Example],
    at_least: float,
    known: Collection[tuple[str, str]],
) -> list[Leak]:
    """Rows whose nearest eval input has at least this cosine; `known` are pairs of places that are
    leaks or suspected already."""
    if not rows or not sealed:
        return []
    questions = encoder.encode([e.input for e in sealed])
    vectors = encoder.encode([row.input for row in rows])
    found = []
    for start in range(0, len(rows), ROWS):
        cosines = vectors[start : start + ROWS] @ questions.T
        for i, j in enumerate(cosines.argmax(axis=1)):
            e, row, cosine = sealed[j], rows[start + i], float(cosines[i, j])
            if cosine >= at_least and (e.where, row.where) not in known:
                found.append(Leak("paraphrase", split, pair_of(e, row, min(cosine, 1.0))))
    return found
