"""A full disk, a read-only one, and folders without permission: results, caches, MLflow's store.

As root on Linux the disk is a small tmpfs that is mounted below the trial's folder, so that ENOSPC
and EROFS are the kernel's own; the process that may not write has given up root's right to write
everywhere. Without root there is no mount: a limit of the size of files (EFBIG) takes the place of
the full disk, and the read-only one is left out; the table says which.
"""

from __future__ import annotations

import ctypes
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random

from bench.soak import checks
from bench.soak.finished import copied, finished, move_artifacts, only
from bench.soak.forks import fork
from bench.soak.tiny import LADDER, Tiny
from bench.soak.trial import Outcome, Place

__all__ = ["PROMISE", "run"]

PROMISE = "full, read-only or forbidden disk: one line with the folder, nothing lost, goes on"
ROOM = 256 * 2**20
"""Bytes of a disk with room; a tmpfs takes memory only for what is on it."""
PAGE = os.sysconf("SC_PAGE_SIZE")
MOUNTS = sys.platform == "linux" and hasattr(os, "geteuid") and os.geteuid() == 0
PARTS = {"results": ("results",), "cache": ("cache",), "store": ("mlflow.db", "mlartifacts")}
"""What is on the disk, by the name of what a run leaves."""
LEVELS = {"results": 10, "cache": 6, "store": 4}
"""How full the disk is, from nothing free to what the run writes: twenty levels in all."""
WITHOUT_RIGHTS = (1, 2)
"""CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH."""
CAPABILITIES_3 = 0x20080522


@dataclass(frozen=True)
class Disk:
    """A folder that can be filled, made read-only and closed."""

    folder: Path
    part: str
    """Of PARTS."""

    @property
    def words(self) -> tuple[str, ...]:
        """Overrides that put the part on the disk."""
        store = f"tracking.uri=sqlite:///{self.folder / 'mlflow.db'}"
        own = {"results": f"results={self.folder / 'results'}", "store": store}
        return (own[self.part],) if self.part in own else ()

    @property
    def environment(self) -> dict[str, str]:
        return {"HARNESS_CACHE": str(self.folder / "cache")} if self.part == "cache" else {}

    def results(self, tiny: Tiny) -> Path:
        return self.folder / "results" if self.part == "results" else tiny.results

    def cache(self, tiny: Tiny) -> Path:
        return (self.folder if self.part == "cache" else tiny.folder) / "cache"

    def store(self, tiny: Tiny) -> Path:
        return (self.folder if self.part == "store" else tiny.folder) / "mlflow.db"


@dataclass(frozen=True)
class Case:
    """One fault."""

    kind: str
    """ENOSPC, EROFS or EACCES."""
    part: str
    room: int = 0
    """Bytes that are free, if it is ENOSPC."""

    def __str__(self) -> str:
        return f"{self.kind} for the {self.part}" + f", {self.room:,} bytes" * (self.room > 0)


def run(place: Place) -> list[Outcome]:
    random = Random(place.seed)
    left = finished().tiny.folder
    written = {
        "results": [left / "results" / "tiny" / name for name in ("lora", "trained")],
        "cache": [left / "cache"],
        "store": [left / "mlflow.db", left / "mlartifacts"],
    }
    size = {part: sum(map(_size, paths)) for part, paths in written.items()}
    counts = {"results": 1, "cache": 1, "store": 0} if place.quick else LEVELS
    full = [
        Case("ENOSPC", part, round(size[part] * (i + random.random()) / count))
        for part, count in counts.items()
        for i in range(count)
    ]
    outcomes = [_outcome(place, full, "ENOSPC" if MOUNTS else "EFBIG (no root)")]
    if MOUNTS and not place.quick:
        parts = tuple(PARTS)
        outcomes.append(_outcome(place, [Case("EROFS", part) for part in parts], "EROFS"))
    parts = ("store",) if place.quick else tuple(PARTS)
    outcomes.append(_outcome(place, [Case("EACCES", part) for part in parts], "EACCES"))
    return outcomes


def _outcome(place: Place, cases: Sequence[Case], kind: str) -> Outcome:
    folders = [place.folder / f"{case.kind}-{i}" for i, case in enumerate(cases)]
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(_tried, folders, cases))
    said = [line for lines, _ in done for line in lines]
    failures = [
        f"seed {place.seed}, {case}: {'; '.join(problems)}"
        for case, (_, problems) in zip(cases, done, strict=True)
        if problems
    ]
    parts = ", ".join(dict.fromkeys(case.part for case in cases))
    figure = f"{len(said)} stopped or warned in one line, then went on with the same results"
    trial = f"{kind}: {len(cases)} for {parts}"
    return Outcome(PROMISE, trial, len(cases), len(cases) - len(failures), figure, tuple(failures))


