"""Training examples as the Trainer wants them: its rows, their order, and batches of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from transformers.trainer_pt_utils import get_length_grouped_indices

from harness.tuning.flat_batches import Collate, Encoded

__all__ = ["GroupedByLength", "Rows", "batch_of"]


class Rows(torch.utils.data.Dataset[dict[str, Any]]):
    """Encoded examples as the Trainer wants them: rows that tell their length."""

    def __init__(self, examples: Sequence[Encoded]) -> None:
        self.examples = examples

    def __len__(self) -> int:
        return len(self.examples)

    def __getitem__(self, index: int) -> dict[str, Any]:
        example = self.examples[index]
        ids = example.prompt + example.completion
        return {"example": example, "place": index, "input_ids": ids}


def batch_of(rows: Sequence[dict[str, Any]], collate: Collate) -> dict[str, Any]:
    """A batch, and as `examples` [sequences, 2] the place of each and its tokens that bear loss."""
    examples = [row["example"] for row in rows]
    told = [[row["place"], len(row["example"].completion)] for row in rows]
    return collate(examples) | {"examples": torch.tensor(told)}


class GroupedByLength(torch.utils.data.Sampler[int]):
    """Batches of like length, shuffled by seed and epoch alone: resuming finds its place."""

    def __init__(self, lengths: Sequence[int], batch_size: int, seed: int) -> None:
        self.lengths = list(lengths)
        self.batch_size = batch_size
        self.seed = seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.lengths)

    def __iter__(self) -> Iterator[int]:
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + self.epoch)
        return iter(get_length_grouped_indices(self.lengths, self.batch_size, generator=generator))
