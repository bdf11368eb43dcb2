"""Inputs that mean the same as one of eval, by sentence embeddings: a hint.

How near two inputs of a task are by the cosine alone says little where all of them are about the
same few things. So a line is suspected that is much nearer to an eval input than the lines that
come next: a ratio of cosines (as Artetxe and Schwenk 2019, "Margin-based parallel corpus mining",
mine translations).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from harness.evidence.isolation.certificate import Leak, pair_of
from harness.task import Example

__all__ = ["Encoder", "paraphrases"]

NEXT = 4
"""Lines after the nearest one that it is held against."""
NEAR = 0.5
"""Cosine below which no line is suspected, however far the others are."""
CELLS = 1 << 24
"""Cosines computed at a time, which bounds the memory."""


class Encoder(Protocol):
    """What embeds texts: unit vectors of shape [texts, dimension]."""

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """One vector for each text."""


def paraphrases(
    encoder: Encoder,
    sealed: Sequence[Example],
    rows: Sequence[tuple[str, Example]],
    ratio: float,
    known: Collection[tuple[str, str]],
) -> list[Leak]:
    """For each eval input the nearest row, if its cosine is at least `ratio` times the mean of the
    NEXT nearest; `rows` are examples with the names of their splits, `known` pairs of places that
    are leaks or suspected already."""
    if len(rows) <= NEXT or not sealed:
        return []
    questions = encoder.encode([e.input for e in sealed])
    vectors = encoder.encode([row.input for _, row in rows])
    step = max(1, CELLS // len(rows))
    found = []
    for start in range(0, len(sealed), step):
        cosines = questions[start : start + step] @ vectors.T
        top = np.sort(np.partition(cosines, -NEXT - 1, axis=1)[:, -NEXT - 1 :], axis=1)
        least = np.maximum(ratio * top[:, :-1].mean(axis=1), NEAR)
        for i in np.flatnonzero(top[:, -1] >= least):
            e, (split, row) = sealed[start + int(i)], rows[int(cosines[i].argmax())]
            if (e.where, row.where) not in known:
                pair = pair_of(e, row, min(float(top[i, -1]), 1.0))
                found.append(Leak("paraphrase", split, pair))
    return found
