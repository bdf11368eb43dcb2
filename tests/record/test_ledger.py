"""The ledger counts what an eval set has judged, once each, whatever becomes of the runs."""

from __future__ import annotations

import shutil
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from harness.errors import ResultsError
from harness.record.ledger import Judged, configuration, judged, ledger_path, read, record
from tests.record.conftest import complete_run, sha256

MANIFEST: dict[str, Any] = {
    "control": None,
    "rung": "prompt",
    "variant": "rung.instructions=short",
    "model": "tiny",
    "fingerprints": {"eval": "e" * 64},
    "identity": {"task": {"eval": "e" * 64}, "rung": {"name": "prompt"}, "seed": None},
}


def manifest(number: int = 0, seed: int | None = None, **changes: Any) -> dict[str, Any]:
    """Of a run that differs from others in `number` and seed."""
    identity = MANIFEST["identity"] | {"rung": {"k": number}, "seed": seed}
    return MANIFEST | {"identity": identity} | changes


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return ledger_path(tmp_path, MANIFEST["fingerprints"]["eval"])


def test_a_configuration_is_one_line_that_says_what_it_was(tmp_path: Path, path: Path) -> None:
    record(tmp_path, MANIFEST)
    assert path.name == "ledger-eeeeeeee.jsonl"
    (line,) = read(path)
    expected = configuration(MANIFEST["identity"])
    assert line == Judged(expected, "prompt", "rung.instructions=short", "tiny", line.first)
    assert line.first.endswith("+00:00")


def test_a_configuration_counts_once_whatever_its_seeds_and_however_often_it_runs(
    tmp_path: Path, path: Path
) -> None:
    for seed in (0, 1, 2, 0):
        record(tmp_path, manifest(1, seed))
    assert judged(path) == 1
    first = read(path)
    record(tmp_path, manifest(2, 0))
    assert judged(path) == 2
    assert read(path)[:1] == first


def test_controls_are_not_counted(tmp_path: Path, path: Path) -> None:
    record(tmp_path, manifest(control={"kind": "majority", "of": None}))
    assert not path.exists()
    assert judged(path) == 0


def test_each_eval_set_has_a_ledger_of_its_own(tmp_path: Path, path: Path) -> None:
    record(tmp_path, manifest(1))
    record(tmp_path, manifest(1, fingerprints={"eval": "f" * 64}))
    assert judged(path) == judged(ledger_path(tmp_path, "f" * 64)) == 1


def test_a_deleted_run_stays_in_the_ledger(tmp_path: Path) -> None:
    for rung in ("prompt", "rag"):
        folder = complete_run(tmp_path, rung)
        record(folder.path.parents[1], folder.read("manifest.json"))
        shutil.rmtree(folder.path)
    assert judged(ledger_path(tmp_path / "tickets", sha256("eval"))) == 2


def test_a_half_written_last_line_is_written_over(tmp_path: Path, path: Path) -> None:
    record(tmp_path, manifest(1))
    whole = path.read_bytes()
    for end in range(1, len(whole)):
        path.write_bytes(whole + whole[:end])
        assert judged(path) == 1
        record(tmp_path, manifest(2))
        assert [one.configuration for one in read(path)] == [
            configuration(manifest(number)["identity"]) for number in (1, 2)
        ]


@pytest.mark.parametrize("content", [b"{\n", b"[]\n", b'{"rung": "prompt"}\n', b"\xff\n"])
def test_any_other_broken_line_is_named_with_the_fix(
    tmp_path: Path, path: Path, content: bytes
) -> None:
    record(tmp_path, MANIFEST)
    path.write_bytes(path.read_bytes() + content)
    with pytest.raises(ResultsError, match=r"jsonl:2: cannot be read \(.*fix or delete the line"):
        judged(path)


def test_several_processes_lose_nothing_and_repeat_nothing(tmp_path: Path, path: Path) -> None:
    lines = [manifest(number % 20, seed=number) for number in range(60)]
    with ProcessPoolExecutor(4) as pool:
        list(pool.map(partial(record, tmp_path), lines))
    assert judged(path) == len(read(path)) == 20
