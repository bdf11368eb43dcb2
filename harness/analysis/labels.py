"""What runs are called in tables: their rung, and whatever tells them apart."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from harness.record import ledger
from harness.record.manifest import MODEL_FREE, altered

__all__ = ["labels", "shared_words"]


def labels(manifests: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """The rung's name, with the model, seed, overrides, size of train or hash where they differ
    between runs; and the same without the seed."""
    models = {m["model"] for m in manifests if m["model"]}
    untold = set(shared_words(manifests))
    if all(m["decoding"] != "constrained" for m in manifests):
        untold.add("decoding=free")  # typed of some, true of all
    seeds = {m["seed"] for m in manifests if m["seed"] is not None}
    typed = []
    for m in manifests:
        parts = [m["rung"]]
        parts += [word for word in _words(m) if word not in untold]
        if len(models) > 1:
            parts.append(m["model"])
        typed.append(" ".join(filter(None, parts)))
    sized = _sized(typed, [m["train_size"] for m in manifests])
    marks = [_seedless(m) for m in manifests]
    found: list[tuple[str, str]] = []
    for m, key, mark in zip(manifests, sized, marks, strict=True):
        # Nothing that was typed differs, so data, settings or weights do: a hash is left.
        twins = {other for name, other in zip(sized, marks, strict=True) if name == key}
        full = f"{key} {mark[:6]}" if len(twins) > 1 else key
        seed = f" seed={m['seed']}" if len(seeds) > 1 and m["seed"] is not None else ""
        found.append((full + seed, full))
    return found


def shared_words(manifests: Sequence[Mapping[str, Any]]) -> list[str]:
    """The overrides that all runs were started with, whatever was done to the train of some."""
    plain = [(m, _words(m)) for m in manifests if not altered(m)]
    every = dict.fromkeys(word for _, words in plain for word in words)
    return [w for w in every if all(w in words for m, words in plain if _concerned(m, w))]


def _words(manifest: Mapping[str, Any]) -> list[str]:
    """A run's overrides, each a word of its own, though values may have spaces in them; without
    that of the decoding that is the usual one."""
    words = re.split(r" (?=[+~]{0,2}[\w./@-]+=)", manifest["variant"])
    untold = ("", "decoding=constrained")
    return [word for word in words if word not in untold and _concerned(manifest, word)]


def _concerned(manifest: Mapping[str, Any], word: str) -> bool:
    """Whether an override can change a run: where no language model answers, nothing is decoded."""
    control = manifest["control"]
    return not (control and control["kind"] in MODEL_FREE and word.startswith("decoding="))


def _sized(names: Sequence[str], sizes: Sequence[int | None]) -> list[str]:
    """Names with the size of train behind those that learned from less than another of the name:
    a rung on all of train is called what it is called without a learning curve."""
    largest: dict[str, int] = {}
    for name, size in zip(names, sizes, strict=True):
        largest[name] = max(largest.get(name, 0), size or 0)
    return [
        f"{name} train={size}" if size is not None and size < largest[name] else name
        for name, size in zip(names, sizes, strict=True)
    ]


def _seedless(manifest: Mapping[str, Any]) -> str:
    """A hash of all that determines the result but the seed; without a seed it is the folder's."""
    if manifest["seed"] is None:
        return str(manifest["run"].rpartition("/")[2])
    return ledger.configuration(manifest["identity"])
