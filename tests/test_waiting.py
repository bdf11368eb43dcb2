"""How waiting threads are set, and that a user's own setting wins."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from harness.waiting import SPINS

NAMES = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")


@pytest.mark.parametrize("module", ["harness", "harness.__main__", "harness.models.local", "bench"])
@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, [SPINS, None]),
        ({"GOMP_SPINCOUNT": "7"}, ["7", None]),
        ({"OMP_WAIT_POLICY": "ACTIVE"}, [None, "ACTIVE"]),
    ],
)
def test_threads_wait_briefly_unless_the_user_said_how(
    module: str, given: dict[str, str], expected: list[str | None]
) -> None:
    environment = {k: v for k, v in os.environ.items() if k not in NAMES} | given
    # What the first import of torch finds, or the end if there is none.
    code = f"""
import sys
class Watch:
    def find_spec(self, name, path=None, target=None):
        if name == "torch":
            raise SystemExit(report())
def report():
    import os
    print([os.environ.get(n) for n in {NAMES}])
sys.meta_path.insert(0, Watch())
import {module}
report()
"""
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == str(expected)
