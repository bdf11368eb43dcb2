"""How the threads of OpenMP wait for each other, set before torch is loaded.

A thread of GCC's OpenMP that has nothing to do spins about 3 ms before it sleeps. With a core to
each that is harmless; beside a busy process a spinning thread keeps the core from the very thread
it waits for, and answering all but stands still (docs/experiments.md). A short spin costs nothing
alone, and most of that is gone. The library reads its settings once, when it is loaded, so this
must run first.
"""

from __future__ import annotations

import os
from collections.abc import MutableMapping

__all__ = ["wait_briefly"]

SPINS = "1000"
"""Turns of a loop; about 10 microseconds."""


def wait_briefly(environment: MutableMapping[str, str] = os.environ) -> None:
    """Let waiting threads sleep soon, unless the user has said how they should wait."""
    if not {"GOMP_SPINCOUNT", "OMP_WAIT_POLICY"} & set(environment):
        environment["GOMP_SPINCOUNT"] = SPINS
