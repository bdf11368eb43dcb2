"""What a rung costs."""

from __future__ import annotations

import threading
import time
from types import TracebackType

import psutil

__all__ = ["Monitor"]

PERIOD = 1.0
"""Seconds between two looks at the machine."""


class Monitor:
    """Watches this process and the machine while a block runs.

    The operating system's own high-water mark covers the whole process, and the rungs of a sweep
    share one; hence the looks. `samples` has the time, the processor's and the memory's use.
    """

    def __init__(self) -> None:
        self.samples: list[dict[str, float]] = []
        self._process = psutil.Process()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    @property
    def peak_memory_mb(self) -> float:
        """The most that this process held: resident, plus a GPU's."""
        return max(
            s["process_memory_megabytes"] + s.get("gpu_memory_megabytes", 0.0) for s in self.samples
        )

    def __enter__(self) -> Monitor:
        import torch

        if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
            torch.cuda.reset_peak_memory_stats()  # an earlier block's peak is not this one's
        psutil.cpu_percent()  # the first call only sets the clock
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while True:
            self.samples.append(self._look())
            if self._over.wait(PERIOD):
                self.samples.append(self._look())
                return

    def _look(self) -> dict[str, float]:
        import torch

        sample = {
            "time": time.time(),
            "cpu_utilization_percentage": psutil.cpu_percent(),
            "system_memory_usage_percentage": psutil.virtual_memory().percent,
            "process_memory_megabytes": self._process.memory_info().rss / 1e6,
        }
        if torch.cuda.is_available():
            sample["gpu_memory_megabytes"] = torch.cuda.max_memory_allocated() / 1e6
        return sample
