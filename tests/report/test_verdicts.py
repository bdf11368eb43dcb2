"""The declared contrasts in words."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from harness.analysis import export
from harness.analysis.findings import Findings, findings
from harness.analysis.runs import read_ladder
from harness.analysis.warnings import warnings
from harness.evidence.statistics import Interval
from harness.record.ledger import record
from harness.record.results import RunFolder
from harness.report.formatting import percent
from harness.report.markdown import markdown
from harness.report.page import page
from harness.report.terminal import show
from harness.report.verdicts import chosen, notes, planned, reading, verdicts
from tests.record.conftest import ANSWERS, TRAINING, complete_run, judge

WRONG = dict.fromkeys(ANSWERS, "blue")


def found_of(*folders: RunFolder) -> Findings:
    return findings(read_ladder(folders))


def forty(root: Path, *rungs: str) -> list[RunFolder]:
    """Rungs that answer forty questions, each right on a quarter that it shares with none."""
    return [
        complete_run(root, rung, {f"eval-{i}": ("blue", "red")[i % 4 == place] for i in range(40)})
        for place, rung in enumerate(rungs)
    ]


def on_dev(value: float) -> dict[str, float]:
    return {"n": 6, "value": value}


def test_it_is_said_how_the_best_untuned_rung_was_chosen(tmp_path: Path) -> None:
    found = found_of(
        complete_run(tmp_path, "prompt", dev=on_dev(0.4)),
        complete_run(tmp_path, "few_shot", WRONG, dev=on_dev(0.45)),
        complete_run(tmp_path, "lora", training=TRAINING),
    )
    assert planned(found.plan) == (
        "Declared before the run: every rung against prompt; every tuned rung against the best "
        "untuned one, few_shot, chosen on 6 dev questions (prompt 40.0, few_shot 45.0)."
    )


def test_it_is_said_if_the_best_untuned_rung_is_not_known(tmp_path: Path) -> None:
    found = found_of(
        complete_run(tmp_path, "prompt", dev=on_dev(0.4)),
        complete_run(tmp_path, "rag", WRONG),
        complete_run(tmp_path, "lora", training=TRAINING),
    )
    assert "which is not known (no answers on dev: rag)" in planned(found.plan)


def test_it_is_said_if_nothing_is_tested(tmp_path: Path) -> None:
    other = {"against": ["rag"], "best_untuned": True, "pairs": [], "margin": None}
    found = found_of(complete_run(tmp_path), complete_run(tmp_path, "rag", contrasts=other))
    assert planned(found.plan) == (
        "The runs declared different contrasts: none is tested. From prompt to rag "
        "contrasts.against=[prompt] is now [rag]. To test one of both, type the command of the run "
        "that declared it: python -m harness +task=tickets, or python -m harness +task=tickets"
    )


def test_what_could_have_been_found_is_at_the_level_of_the_family(tmp_path: Path) -> None:
    """With two contrasts Holm's first step asks for 2.5%."""
    alone = found_of(*forty(tmp_path / "a", "prompt", "rag"))
    family = found_of(*forty(tmp_path / "b", "prompt", "few_shot", "rag"))
    assert "80% power at 5%, Holm's first step" in reading(alone)
    assert "80% power at 5% / 2, Holm's first step" in reading(family)
    (of_one,), (_, of_two) = verdicts(alone), verdicts(family)
    assert of_two.contrast.detectable > of_one.contrast.detectable
    points = percent(of_two.contrast.detectable)
    assert of_two.detail == (
        f"a true difference of {points} points would have been found 4 times in 5"
    )


def test_it_is_said_if_groups_are_too_few_to_find_anything(tmp_path: Path) -> None:
    found = found_of(complete_run(tmp_path), complete_run(tmp_path, "rag", WRONG))
    (verdict,) = verdicts(found)
    assert verdict.contrast.detectable == float("inf")
    assert verdict.detail == "4 groups of questions are too few to find any difference"


def test_it_is_said_what_unequal_groups_are_worth(tmp_path: Path) -> None:
    folders = forty(tmp_path, "prompt", "rag")
    assert "over 40 groups of questions; an interval" in reading(found_of(*folders))
    for folder in folders:
        table = folder.table("scores.jsonl")
        lines = table.assign(group=["large"] * 12 + list(table["id"][12:])).to_dict("records")
        folder.write("scores.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
    # (12 + 28)² / (12² + 28)
    assert "over 29 groups of questions (worth 9.3 of one size)" in reading(found_of(*folders))
    assert warnings(read_ladder(folders).runs) == [
        "only 29 groups of questions, worth 9.3 of one size: below ten, intervals are rough"
    ]


def test_how_many_were_judged_and_what_chance_gives_the_best_stands_in_every_report(
    tmp_path: Path,
) -> None:
    found = found_of(*judge(tmp_path, "prompt", "rag", "few_shot"))
    sentence = (
        "This eval set has judged 3 configurations; the best of 3 equally good ones would look up "
        f"to about {percent(found.optimism or 0)} points better than it is, by chance."
    )
    assert notes(found)[-1] == chosen(found) == sentence
    terminal = io.StringIO()
    show(found, Console(file=terminal, width=400))
    for text in (terminal.getvalue(), "\n".join(markdown(found)), page(found)):
        assert text.count(sentence) == 1


def test_without_contrasts_the_scores_say_it(tmp_path: Path) -> None:
    nothing = {"against": [], "best_untuned": False, "pairs": [], "margin": None}
    folders = [complete_run(tmp_path, rung, contrasts=nothing) for rung in ("prompt", "rag")]
    for folder in folders:
        record(folder.path.parents[1], folder.read("manifest.json"))
    found = found_of(*folders)
    assert not found.contrasts
    assert "has judged 2 configurations; the best of 2" in "\n".join(markdown(found))


@pytest.mark.parametrize("rungs", [(), ("prompt",)])
def test_nothing_is_said_without_a_ledger_or_of_one_configuration(
    tmp_path: Path, rungs: tuple[str, ...]
) -> None:
    folders = judge(tmp_path, *rungs) or [complete_run(tmp_path, r) for r in ("prompt", "rag")]
    assert not any("judged" in note for note in notes(found_of(*folders)))


def test_what_is_wrong_with_a_rung_is_said_once(tmp_path: Path) -> None:
    cut = {"truncated": Interval(0.75, 0.3, 0.95, 4, "wilson")}
    found = found_of(
        complete_run(tmp_path, "prompt", more=cut),
        complete_run(tmp_path, "few_shot"),
        complete_run(tmp_path, "rag"),
    )
    first, second = (v.blocked for v in verdicts(found) if v.blocked)
    assert (first, second) == ("prompt cut off 75% of its answers", "prompt, as above")
    stand = [line["blocked"] for line in export.record(found)["contrasts"]]
    assert stand == ["prompt cut off 75% of its answers"] * 2, "each stands for itself"
