"""Whole ladders with controls, prices and a ledger: fixtures for analysis/ and report/."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.analysis.findings import Findings, findings
from harness.analysis.runs import read_ladder
from harness.evidence.cost import Prices
from harness.evidence.statistics import Interval
from harness.record.ledger import record
from harness.record.prices import write_prices
from harness.record.results import RunFolder
from harness.task import Example
from tests.record.conftest import TRAINING, complete_run

IDS = [f"eval-{i}" for i in range(60)]
DECLARED = {
    "against": [],
    "best_untuned": True,
    "pairs": [["rag_lora", "lora"], ["rag_lora", "rag"]],
    "margin": None,
}
KINDS = ("format", "behaviour", "knowledge")
LARGE = TRAINING | {
    "tokens": 1_234_567_890, "trainable": 167_772_160, "seconds": 86_400.4, "megabytes": 671.1,
}  # fmt: skip


def right(count: int) -> dict[str, str]:
    """Answers of which the first `count` are right."""
    return {name: "red" if place < count else "blue" for place, name in enumerate(IDS)}


def kinds(share: float) -> dict[str, Interval]:
    return {
        "valid": Interval(1.0, 0.9, 1.0, 60, "wilson"),
        **{f"kind/{kind}": Interval(share, share / 2, 1.0, 60, "wilson") for kind in KINDS},
    }


def priced(*folders: RunFolder) -> Findings:
    """What runs show with prices, a ledger and their questions beside them."""
    task = folders[0].path.parents[1]
    write_prices(task, Prices(0.15, 0.6, 1.2, 0.05, "USD"))
    for folder in folders:
        record(task, folder.manifest())
    examples = [Example(i, f"ticket {i}?", "red", i, (), {"odd": "yes"}, "") for i in IDS]
    folders[0].keep_eval(folders[0].manifest()["fingerprints"]["eval"], examples)
    return findings(read_ladder(folders))


def run(root: Path, rung: str, count: int, **changes: Any) -> RunFolder:
    about: dict[str, Any] = {
        "contrasts": DECLARED,
        "dev": {"n": 64, "value": count / 60},
        "parameters": 134_515_008,
        "labelled": 400,
    }
    return complete_run(root, rung, right(count), more=kinds(count / 60), **(about | changes))


@pytest.fixture(scope="session")
def five(tmp_path_factory: pytest.TempPathFactory) -> Findings:
    """The default ladder with its default controls, one seed."""
    root = tmp_path_factory.mktemp("five")
    index = {"seconds": 2.8, "megabytes": 0.09}
    return priced(
        run(root, "prompt", 10),
        run(root, "few_shot", 30),
        run(root, "rag", 40, index=index),
        run(root, "lora", 35, training=LARGE, seed=0),
        run(root, "rag_lora", 50, training=LARGE, seed=0, index=index),
        run(root, "majority", 20, control={"kind": "majority", "of": None}),
        run(root, "nearest_answer", 25, control={"kind": "nearest_answer", "of": None}),
    )


@pytest.fixture(scope="session")
def sixteen(tmp_path_factory: pytest.TempPathFactory) -> Findings:
    """Rungs of long names and large numbers, half of them tuned, some over several seeds."""
    root = tmp_path_factory.mktemp("sixteen")
    machines = [
        {"platform": "Linux", "processor": "any", "cores": c, "device": "cpu"} for c in (2, 64)
    ]
    declared = DECLARED | {"against": ["untuned_rung_number_0"]}
    index = {"seconds": 12_345.6, "megabytes": 98_765.43}
    shared: dict[str, Any] = {"contrasts": declared, "peak_memory_mb": 123_456.0}
    untuned = [
        run(root, f"untuned_rung_number_{i}", 5 + 5 * i, index=index, place=i,
            machine=machines[i % 2], **shared)
        for i in range(8)
    ]  # fmt: skip
    tuned = [
        run(root, f"tuned_rung_{i}_with_a_long_name", 5 + 5 * i, training=LARGE, seed=seed,
            place=8 + i, **shared)
        for i in range(8)
        for seed in range(1 + i % 3)
    ]  # fmt: skip
    control = run(root, "majority", 59, control={"kind": "majority", "of": None})
    return priced(*untuned, *tuned, control)
