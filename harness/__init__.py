"""harness: what does fine-tuning actually add over the cheaper ways, on *our* task?"""

from __future__ import annotations

import logging
from typing import Any

from harness.waiting import wait_briefly

wait_briefly()  # before anything imports torch
# Before PEFT imports it: it warns of a kernel that is not installed, and that is not needed.
logging.getLogger("bitsandbytes").setLevel(logging.ERROR)

__version__ = "0.1.0"
__all__ = [
    "HarnessError",
    "Results",
    "Task",
    "compare",
    "compare_all",
    "compose",
    "load_results",
    "load_task",
]

_HOMES = {
    "HarnessError": "harness.errors",
    "Results": "harness.record.results",
    "Task": "harness.task",
    "compare": "harness.experiment",
    "compare_all": "harness.experiment",
    "compose": "harness.experiment",
    "load_results": "harness.record.results",
    "load_task": "harness.load",
}


def __getattr__(name: str) -> Any:
    """Public names are imported when first used, so that `--help` does not wait for torch."""
    if name not in _HOMES:
        raise AttributeError(f"module 'harness' has no attribute '{name}'")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
