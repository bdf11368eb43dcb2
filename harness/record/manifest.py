"""The manifest of a run, whatever version of harness wrote it."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

__all__ = [
    "MODEL_FREE",
    "altered",
    "answered_with",
    "dialogue",
    "has_corpus",
    "has_tools",
    "spoiled",
    "upgraded",
]

OLDER: dict[str, Any] = {
    "control": None, "dev": None, "dev_free": None, "template": None, "decoding": "free",
    "trials": [], "chosen": 0, "settings": "", "lowered": [], "labelled": None, "trained": None,
    "search": None, "external": None, "teacher": None, "declared_free": False,
}  # fmt: skip
"""Values of keys that older manifests do not have."""

RENAMED = {"adapter": "tuning"}
"""Slots of a rung that were called something else."""

UNDECLARED: dict[str, Any] = {"against": [], "best_untuned": False, "pairs": [], "margin": None}
"""Contrasts that a manifest does not say were declared."""

LADDER = ("prompt", "few_shot", "rag", "lora", "rag_lora")
"""Rungs from the cheapest change to the deepest, as they stood before manifests told `place`."""

LAST = 99
"""The place of all others."""

MEASURES = (
    "exact", "accuracy", "macro_f1", "token_f1", "contains", "rouge_l", "valid",
    "kind/format", "kind/behaviour", "kind/knowledge", "kind/action",
)  # fmt: skip
"""Metrics shown beside the primary one before manifests told `measures`."""

JUDGES = ("majority", "shuffled_targets")
"""Controls that a tuned rung had to be above before manifests told `judges`."""

MODEL_FREE = ("majority", "linear_classifier", "nearest_answer")
"""Controls that need no language model, the simplest first."""

SHOWS = {
    "majority": "always the commonest answer",
    "nearest_answer": "copying the answer of the most similar training example",
    "linear_classifier": "a linear classifier of the training examples",
    "random_passages": "passages at random",
    "oracle_passages": "the right passages, which perfect retrieval would find (ceiling)",
    "shuffled_targets": "trained on other examples' targets",
}
"""What each kind of control is, before manifests told it."""


def upgraded(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """A manifest with all keys of today's; what it does not say is what held when it was written.

    The one place that knows of older manifests.
    """
    rung = manifest["rung"]
    place = 10 * (LADDER.index(rung) + 1) if rung in LADDER else LAST
    told = {**OLDER, "place": place, "measures": list(MEASURES), **manifest}
    if "train_size" not in told:
        told["train_size"] = _train_size(told)
    if "isolation" in told:
        told["isolation"] = {"suspects": [], **told["isolation"]}
    # Before there were a choice on dev and pairs, neither was declared.
    told["contrasts"] = UNDECLARED | told.get("contrasts", {})
    if told["control"] is not None:
        kind = told["control"]["kind"]
        said = {"judges": kind in JUDGES, "shows": SHOWS.get(kind, kind)}
        told["control"] = {**said, **told["control"]}
    return told


def has_corpus(manifest: Mapping[str, Any]) -> bool:
    """Whether the task had passages to retrieve."""
    nothing = sha256().hexdigest()  # the fingerprint of an empty corpus
    return bool(manifest["fingerprints"].get("corpus", nothing) != nothing)


def has_tools(manifest: Mapping[str, Any]) -> bool:
    """Whether the task had tools to call."""
    return "tools" in manifest["fingerprints"]


def answered_with(manifest: Mapping[str, Any]) -> Mapping[str, Any]:
    """The slots and settings of a run's rung as it answered eval, under today's names."""
    identity = manifest["identity"]
    tried = identity.get("trials")
    told = tried[manifest["chosen"]] if tried else identity["rung"]
    return _renamed(told) if isinstance(told, Mapping) else {}


def dialogue(manifest: Mapping[str, Any]) -> str | None:
    """What a run said to the model before an answer counted: the class of its dialogue in small
    letters; None if it took the first answer."""
    filled = answered_with(manifest).get("dialogue")
    return str(filled["_target_"]).lower() if filled else None


def altered(manifest: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """How `+experiment=data_quality` changed the train of a run: `planted` (a share), `without`
    (which audit's suspects), `dropped`; None for a run on train as it is."""
    rung = manifest["identity"]["rung"]
    transform = rung.get("transform") if isinstance(rung, Mapping) else None
    if manifest["control"] is not None or not isinstance(transform, Mapping):
        return None
    return transform if transform.get("_target_") == "data_quality" else None


def spoiled(manifest: Mapping[str, Any]) -> bool:
    """Whether a run learned from errors that were planted: nobody would choose one."""
    changed = altered(manifest)
    return changed is not None and changed["planted"] > 0


def _renamed(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Also of the rung that a control is of. The identity itself keeps the names that it was made
    with: hashes are of it."""
    named = {RENAMED.get(slot, slot): value for slot, value in settings.items()}
    of = named.get("of")
    return named | ({"of": _renamed(of)} if isinstance(of, Mapping) else {})


def _train_size(manifest: Mapping[str, Any]) -> int | None:
    """How many train examples the run learned from: those that eval was compared with, if the run
    read train."""
    if "train" not in manifest.get("identity", {}).get("task", {}):
        return None
    size: int | None = manifest["isolation"].get("compared", {}).get("train")
    return size
