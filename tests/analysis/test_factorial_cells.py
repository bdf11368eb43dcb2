"""Which rung stands in which cell, told by its slots and never by its name."""

from __future__ import annotations

from typing import Any

import pytest

from harness.analysis.factorial_cells import Design, design
from harness.analysis.rungs import RungResult
from tests.factorial import FILLED, additive, cells, rung, world

FLAT = additive(0.5)
TOP = frozenset({"constraint", "shots", "retrieval", "tuning"})


def designed(rungs: list[RungResult]) -> Design:
    found = design(rungs)
    assert found is not None
    return found


def other(slot: str, **changes: Any) -> dict[str, Any]:
    return {slot: FILLED[slot] | changes}


def test_a_cell_is_what_is_filled_and_how_it_is_decoded() -> None:
    found = designed(world(FLAT))
    assert set(found.cells) == set(cells())
    assert found.cells[frozenset({"constraint"})].key == "prompt constrained"
    assert found.cells[TOP].key == "rag_few_shot_lora constrained"


def test_nothing_varied_is_no_design() -> None:
    assert design([]) is None
    assert design(world(FLAT, [{"shots"}])) is None


def test_of_several_rungs_in_one_cell_that_stands_which_is_set_as_the_others_are() -> None:
    odd = rung({"shots"}, FLAT, slots=other("shots", k=8), key="few_shot rung.shots.k=8")
    short = rung((), FLAT, slots={"instructions": "short"}, key="prompt rung.instructions=short")
    for rungs in ([odd, short, *world(FLAT)], [*world(FLAT), odd, short]):
        found = designed(rungs)
        assert found.cells[frozenset({"shots"})].key == "few_shot free"
        assert found.cells[frozenset()].key == "prompt free"


def test_a_rung_trained_without_its_passages_stands_only_where_there_is_no_other() -> None:
    on = {"retrieval", "tuning"}
    slots = other("retrieval", in_training=False) | {"tuning": FILLED["tuning"]}
    bolted = rung(on, FLAT, slots=slots, key="rag_lora_bolted")
    others = world(FLAT, [(), {"retrieval"}, {"tuning"}])
    cell = frozenset(on)
    assert designed([bolted, *others]).cells[cell].key == "rag_lora_bolted"
    together = designed([bolted, *others, rung(on, FLAT, key="rag_lora")])
    assert together.cells[cell].key == "rag_lora"


def test_rungs_of_another_model_or_another_train_set_are_another_design() -> None:
    few = {"rung": {"name": "lora", "tuning": FILLED["tuning"]}, "task": {"train": "a tenth"}}
    apart = [
        rung({"tuning"}, FLAT, model="large", key="lora large"),
        rung({"tuning"}, FLAT, identity=few, key="lora of few"),
    ]
    found = designed([*apart, *world(FLAT, cells(["shots", "tuning"]))])
    assert len(found.cells) == 4
    assert found.cells[frozenset({"tuning"})].key == "lora free"


def test_rungs_that_read_no_train_belong_to_every_train_set() -> None:
    small = world(FLAT, [{"shots"}, {"tuning"}, {"shots", "tuning"}])
    for each in small:
        each.runs[0].manifest["identity"]["task"]["train"] = "small"
    found = designed([rung((), FLAT), rung({"tuning"}, FLAT, key="lora of all"), *small])
    assert {each.key for each in found.cells.values()} == {
        "prompt free", "few_shot free", "lora free", "few_shot_lora free",
    }  # fmt: skip


def test_controls_that_fill_their_own_slots_are_no_cells() -> None:
    control = rung({"tuning"}, FLAT, slots={"transform": {"_target_": "ShuffledTargets"}})
    assert designed([control, *world(FLAT, [(), {"shots"}])]).varied == ["shots"]


def test_of_several_trials_the_settings_that_were_chosen_tell_the_cell() -> None:
    tried = [{"instructions": "full"}, {"instructions": "full", "shots": FILLED["shots"]}]
    identity = {"rung": tried[0], "trials": tried, "task": {}}
    chosen = rung((), FLAT, identity=identity, chosen=1, key="few_shot")
    assert set(designed([rung((), FLAT), chosen]).cells) == {frozenset(), frozenset({"shots"})}


def test_slots_that_are_not_set_alike_are_told_with_what_differs() -> None:
    rungs = [
        rung(on, FLAT, slots=other("shots", k=2) if on >= {"shots", "tuning"} else None)
        for on in cells(["shots", "tuning"])
    ]
    assert designed(rungs).unequal == {"shots": {"few_shot": {"k": 4}, "few_shot_lora": {"k": 2}}}
    assert designed(world(FLAT)).unequal == {}


@pytest.mark.parametrize(("in_training", "told"), [(False, False), (True, True), (None, True)])
def test_whether_tuned_cells_trained_with_the_examples_they_show(
    in_training: bool | None, told: bool
) -> None:
    changes = {} if in_training is None else {"in_training": in_training}
    rungs = [
        rung(on, FLAT, slots=other("shots", **changes) if on >= {"shots", "tuning"} else None)
        for on in cells(["shots", "tuning"])
    ]
    found = designed(rungs)
    assert found.shots_in_training is told
    assert found.unequal == {}, "it is told apart"
    assert designed(world(FLAT, [(), {"shots"}])).shots_in_training is None


def test_of_several_complete_designs_that_stands_which_has_tuning_and_more_of_the_rest_on() -> None:
    lost = frozenset({"constraint", "retrieval"})
    found = designed(world(FLAT, [on for on in cells() if on != lost]))
    assert list(found.factors) == ["constraint", "retrieval", "tuning"]
    assert found.always == {"shots"}
    assert found.missing == [lost]
    assert len(found.grid) == 8
