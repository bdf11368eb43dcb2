"""What must be true of a folder whatever happened in it, read from disk without harness's help."""

from __future__ import annotations

import json
import sqlite3
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from bench.soak.tiny import Tiny
from harness.files import file_sha256

__all__ = [
    "doubled",
    "held_locks",
    "made_again",
    "mirrored",
    "one_line",
    "same",
    "truths",
    "untrue",
    "whole",
]

VARYING = ("seconds", "computed_tokens", "batch")
"""Of a prediction: how long it took, and what it was answered together with, which is another
company after an interruption."""


def truths(results: Path) -> dict[str, bytes]:
    """What runs found, by file: metrics and scores byte by byte, predictions without VARYING; and
    the configurations that the ledger counts."""
    found = {}
    for mark in sorted(results.rglob("complete.json")):
        for name in ("metrics.json", "scores.jsonl", "predictions.jsonl"):
            data = (mark.parent / name).read_bytes()
            key = str((mark.parent / name).relative_to(results))
            found[key] = _steady(data) if name == "predictions.jsonl" else data
    for ledger in sorted(results.glob("*/ledger-*.jsonl")):
        judged = [json.loads(line)["configuration"] for line in ledger.read_bytes().splitlines()]
        found[str(ledger.relative_to(results))] = "\n".join(sorted(judged)).encode()
    return found


def same(results: Path, expected: dict[str, bytes]) -> Iterator[str]:
    """What differs from what was expected, file by file."""
    found = truths(results)
    for name in sorted(expected.keys() | found.keys()):
        if name not in found:
            yield f"{name} is missing"
        elif name not in expected:
            yield f"{name} is one too many"
        elif found[name] != expected[name]:
            yield f"{name} differs"


def whole(cache: Path, pattern: str) -> list[Path]:
    """What a cache holds for good: neither locks nor scratch."""
    return [p for p in sorted(cache.glob(pattern)) if not p.name.startswith((".", "fetch-"))]


def untrue(tiny: Tiny, results: Path | None = None, cache: Path | None = None) -> Iterator[str]:
    """What looks complete and is not: marks whose files are others, weights and caches that are
    not what their names or reports say."""
    for mark in sorted((results or tiny.results).rglob("complete.json")):
        for name, sha256 in json.loads(mark.read_bytes())["sha256"].items():
            path = mark.parent / name
            if not path.exists() or file_sha256(path) != sha256:
                yield f"{path}: not the file that complete.json vouches for"
    for report in sorted((results or tiny.results).rglob("trained/*/training.json")):
        weights = report.parent / "adapter" / "adapter_model.safetensors"
        told = json.loads(report.read_bytes())["sha256"]
        if not weights.exists() or file_sha256(weights) != told:
            yield f"{weights}: not the weights that training.json vouches for"
    yield from _untrue_cache(tiny, cache or tiny.folder / "cache")


def _untrue_cache(tiny: Tiny, cache: Path) -> Iterator[str]:
    for path in sorted(cache.glob("embeddings/*.npz")):
        if not zipfile.is_zipfile(path) or zipfile.ZipFile(path).testzip():
            yield f"{path}: cannot be read"
    for folder in whole(cache, "dequantized/*"):
        if not (folder / "tokenizer_config.json").exists():
            yield f"{folder}: half de-quantized"
    for path in whole(cache, "wheels/*/*"):
        ours = tiny.folder / "models" / path.name
        for each in sorted(p for p in ours.rglob("*") if p.is_file()) or [ours]:
            copy = path / each.relative_to(ours) if ours.is_dir() else path
            if not copy.exists() or copy.read_bytes() != each.read_bytes():
                yield f"{copy}: half fetched"


def doubled(results: Path) -> Iterator[str]:
    """Answers and configurations that were written down more than once."""
    keys = {"predictions.jsonl": "id", "dev_predictions.jsonl": "id", "scores.jsonl": "id"}
    for name, key in [*keys.items(), ("ledger-*.jsonl", "configuration")]:
        for path in sorted(results.rglob(name)):
            counts = Counter(json.loads(line)[key] for line in path.read_bytes().splitlines())
            if counts and max(counts.values()) > 1:
                yield f"{path}: {counts.most_common(1)[0]} times"


def held_locks(folder: Path) -> Iterator[str]:
    """Locks that nobody can take although nobody runs."""
    for path in sorted(folder.rglob("*.lock")):
        try:
            with FileLock(path, timeout=0):
                pass
        except Timeout:
            yield f"{path}: is held by nobody who lives"


def mirrored(store: Path, results: Path) -> Iterator[str]:
    """Complete runs that are not in the tracking store exactly once, and others that are there."""
    query = (
        "SELECT t.value, count(*), count(c.value) FROM runs r "
        "JOIN tags k ON k.run_uuid = r.run_uuid AND k.key = 'harness.kind' AND k.value = 'run' "
        "JOIN tags t ON t.run_uuid = r.run_uuid AND t.key = 'harness.run' "
        "LEFT JOIN tags c ON c.run_uuid = r.run_uuid AND c.key = 'harness.complete' "
        "WHERE r.lifecycle_stage = 'active' GROUP BY t.value"
    )
    if not store.exists():
        yield f"{store}: is not there"
        return
    database = sqlite3.connect(store)
    try:
        told = {name: (times, whole) for name, times, whole in database.execute(query)}
    except sqlite3.Error as error:
        yield f"{store}: {error}"
        return
    finally:
        database.close()
    runs = {str(m.parent.relative_to(results)) for m in results.rglob("complete.json")}
    for name in sorted(runs | told.keys()):
        times, whole = told.get(name, (0, 0))
        if name not in runs:
            yield f"{name}: is mirrored, and is no complete run"
        elif (times, whole) != (1, 1):
            yield f"{name}: is mirrored {times} times, {whole} times whole"


def made_again(store: Path) -> Iterator[str]:
    """Runs whose mirror was replaced, because a second process had made them again."""
    database = sqlite3.connect(store)
    query = "SELECT count(*) FROM runs WHERE lifecycle_stage <> 'active'"
    ((count,),) = database.execute(query)
    database.close()
    if count:
        yield f"{store}: {count} runs were mirrored, then replaced"


def one_line(said: str, start: str = "error: ") -> Iterator[str]:
    """What is wrong with a complaint: it is one line of this beginning, without a traceback."""
    if "Traceback (most recent call last)" in said:
        yield f"traceback: {said.strip().splitlines()[-1][:200]}"
    lines = [line for line in said.splitlines() if line.startswith(start)]
    if len(lines) != 1:
        yield f"{len(lines)} lines begin with '{start}': {said[-200:]!r}"


def _steady(predictions: bytes) -> bytes:
    """Predictions without what another company changes, one a line and sorted: answers that end in
    the same step are written in the order in which they stood side by side."""
    lines = []
    for line in predictions.splitlines():
        record = json.loads(line)
        for name in VARYING:
            record.pop(name, None)
        lines.append(json.dumps(record, sort_keys=True))
    return "\n".join(sorted(lines)).encode()
