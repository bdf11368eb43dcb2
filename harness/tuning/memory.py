"""How much memory training takes."""

from __future__ import annotations

import gc
from types import TracebackType

import psutil
import torch
from torch import Tensor, nn

from harness.evidence.cost import Monitor
from harness.models.local.allocator import give_back_freed_memory

__all__ = ["MemoryWatch", "give_back", "weights_megabytes"]


def give_back(device: torch.device) -> None:
    """Free what training held, before what it left is loaded to answer: a Trainer refers to
    itself, and torch keeps a GPU's memory."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()


def weights_megabytes(model: nn.Module) -> float:
    """Of a model's weights as memory holds them.

    A weight that is used twice counts once; the scales of 4-bit weights count too.
    """
    tensors: list[Tensor] = [*model.parameters(), *model.buffers()]
    for parameter in model.parameters():
        if (state := getattr(parameter, "quant_state", None)) is not None:
            tensors += [v for v in state.as_dict().values() if isinstance(v, Tensor)]
    return sum({t.data_ptr(): t.nbytes for t in tensors}.values()) / 1e6


class MemoryWatch:
    """What a block takes beyond what was held before it: resident memory, plus a GPU's.

    What else the process holds, such as the models of other rungs, is not counted.
    """

    def __init__(self, model: nn.Module) -> None:
        self._model = model
        self._monitor = Monitor()

    @property
    def peak_megabytes(self) -> float:
        """The model's weights, and the most that was held beside them."""
        grown: float = self._monitor.peak_memory_mb - self._before
        return self._weights + max(0.0, grown)

    def __enter__(self) -> MemoryWatch:
        # Weights that are mapped from a file are resident only once they were read.
        for parameter in self._model.parameters():
            parameter.detach().sum()
        gc.collect()
        give_back_freed_memory()
        self._weights = weights_megabytes(self._model)
        self._before = psutil.Process().memory_info().rss / 1e6
        if torch.cuda.is_available():
            self._before += torch.cuda.memory_allocated() / 1e6
        self._monitor.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._monitor.__exit__(kind, error, trace)
