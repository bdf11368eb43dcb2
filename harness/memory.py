"""Memory that ran out, however a library says it."""

from __future__ import annotations

import errno
import re

from harness.errors import first_line

__all__ = ["no_memory", "out_of_memory"]

SIGNS = re.compile(
    "allocate memory|bad_alloc|bad allocation|out of memory|unable to allocate"
    "|failed to map segment|can't start new thread|resource temporarily unavailable"
    # oneDNN's; behind "primitive descriptor" it has no such computation.
    "|could not create a primitive$",
    re.IGNORECASE,
)
"""What torch, NumPy, the C++ library, the loader of libraries, Python and Rust say then."""


def out_of_memory(error: BaseException) -> bool:
    """Whether an exception says that there was no more memory, of the machine or of a GPU.

    >>> out_of_memory(RuntimeError("DefaultCPUAllocator: can't allocate memory"))
    True
    """
    if isinstance(error, MemoryError):
        return True
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM or "os error 12" in str(error)
    # A panic of a library in Rust is no Exception, and its class cannot be imported.
    told = isinstance(error, RuntimeError | ImportError) or type(error).__name__ == "PanicException"
    return told and SIGNS.search(str(error)) is not None


def no_memory(error: BaseException) -> str | None:
    """What to do about it, in one line; None for other errors."""
    if not out_of_memory(error):
        return None
    return (
        f"memory ran out ({first_line(error)[:120]}); fix: batch_size=1, less data, a smaller "
        "model or more memory; then the same command goes on where it stopped"
    )
