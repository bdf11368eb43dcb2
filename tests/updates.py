"""Runs that were asked again when facts had changed, without a model that answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from harness.analysis.findings import Findings
from harness.record.measurements import Measurement, keep
from harness.record.results import RunFolder
from tests.ladders import IDS, priced, run
from tests.record.conftest import TRAINING

CHANGED = IDS[:40]
"""Questions of which a fact changed; those of the other 20 stay."""
FOLLOWS = {"before": 1.0, "new": 1.0, "old": 0.0}
STAYS = {"before": 1.0, "new": 0.0, "old": 1.0}
LOST = {"before": 1.0, "new": 0.0, "old": 0.0}
NEVER = {"before": 0.0, "new": 0.0, "old": 0.0}

Fact = Mapping[str, float]


def question(name: str, facts: Mapping[str, Fact], after: float | None = None) -> dict[str, Any]:
    """One of the probe's; `after` of a question without changed facts is 1 if not told."""
    known = [fact["new"] for fact in facts.values()]
    value = sum(known) / len(known) if known else 1.0
    return {
        "id": name,
        "group": name,
        "before": 1.0,
        "after": value if after is None else after,
        "found": None,
        "facts": dict(facts),
    }


def tell(folder: RunFolder, facts: Sequence[Fact], **changes: Any) -> RunFolder:
    """Keep what the probe would have found: one fact for each question that changed."""
    told = [question(i, {"code": fact}) for i, fact in zip(CHANGED, facts, strict=True)]
    found = {
        "update": "u" * 64,
        "leaks": 0,
        "asked_again": False,
        "index_seconds": None,
        "lowered": [],
        "restated": 100,
        "ahead": 0,
        "measure": "accuracy",
        "questions": [*told, *(question(i, {}) for i in IDS[40:])],
    } | changes
    settings = {"update": found["update"]}
    keep(folder, Measurement("knowledge_update", settings, [], found, "2026-01-01", 1.0))
    return folder


def some(follows: int, stays: int, lost: int, never: int = 0) -> list[Fact]:
    """So many facts of each outcome."""
    return [FOLLOWS] * follows + [STAYS] * stays + [LOST] * lost + [NEVER] * never


INDEX = {"seconds": 2.5, "megabytes": 0.09}
READ = {"asked_again": True, "index_seconds": 6.0}
TUNED = TRAINING | {"seconds": 600.0}


@pytest.fixture
def updated(tmp_path: Path) -> Findings:
    """Four rungs with prices when 40 of 60 questions changed: rag follows, lora remembers."""
    return priced(
        tell(run(tmp_path, "prompt", 10, labelled=0), some(0, 0, 0, 40)),
        tell(run(tmp_path, "few_shot", 30), some(0, 20, 20)),
        tell(run(tmp_path, "rag", 40, index=INDEX), some(30, 2, 8), **READ),
        tell(run(tmp_path, "lora", 35, training=TUNED, seed=0), some(0, 35, 5)),
    )