def _tried(folder: Path, case: Case) -> tuple[Sequence[str], Sequence[str]]:
    """What the command said of the fault, and what was not held."""
    ended = finished().tiny
    tiny = copied(ended, folder)
    only(tiny, "lora")
    disk = Disk(tiny.folder / "disk", case.part)
    expected = checks.truths(ended.results)
    with _mounted(disk.folder) as fault:
        filled = case.part == "store" and case.kind == "ENOSPC"
        _move(tiny, disk, fresh=filled or case.part == "cache")
        with fault(case) as limits:
            first = fork(tiny, _words(disk), env=disk.environment, before=limits)
            code = first.wait()
        problems = [] if case.part == "store" else list(_lost(disk.results(tiny), expected))
        problems += checks.untrue(tiny, disk.results(tiny), disk.cache(tiny))
        lines = [s for s in first.said.splitlines() if s.startswith(("error: ", "warning: "))]
        if code == 0 and not lines:  # there was room enough
            lines = []
        elif case.part == "store":
            problems += [f"ended with {code}"] * bool(code)
            problems += [f"names no {disk.folder}: {lines}"] * (str(disk.folder) not in str(lines))
            problems += ["traceback"] * ("Traceback" in first.said)
        else:
            problems += checks.one_line(first.said)
            problems += [f"ended with {code}, not 2"] * (code != 2)
            problems += [f"names no {disk.folder}: {lines}"] * (str(disk.folder) not in str(lines))
            if case.kind == "ENOSPC" and MOUNTS and "bytes" not in str(lines):
                problems.append(f"says no bytes: {lines}")
        second = fork(tiny, _words(disk), env=disk.environment)
        if (again := second.wait()) or "Traceback" in second.said or "warning" in second.said:
            problems.append(f"with room again it ended with {again}: {second.said[-400:]}")
        problems += checks.same(disk.results(tiny), expected)
        problems += checks.untrue(tiny, disk.results(tiny), disk.cache(tiny))
        problems += checks.doubled(disk.results(tiny))
        problems += checks.mirrored(disk.store(tiny), disk.results(tiny))
    if not problems:
        shutil.rmtree(tiny.folder)
    return lines[:1], problems


def _move(tiny: Tiny, disk: Disk, *, fresh: bool) -> None:
    """Put what earlier runs left on the disk; if `fresh`, nothing was left."""
    for name in PARTS[disk.part]:
        if fresh:
            _forget(tiny.folder / name)
        else:
            shutil.move(tiny.folder / name, disk.folder / name)
    if disk.part == "store" and not fresh:
        move_artifacts(disk.folder / "mlflow.db", tiny.folder, disk.folder)


def _forget(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()


def _words(disk: Disk) -> tuple[str, ...]:
    return (*LADDER, *disk.words)


def _lost(results: Path, expected: dict[str, bytes]) -> Iterator[str]:
    """Finished runs that are not what they should be."""
    for name, content in checks.truths(results).items():
        if "ledger-" not in name and expected.get(name) != content:
            yield f"{name} was lost"


def _size(path: Path) -> int:
    """Bytes on disk of a file or of all files of a folder, in pages."""
    files = [p for p in path.rglob("*") if p.is_file()] if path.is_dir() else [path]
    return sum(-(-p.stat().st_size // PAGE) * PAGE for p in files)


Limits = Callable[[], None] | None


@contextmanager
def _mounted(folder: Path) -> Iterator[Callable[[Case], _Fault]]:
    """A disk in this folder, as long as the block lasts."""
    folder.mkdir()
    if not MOUNTS:
        yield partial(_Fault, folder)
        return
    _mount("-t", "tmpfs", "-o", f"size={ROOM}", "tmpfs", folder)
    try:
        yield partial(_Fault, folder)
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


class _Fault:
    """What is wrong with a disk, as long as the block lasts."""

    def __init__(self, folder: Path, case: Case) -> None:
        self.folder, self.case = folder, case

    def __enter__(self) -> Limits:
        if self.case.kind == "EACCES":
            self._permit(0o555)
            return _give_up_rights if MOUNTS else None
        if not MOUNTS:
            return partial(_limit_files, self.case.room)
        if self.case.kind == "EROFS":
            self._remount("ro")
        else:
            disk = os.statvfs(self.folder)
            used = (disk.f_blocks - disk.f_bfree) * disk.f_frsize
            self._remount(f"size={max(PAGE, used + self.case.room // PAGE * PAGE)}")
        return None

    def __exit__(self, *error: object) -> None:
        if self.case.kind == "EACCES":
            self._permit(0o755)
        elif MOUNTS:
            self._remount(f"rw,size={ROOM}")

    def _remount(self, options: str) -> None:
        _mount("-o", f"remount,{options}", self.folder)

    def _permit(self, mode: int) -> None:
        """All folders of the disk can be written in, or none."""
        for path in [self.folder, *self.folder.rglob("*")]:
            if path.is_dir():
                path.chmod(mode)


def _mount(*words: object) -> None:
    subprocess.run(["mount", *map(str, words)], check=True, capture_output=True)


def _limit_files(size: int) -> None:
    """No file of this process grows beyond so many bytes."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def _give_up_rights() -> None:
    """Root without the right to write where permissions forbid it."""
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(CAPABILITIES_3, 0)
    sets = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable; the low 32, then the rest
    if libc.capget(header, sets):
        raise OSError(ctypes.get_errno(), "capget")
    for number in WITHOUT_RIGHTS:
        for place in range(3):
            sets[place] &= ~(1 << number)
    if libc.capset(header, sets):
        raise OSError(ctypes.get_errno(), "capset")
