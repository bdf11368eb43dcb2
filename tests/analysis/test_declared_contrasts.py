"""The contrasts of a ladder, as its runs declared them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.analysis.declared_contrasts import changes, contrasts, plan
from harness.analysis.findings import findings
from harness.analysis.rungs import RungResult, rung_results
from harness.analysis.runs import read_ladder
from harness.evidence.contrasts import Contrast
from harness.record.declaration import declaration_path, declare
from harness.record.results import RunFolder
from harness.report.verdicts import planned
from tests.record.conftest import ANSWERS, TRAINING, complete_run

RIGHT = dict.fromkeys(ANSWERS, "red")
WRONG = dict.fromkeys(ANSWERS, "blue")


def ladder_of(*folders: RunFolder) -> list[RungResult]:
    """The rungs of a ladder, without its controls."""
    return [rung for rung in rung_results(read_ladder(folders)) if rung.control is None]


def declared(rungs: list[RungResult]) -> list[Contrast]:
    return contrasts(rungs, plan(rungs))


def best_untuned(rungs: list[RungResult]) -> dict[str, str | None]:
    return {choice.tuned: choice.best for choice in plan(rungs).choices}


def test_every_rung_is_compared_with_the_declared_baseline(tmp_path: Path) -> None:
    rungs = ladder_of(
        complete_run(tmp_path, "prompt"),
        complete_run(tmp_path, "rag", WRONG),
        complete_run(tmp_path, "lora", RIGHT),
    )
    found = declared(rungs)
    assert [(c.rung, c.baseline) for c in found] == [("rag", "prompt"), ("lora", "prompt")]
    assert [c.delta.value for c in found] == [-0.75, 0.25]
    assert all(c.p_adjusted >= c.p for c in found)


def test_seeds_of_a_rung_are_one_side_of_a_contrast(tmp_path: Path) -> None:
    rungs = ladder_of(
        complete_run(tmp_path, "prompt"),
        complete_run(tmp_path, "lora", RIGHT, seed=0),
        complete_run(tmp_path, "lora", WRONG, seed=1),
    )
    (found,) = declared(rungs)
    assert found.delta.value == (1.0 + 0.0) / 2 - 0.75
    assert found.delta.method == "Student's t (Satterthwaite)"


def test_what_was_not_declared_by_all_is_not_tested(tmp_path: Path) -> None:
    other = {"against": ["rag"], "best_untuned": True, "pairs": [], "margin": None}
    rungs = ladder_of(
        complete_run(tmp_path, "prompt"), complete_run(tmp_path, "rag", WRONG, contrasts=other)
    )
    assert declared(rungs) == []


def test_a_metric_of_the_whole_set_has_no_contrasts(tmp_path: Path) -> None:
    from harness.evidence.statistics import Interval

    whole = {"macro_f1": Interval(0.5, 0.4, 0.6, 4, "percentile bootstrap")}
    rungs = ladder_of(
        complete_run(tmp_path, "prompt", more=whole, primary="macro_f1"),
        complete_run(tmp_path, "rag", WRONG, more=whole, primary="macro_f1"),
    )
    assert declared(rungs) == []


def test_the_questions_that_changed_stand_with_both_answers(tmp_path: Path) -> None:
    rungs = ladder_of(complete_run(tmp_path, "prompt"), complete_run(tmp_path, "lora", RIGHT))
    (line,) = changes(rungs, declared(rungs))
    assert line == {
        "rung": "lora",
        "baseline": "prompt",
        "change": "improved",
        "id": "eval-1",
        "values": [0.0, 1.0],
        "answers": ["blue", "red"],
    }


def on_dev(value: float) -> dict[str, float]:
    return {"n": 6, "value": value}


def test_the_best_untuned_rung_is_chosen_on_dev_and_not_on_eval(tmp_path: Path) -> None:
    """few_shot is worse on eval, and better on dev over its two seeds."""
    rungs = ladder_of(
        complete_run(tmp_path, "prompt", dev=on_dev(0.4)),
        complete_run(tmp_path, "few_shot", WRONG, seed=0, dev=on_dev(0.3)),
        complete_run(tmp_path, "few_shot", WRONG, seed=1, dev=on_dev(0.6)),
        complete_run(tmp_path, "lora", RIGHT, seed=0, training=TRAINING),
    )
    assert best_untuned(rungs) == {"lora": "few_shot"}
    pairs = [(c.rung, c.baseline) for c in declared(rungs)]
    assert pairs == [("few_shot", "prompt"), ("lora", "prompt"), ("lora", "few_shot")]
    (choice,) = plan(rungs).choices
    known = {key: (value.value, value.n) for key, value in choice.candidates.items() if value}
    assert known == {"prompt": (0.4, 6), "few_shot": (pytest.approx(0.45), 6)}


def test_without_answers_on_dev_nothing_is_chosen(tmp_path: Path) -> None:
    rungs = ladder_of(
        complete_run(tmp_path, "prompt", dev=on_dev(0.4)),
        complete_run(tmp_path, "rag", WRONG),
        complete_run(tmp_path, "lora", RIGHT, training=TRAINING),
    )
    assert best_untuned(rungs) == {"lora": None}
    assert plan(rungs).choices[0].candidates["rag"] is None


def test_each_model_has_its_own_best_untuned_rung(tmp_path: Path) -> None:
    folders = [
        complete_run(tmp_path, rung, model=model, dev=on_dev(value))
        for model, rung, value in (
            ("small", "prompt", 0.1), ("small", "rag", 0.2), ("large", "prompt", 0.9), ("large", "rag", 0.8),
        )
    ]  # fmt: skip
    tuned = [complete_run(tmp_path, "lora", model=m, training=TRAINING) for m in ("small", "large")]
    found = best_untuned(ladder_of(*folders, *tuned))
    assert found == {"lora large": "prompt large", "lora small": "rag small"}


def test_controls_are_in_no_declared_contrast(tmp_path: Path) -> None:
    folders = (
        complete_run(tmp_path, "prompt", dev=on_dev(0.4)),
        complete_run(tmp_path, "majority", WRONG, control={"kind": "majority", "of": None}),
        complete_run(tmp_path, "lora", RIGHT, training=TRAINING),
    )
    found = findings(read_ladder(folders))
    assert [(c.rung, c.baseline) for c in found.contrasts] == [("lora", "prompt")]


def test_what_older_results_declared_is_still_read(tmp_path: Path) -> None:
    older = {"against": ["prompt"], "margin": None}
    rungs = ladder_of(
        complete_run(tmp_path, "prompt", contrasts=older, dev=on_dev(0.4)),
        complete_run(tmp_path, "rag", WRONG, contrasts=older, dev=on_dev(0.6)),
        complete_run(tmp_path, "lora", RIGHT, contrasts=older, training=TRAINING),
    )
    assert [(c.rung, c.baseline) for c in declared(rungs)] == [
        ("rag", "prompt"),
        ("lora", "prompt"),
    ]


def pairs_of(rungs: list[RungResult]) -> list[tuple[str, str]]:
    return [(c.rung, c.baseline) for c in declared(rungs)]


def test_declared_pairs_are_tested_and_planned_where_both_rungs_ran(tmp_path: Path) -> None:
    pairs = [["rag_lora", "lora"], ["rag_lora", "rag"], ["rag", "few_shot"]]
    declared = {"against": [], "best_untuned": False, "pairs": pairs, "margin": None}
    rungs = ladder_of(
        *(complete_run(tmp_path, rung, contrasts=declared) for rung in ("rag", "lora", "rag_lora"))
    )
    assert pairs_of(rungs) == [("rag_lora", "lora"), ("rag_lora", "rag")]
    assert plan(rungs).pairs == [("rag_lora", "lora"), ("rag_lora", "rag")]


def decoded(root: Path, rung: str, decoding: str, *words: str, **changes: Any) -> Any:
    """A run of a sweep over decodings."""
    variant = " ".join([*words, f"decoding={decoding}"])
    return complete_run(root, rung, decoding=decoding, variant=variant, **changes)


def test_each_rung_is_compared_with_itself_under_the_other_decoding_and_with_no_other(
    tmp_path: Path,
) -> None:
    rungs = ladder_of(
        *(
            decoded(tmp_path, rung, decoding)
            for rung in ("prompt", "rag")
            for decoding in ("free", "constrained")
        )
    )
    assert sorted(pairs_of(rungs)) == [
        ("prompt", "prompt decoding=free"),
        ("rag", "prompt"),
        ("rag", "rag decoding=free"),
        ("rag decoding=free", "prompt decoding=free"),
    ]


def test_a_rung_of_other_settings_is_not_the_same_rung_under_another_decoding(
    tmp_path: Path,
) -> None:
    alone = {"against": [], "best_untuned": False, "pairs": [], "margin": None}
    rungs = ladder_of(
        *(
            decoded(tmp_path, "rag", decoding, f"rung.retrieval.k={k}", contrasts=alone)
            for k in (1, 2)
            for decoding in ("free", "constrained")
        )
    )
    assert sorted(pairs_of(rungs)) == [
        (f"rag rung.retrieval.k={k}", f"rag rung.retrieval.k={k} decoding=free") for k in (1, 2)
    ]


def test_the_best_untuned_rung_is_one_of_the_same_decoding(tmp_path: Path) -> None:
    rungs = ladder_of(
        decoded(tmp_path, "prompt", "free", dev=on_dev(0.9)),
        decoded(tmp_path, "prompt", "constrained", dev=on_dev(0.4)),
        decoded(tmp_path, "rag", "constrained", dev=on_dev(0.5)),
        decoded(tmp_path, "lora", "constrained", training=TRAINING),
    )
    assert best_untuned(rungs) == {"lora": "rag"}


def test_models_are_not_compared_with_each_other(tmp_path: Path) -> None:
    rungs = ladder_of(
        complete_run(tmp_path, "prompt", model="small"),
        complete_run(tmp_path, "rag", model="large"),
    )
    assert pairs_of(rungs) == []


def test_what_was_declared_last_holds_and_a_later_declaration_is_said_to_be_one(
    tmp_path: Path,
) -> None:
    folders = [complete_run(tmp_path, "prompt"), complete_run(tmp_path, "rag", WRONG)]
    path = declaration_path(tmp_path / "tickets", folders[0].manifest()["fingerprints"]["eval"])
    first = {"against": ["prompt"], "best_untuned": False, "pairs": [], "margin": None}
    declare(path, first, after=0)
    blind = findings(read_ladder(folders))
    assert (blind.plan.known, len(blind.contrasts)) == (0, 1)
    assert planned(blind.plan) == "Declared before the run: every rung against prompt."
    declare(path, first | {"against": ["rag"]}, after=2)
    late = findings(read_ladder(folders))
    assert [(c.rung, c.baseline) for c in late.contrasts] == [("prompt", "rag")]
    assert planned(late.plan).startswith("Declared anew when 2 configurations had been judged")


def test_what_is_added_about_rungs_that_did_not_run_changes_nothing_of_those_that_did(
    tmp_path: Path,
) -> None:
    folders = [complete_run(tmp_path, "prompt"), complete_run(tmp_path, "rag", WRONG)]
    path = declaration_path(tmp_path / "tickets", folders[0].manifest()["fingerprints"]["eval"])
    pairs = [["rag", "prompt"]]
    first = {"against": [], "best_untuned": False, "pairs": pairs, "margin": None}
    declare(path, first, after=0)
    declare(path, first | {"pairs": [*pairs, ["distilled", "lora"]]}, after=2)
    assert findings(read_ladder(folders)).plan.known == 0
    more = [*folders, complete_run(tmp_path, "lora"), complete_run(tmp_path, "distilled")]
    assert findings(read_ladder(more)).plan.known == 2


def test_rungs_that_read_other_train_sets_are_not_compared_with_each_other(tmp_path: Path) -> None:
    """A sweep over training sizes: each size against what reads no train, and within itself."""
    declaration = {"against": ["prompt", "few_shot"], "best_untuned": False, "pairs": [],
                   "margin": None}  # fmt: skip
    folders = [complete_run(tmp_path, "prompt", reads=("eval",), contrasts=declaration)]
    for size in ("50", "200"):
        for rung in ("few_shot", "lora"):
            folders.append(
                complete_run(
                    tmp_path,
                    rung,
                    variant=f"n={size}",
                    reads=("eval", "train"),
                    train=size,
                    contrasts=declaration,
                )
            )
    found = declared(ladder_of(*folders))
    assert sorted((c.rung, c.baseline) for c in found) == [
        ("few_shot n=200", "prompt"), ("few_shot n=50", "prompt"),
        ("lora n=200", "few_shot n=200"), ("lora n=200", "prompt"),
        ("lora n=50", "few_shot n=50"), ("lora n=50", "prompt"),
    ]  # fmt: skip
