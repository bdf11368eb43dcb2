"""Hand-made ladders whose errors are repaired by what a test says: each run is the questions that
it gets right, by number."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.analysis.findings import Findings, findings
from harness.analysis.runs import read_ladder
from harness.record.results import RunFolder
from harness.task import Example
from tests.record.conftest import TRAINING, complete_run

Slots = Mapping[str, Any]

SHOTS: Slots = {"shots": {"k": 2}}
RETRIEVAL: Slots = {"retrieval": {"k": 1}}
TUNING: Slots = {"tuning": {"r": 16}}
RAG: Slots = {**SHOTS, **RETRIEVAL}
RAG_LORA: Slots = {**RETRIEVAL, **TUNING}
LABELS = {"contrasts": {"against": [], "best_untuned": True, "pairs": [], "margin": None}}


def settings(rung: str, slots: Slots, instructions: str = "full") -> dict[str, Any]:
    return {"name": rung, "instructions": instructions, **slots}


class World:
    """A results folder that runs are put into, `n` questions in groups of `group`; `gold` names the
    passage that holds the answer, the same for all."""

    def __init__(self, root: Path, n: int = 20, group: int = 1, gold: str = "P1") -> None:
        self.root, self.n, self.group, self.gold = root, n, group, gold
        self.folders: list[RunFolder] = []

    def run(
        self,
        rung: str,
        right: Collection[int],
        slots: Slots | None = None,
        *,
        decoding: str = "constrained",
        dev: float | None = 0.5,
        found: Collection[int] = (),
        identity: Mapping[str, Any] | None = None,
        fields: Mapping[str, Collection[int]] | None = None,
        **changes: Any,
    ) -> RunFolder:
        """`found` are the questions that were shown their passage; `fields` the questions on which
        each field is right, in place of whole answers."""
        slots = slots or {}
        texts = {f"q{i:03d}": "red" if i in right else "blue" for i in range(self.n)}
        tuned = TRAINING if "tuning" in slots else None
        about: dict[str, Any] = {
            "training": tuned,
            "decoding": decoding,
            "dev": None if dev is None else {"n": 64, "value": dev},
            "command": f"python -m harness +task=tickets rung={rung}",
            **LABELS,
        }
        folder = complete_run(self.root, rung, texts, **(about | changes))
        said = "short" if tuned else "full"
        self._edit(folder, identity or settings(rung, slots, said), "retrieval" in slots, found)
        self._score(folder, fields)
        self.folders.append(folder)
        return folder

    def control(
        self,
        kind: str,
        of: str,
        right: Collection[int],
        slots: Slots,
        *,
        decoding: str = "constrained",
        found: Collection[int] = (),
        fields: Mapping[str, Collection[int]] | None = None,
    ) -> RunFolder:
        """A control of the rung `of`, which is set by `slots`."""
        said = "short" if "tuning" in slots else "full"
        return self.run(
            f"{of}_{kind}", right, slots, decoding=decoding, dev=None, found=found, fields=fields,
            identity={"control": kind, "of": settings(of, slots, said)},
            control={"kind": kind, "of": of, "judges": False, "shows": kind},
        )  # fmt: skip

    def findings(self, tags: Mapping[int, str] | None = None) -> Findings:
        examples = [
            Example(
                f"q{i:03d}", f"ticket {i}?", "red", f"g{i // self.group:03d}",
                (self.gold,) if self.gold else (), {"tag": (tags or {}).get(i, "other")}, "",
            )
            for i in range(self.n)
        ]  # fmt: skip
        self.folders[0].keep_eval(self.folders[0].manifest()["fingerprints"]["eval"], examples)
        return findings(read_ladder(self.folders))

    def _edit(
        self, folder: RunFolder, told: Mapping[str, Any], searches: bool, found: Collection[int]
    ) -> None:
        manifest = folder.read("manifest.json")
        manifest["identity"]["rung"] = told
        folder.write("manifest.json", json.dumps(manifest))
        lines = folder.table("predictions.jsonl").to_dict("records")
        for place, line in enumerate(lines):
            line["passages"] = [self.gold if place in found else "P9"] if searches else []
        _write(folder, "predictions.jsonl", lines)

    def _score(self, folder: RunFolder, fields: Mapping[str, Collection[int]] | None) -> None:
        lines = folder.table("scores.jsonl").to_dict("records")
        for place, line in enumerate(lines):
            line["group"] = f"g{place // self.group:03d}"
            each = {f"field/{k}": float(place in ok) for k, ok in (fields or {}).items()}
            if each:
                line.update(each, accuracy=sum(each.values()) / len(each))
        _write(folder, "scores.jsonl", lines)


def _write(folder: RunFolder, name: str, lines: Sequence[Mapping[str, Any]]) -> None:
    folder.write(name, "".join(json.dumps(line) + "\n" for line in lines))
