"""How this process asks the operating system for memory."""

from __future__ import annotations

import ctypes
import sys
from typing import Any

__all__ = ["give_back_freed_memory", "keep_freed_memory"]

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3
"""glibc's malloc.h"""


def keep_freed_memory() -> None:
    """Let glibc keep what tensors give back, for the next tensor of that size.

    By default every large activation is returned to the kernel when it is freed and faulted in
    page by page when it is needed again, which costs a third of the time of a forward pass over a
    thousand tokens (docs/experiments.md). Does nothing on other C libraries.
    """
    mallopt = _glibc("mallopt")
    if mallopt is None:
        return
    mallopt(M_MMAP_THRESHOLD, 32 << 20)  # the largest that glibc accepts
    mallopt(M_TRIM_THRESHOLD, 2**31 - 1)
    mallopt(M_TOP_PAD, 64 << 20)


def give_back_freed_memory() -> None:
    """Return to the kernel what is kept, once: what the process holds is then what it uses."""
    malloc_trim = _glibc("malloc_trim")
    if malloc_trim is not None:
        malloc_trim(0)


def _glibc(name: str) -> Any:
    """A function of the C library; None where it has none of that name."""
    if not sys.platform.startswith("linux"):
        return None
    return getattr(ctypes.CDLL(None), name, None)
