"""What each slot adds, as it is worded."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from harness.analysis.ablation import ablation
from harness.analysis.findings import Findings
from harness.report.ablation import ablation_tables, called, sentences
from harness.report.formatting import FOOTNOTE, Table
from harness.report.page import page
from harness.report.tables import sections, tables
from tests.factorial import additive, cells, rung, world

ALL = additive(0.05, spread=0.002, constraint=0.3, shots=0.2, retrieval=0.15, tuning=0.1)


def found(five: Findings, on: Iterable[Iterable[str]] = tuple(cells()), **how: Any) -> Findings:
    return replace(five, ablation=ablation(world(how.pop("value", ALL), on, **how)))


def notes(table: Table) -> str:
    return " ".join(table.notes)


def test_without_an_ablation_nothing_is_said_anywhere(five: Findings) -> None:
    assert five.ablation is None
    assert ablation_tables(five) == []
    assert "What each slot adds" not in page(five)


def test_each_slot_is_a_line_with_what_it_adds_alone_on_average_shared_and_last(
    five: Findings,
) -> None:
    effects, interactions, design = ablation_tables(found(five))
    assert effects.title.startswith("what each slot adds: points of accuracy (95% interval")
    assert [line[0] for line in effects.lines] == [
        "constraint", "worked examples", "passages", "tuning", "all together",
    ]  # fmt: skip
    assert [cell.split(" ")[0] for cell in effects.lines[3][1:]] == ["10.0"] * 4
    assert effects.lines[4][3].startswith("75.0 (")
    assert len(interactions.lines) == 6
    assert interactions.lines[0][0] == "constraint × worked examples"
    assert [line[0] for line in design.lines][:2] == ["prompt", "prompt"]
    assert design.lines[-1][:5] == ["rag_few_shot_lora", "✓", "✓", "✓", "✓"]
    assert tables(found(five))[-len(sections(five)["badges"]) :], "badges stay last"


def test_what_tuning_adds_on_top_of_everything_cheaper_comes_first(five: Findings) -> None:
    shown = found(five)
    assert shown.ablation is not None
    first, *others = sentences(shown.ablation)
    assert first.startswith("Tuning on top of constraint + worked examples + passages adds: 10.0 (")
    assert len(others) == 3
    assert notes(ablation_tables(shown)[0]).startswith(first)


def test_what_cannot_be_told_from_nothing_is_not_called_a_gain(five: Findings) -> None:
    noisy = additive(0.3, spread=0.05, constraint=0.1, shots=-0.1, retrieval=0.1, tuning=0.001)
    shown = found(five, value=noisy)
    assert shown.ablation is not None
    said = sentences(shown.ablation)
    assert said[0].startswith("No detectable effect of tuning on top of constraint + worked")
    assert any("Worked examples on top of" in one and " cost: -10.0 (" in one for one in said)


def test_slots_that_add_less_together_are_called_so(five: Findings) -> None:
    value = additive(0.05, spread=0.002, constraint=0.3, shots=0.2, tuning=0.2, shots_tuning=-0.15)
    _, interactions, _ = ablation_tables(
        found(five, cells(["constraint", "shots", "tuning"]), value=value)
    )
    reads = {line[0]: line[2] for line in interactions.lines}
    assert reads["worked examples × tuning"] == "add less together than apart"


def test_what_differs_between_cells_beside_the_slots_is_a_note(five: Findings) -> None:
    shots = {"shots": {"_target_": "Shots", "k": 2, "in_training": False}}
    on = cells(["shots", "tuning"])
    rungs = [rung(one, ALL, slots=shots if one >= {"shots", "tuning"} else None) for one in on]
    said = notes(ablation_tables(replace(five, ablation=ablation(rungs)))[0])
    assert "Untuned cells say the full instructions, tuned ones the short ones" in said
    assert "trained without worked examples" in said
    assert "Not the same worked examples in all cells: few_shot k=4, few_shot_lora k=2." in said
    assert FOOTNOTE in said


def test_cells_that_were_not_run_are_named_with_the_command(five: Findings) -> None:
    lost = frozenset({"shots", "tuning"})
    effects = ablation_tables(found(five, [on for on in cells() if on != lost]))[0]
    said = notes(effects)
    assert "about worked examples, passages and tuning. Missing: worked examples + tuning." in said
    assert "python -m harness +task=tickets +experiment=ablation" in said
    assert "alone: added to the constraint;" in said
    assert effects.lines[-1][0] == "all together"


def test_without_a_complete_design_only_what_is_known_is_said(five: Findings) -> None:
    run = [set(), {"shots", "retrieval"}, {"shots", "retrieval", "tuning"}]
    shown = found(five, run)
    (effects,) = ablation_tables(shown)
    assert [line[0] for line in effects.lines] == ["tuning"]
    assert list(effects.headings) == ["slot", "on top of the rest"]
    assert effects.notes[0].startswith("Tuning on top of worked examples + passages adds: 10.0")
    assert '<h2 id="ablation">' in page(shown)


@pytest.mark.parametrize(
    ("on", "words"), [([], "bare prompt"), (["shots", "tuning"], "worked examples + tuning")]
)
def test_a_cell_in_words(on: list[str], words: str) -> None:
    assert called(on) == words
