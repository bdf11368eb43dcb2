"""Files that are there whole or not at all, on disks that are full or were cut off from power."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from harness import files
from harness.files import SUMS, changed, vouch, write_whole, writing


def full(*arguments: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_file_that_finds_no_room_is_named_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "metrics.json"
    write_whole(path, "before")
    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(OSError, match="No space left") as caught:
        write_whole(path, "after")
    assert caught.value.filename == str(path)
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_library_that_finds_no_room_says_so_in_the_systems_words(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No space left") as caught, writing(tmp_path):
        raise RuntimeError("I/O error: No space left on device (os error 28)")
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, str(tmp_path))
    with pytest.raises(RuntimeError, match="another"), writing(tmp_path):
        raise RuntimeError("another")


def test_on_a_full_disk_a_librarys_error_is_about_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "free_bytes", lambda path: 0)
    with pytest.raises(OSError, match="No space left"), writing(tmp_path):
        raise RuntimeError("PytorchStreamWriter failed writing file")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "weights").write_bytes(b"12345")
    (tmp_path / "config").write_bytes(b"{}")
    return tmp_path


def test_what_is_vouched_for_is_known_to_have_changed(folder: Path) -> None:
    assert changed(folder) is None, "nobody vouched for it"
    vouch(folder)
    assert changed(folder) is None
    (folder / "sub" / "weights").write_bytes(b"12045")
    assert changed(folder) == "sub/weights"
    assert changed(folder, content=False) is None, "of the same size"
    (folder / "sub" / "weights").write_bytes(b"123")
    assert changed(folder, content=False) == "sub/weights"


def test_a_missing_file_and_cut_sums_are_changes(folder: Path) -> None:
    vouch(folder)
    (folder / "config").unlink()
    assert changed(folder) == "config"
    os.truncate(folder / SUMS, 20)
    assert changed(folder) == SUMS
