"""Memory that ran out is known by what libraries say of it."""

from __future__ import annotations

import errno

import pytest

from harness.memory import no_memory, out_of_memory


class PanicException(BaseException):
    """Named as what PyO3 raises."""


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        MemoryError("Unable to allocate 2.00 TiB for an array"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:124] . DefaultCPUAllocator: can't allocate memory"),
        RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("std::bad_alloc"),
        RuntimeError("could not create a primitive"),
        PanicException('ThreadPoolBuildError { kind: "Resource temporarily unavailable" }'),
        RuntimeError("can't start new thread"),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
        ImportError("libtorch_cpu.so: failed to map segment from shared object"),
    ],
    ids=repr,
)  # fmt: skip
def test_memory_that_ran_out(error: BaseException) -> None:
    assert out_of_memory(error)
    said = no_memory(error)
    assert said is not None and "fix: batch_size=1" in said


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("shapes do not fit"),
        RuntimeError("could not create a primitive descriptor for a matmul primitive"),
        OSError(errno.ENOENT, "gone"),
        ValueError("out of memory"),
    ],
    ids=repr,
)
def test_something_else(error: Exception) -> None:
    assert not out_of_memory(error)
    assert no_memory(error) is None
