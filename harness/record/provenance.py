"""Where a result comes from: versions, commit, machine."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from harness import __version__
from harness.home import INSTALLED

__all__ = ["git_commit", "machine", "versions"]

PACKAGES = (
    "torch",
    "transformers",
    "peft",
    "accelerate",
    "sentence-transformers",
    "faiss-cpu",
    "datasets",
    "evaluate",
    "hydra-core",
    "mlflow",
)
NOT_EVERYWHERE = ("bitsandbytes",)
"""Packages without a wheel for every machine."""


def versions() -> dict[str, str]:
    """Ours, Python's and those of the packages that a result depends on."""
    there = [name for name in NOT_EVERYWHERE if find_spec(name)]
    found = {name: metadata.version(name) for name in (*PACKAGES, *there)}
    return {"harness": __version__, "python": platform.python_version(), **found}


def git_commit() -> str | None:
    """The commit of this checkout, with `-dirty` if it was changed; None outside of one."""
    # An installed package may lie inside a repository, but that is another project's.
    if INSTALLED or shutil.which("git") is None:
        return None
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() or None


def machine() -> dict[str, str | int | None]:
    """Operating system, processor and how many of its cores this process may use."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {"platform": platform.platform(), "processor": _processor(), "cores": cores}


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor()
