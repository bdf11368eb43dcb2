"""Doubtful examples, the noise curve, the audit's precision, and what leaving out suspects did."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from harness.analysis.data_quality import DataQuality
from harness.analysis.export import record
from harness.analysis.findings import Findings, findings
from harness.analysis.runs import read_ladder
from harness.files import DEV_SCORES, EXAMPLE_LOSSES, TRANSFORM
from harness.record import ledger
from harness.record.results import RunFolder, find_runs
from tests.ladders import right
from tests.record.conftest import TRAINING, complete_run

TRAIN = [f"t{n}" for n in range(100)]
PLANTED = TRAIN[:10]


def write(folder: RunFolder, name: str, lines: Sequence[dict[str, Any]]) -> None:
    folder.write(name, "".join(json.dumps(line) + "\n" for line in lines))


def run(
    root: Path,
    rung: str,
    count: int,
    planted: float = 0.0,
    without: str | None = None,
    **changes: Any,
) -> RunFolder:
    """One run of the experiment; of 20 dev questions it gets a quarter of `count` right."""
    transform = {"planted": planted, "without": without, "dropped": None}
    tuned = {"training": TRAINING, "seed": 0} if rung == "lora" else {}
    altered = transform if planted or without else None
    variant = " ".join(f"rung.transform.{k}={v}" for k, v in (altered or {}).items())
    about = (
        {"dev": {"n": 20, "value": count / 80}, "variant": variant, "seed": 0 if planted else None}
        | tuned
        | changes
    )
    folder = complete_run(root, rung, right(count), transform=altered, **about)
    dev = [{"id": f"d{n}", "group": f"d{n}", "value": float(n < count // 4)} for n in range(20)]
    write(folder, DEV_SCORES, dev)
    told: dict[str, Any] = {"planted": dict.fromkeys(PLANTED, "t50")} if planted else {}
    if without:
        # The eight first are found, and two that are right.
        order = [*PLANTED[:8], "t98", "t99", *PLANTED[8:], *TRAIN[10:98]]
        told |= {"without": without, "dropped": order[:10],
                 "doubt": {i: 1 - place / 100 for place, i in enumerate(order)}}  # fmt: skip
    if told:
        folder.write(TRANSFORM, json.dumps(told))
    if tuned and not without:
        lines = [
            {"id": i, "where": f"train.jsonl:{n}", "input": f"input {n}", "target": "red",
             "loss": [3.0 - n / 100, 1.0 - n / 100]}
            for n, i in enumerate(TRAIN, start=1)
        ]  # fmt: skip
        write(folder, EXAMPLE_LOSSES, lines)
    return folder


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Findings:
    root = tmp_path_factory.mktemp("noise")
    for rung, clean, spoiled, cleaned in (("few_shot", 40, 32, 36), ("lora", 48, 24, 44)):
        run(root, rung, clean)
        run(root, rung, spoiled, 0.1)
        run(root, rung, cleaned, 0.1, "classifier")
    return findings(read_ladder(find_runs(root)))


@pytest.fixture(scope="module")
def quality(found: Findings) -> DataQuality:
    return found.data_quality


def test_altered_runs_are_no_rungs_and_in_no_contrast(found: Findings) -> None:
    assert [rung.label for rung in found.rungs] == ["few_shot", "lora*"]
    assert {key for c in found.contrasts for key in (c.rung, c.baseline)} <= {"few_shot", "lora"}
    assert len(found.runs) == 6


def test_the_curve_begins_with_the_rung_on_train_as_it_is(quality: DataQuality) -> None:
    told = [
        (c.rung, c.without, c.planted, round(60 * c.result.primary.value)) for c in quality.cells
    ]
    assert told == [
        ("few_shot", None, 0.0, 40), ("few_shot", None, 0.1, 32), ("few_shot", "classifier", 0.1, 36),
        ("lora", None, 0.0, 48), ("lora", None, 0.1, 24), ("lora", "classifier", 0.1, 44),
    ]  # fmt: skip
    assert [(c.dropped, c.caught) for c in quality.cells if c.without] == [(10, 8), (10, 8)]


def test_precision_is_that_of_each_ranking_once(quality: DataQuality) -> None:
    told = {(one.judge, one.k): one.value.value for one in quality.precisions}
    assert told == {
        ("classifier", 10): 0.8, ("classifier", 20): 0.5,
        ("losses of lora", 10): 1.0, ("losses of lora", 20): 0.5,
    }  # fmt: skip
    assert {one.wrong for one in quality.precisions} == {10}
    first = quality.precisions[0].value
    assert first.low is not None and first.low < 0.8 < (first.high or 0) and first.n == 10


def test_leaving_out_suspects_is_held_against_the_same_train_with_them(
    quality: DataQuality,
) -> None:
    few_shot, lora = quality.droppings
    assert lora.dev is not None and lora.eval is not None
    assert lora.dev.delta.value == pytest.approx((44 - 24) / 80)
    assert lora.eval.delta.value == pytest.approx((44 - 24) / 60)
    assert few_shot.dev is not None
    assert few_shot.dev.delta.value == pytest.approx(1 / 20)


def test_the_twenty_of_the_highest_losses_are_told_with_file_and_line(
    quality: DataQuality,
) -> None:
    assert quality.judge == "lora"
    assert [one.where for one in quality.doubtful] == [f"train.jsonl:{n}" for n in range(1, 21)]
    assert quality.doubtful[0].loss == pytest.approx(1.99)


def test_losses_on_a_teachers_answers_say_nothing_of_the_targets_of_train(tmp_path: Path) -> None:
    student = complete_run(
        tmp_path, "distilled", right(40), transform={"_target_": "Distilled"}, training=TRAINING
    )
    lines = [{"id": i, "where": i, "input": "", "target": "", "loss": [1.0]} for i in TRAIN]
    write(student, EXAMPLE_LOSSES, lines)
    quality = findings(read_ladder([student])).data_quality
    assert (quality.judge, list(quality.doubtful)) == (None, [])
    plain = run(tmp_path, "lora", 40)
    assert findings(read_ladder([student, plain])).data_quality.judge == "lora"


def test_seeds_are_put_together(tmp_path: Path) -> None:
    run(tmp_path, "lora", 48)
    for seed, count in ((0, 24), (1, 36)):
        run(tmp_path, "lora", count, 0.1, seed=seed)
        run(tmp_path, "lora", count + 6, 0.1, "classifier", seed=seed)
    told = findings(read_ladder(find_runs(tmp_path))).data_quality
    assert [c.result.seeds for c in told.cells] == [1, 2, 2]
    assert told.cells[1].result.primary.value == pytest.approx(0.5)
    assert {one.value.n for one in told.precisions if one.k == 10} == {20}
    (dropping,) = told.droppings
    assert dropping.eval is not None and dropping.eval.seeds == (2, 2)


def test_planted_errors_are_not_counted_as_configurations_that_were_judged(tmp_path: Path) -> None:
    for folder in (run(tmp_path, "lora", 48), run(tmp_path, "lora", 24, 0.1),
                   run(tmp_path, "lora", 44, 0.0, "classifier")):  # fmt: skip
        ledger.record(folder.path.parents[1], folder.manifest())
    assert findings(read_ladder(find_runs(tmp_path))).judged == 2


def test_without_dev_scores_only_eval_tells(tmp_path: Path) -> None:
    for folder in (
        run(tmp_path, "few_shot", 32, 0.1),
        run(tmp_path, "few_shot", 36, 0.1, "classifier"),
    ):
        (folder.path / DEV_SCORES).unlink()
    (dropping,) = findings(read_ladder(find_runs(tmp_path))).data_quality.droppings
    assert dropping.dev is None and dropping.eval is not None


def test_a_ladder_without_any_of_it_shows_nothing(five: Findings) -> None:
    told = record(five)["data_quality"]
    assert told == {"judge": None, "doubtful": [], "noise": [], "precision": [], "dropping": []}


def test_what_is_exported_are_numbers(found: Findings) -> None:
    told = record(found)["data_quality"]
    assert told["noise"][4]["key"] == found.data_quality.cells[4].result.key
    assert told["precision"][0]["value"]["value"] == 0.8
    assert told["dropping"][1]["dev"]["difference"]["value"] == pytest.approx(0.25)
