"""How this process asks the operating system for memory."""

from __future__ import annotations

import ctypes
import sys

__all__ = ["keep_freed_memory"]

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3
"""glibc's malloc.h"""


def keep_freed_memory() -> None:
    """Let glibc keep what tensors give back, for the next tensor of that size.

    By default every large activation is returned to the kernel when it is freed and faulted in
    page by page when it is needed again, which costs a third of the time of a forward pass over a
    thousand tokens (docs/experiments.md). Does nothing on other C libraries.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return
    mallopt(M_MMAP_THRESHOLD, 32 << 20)  # the largest that glibc accepts
    mallopt(M_TRIM_THRESHOLD, 2**31 - 1)
    mallopt(M_TOP_PAD, 64 << 20)
