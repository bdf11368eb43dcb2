"""The strongest untuned rung, and which runs change one thing about it."""

from __future__ import annotations

from pathlib import Path

from harness.analysis.diagnosis import Diagnosis
from tests.repaired import RAG, RAG_LORA, RETRIEVAL, SHOTS, TUNING, World

HALF = range(10)


def told(world: World) -> Diagnosis:
    diagnosis = world.findings().diagnosis
    assert diagnosis is not None
    return diagnosis


def changed(world: World) -> list[tuple[str, str, str]]:
    """Slot, run and base of each change."""
    return [(c.slot, c.run.key, c.base.key) for c in told(world).changes]


def test_the_reference_is_best_on_dev_whatever_eval_says(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.run("few_shot", range(15), SHOTS, dev=0.4)
    world.run("rag", range(5), RAG, dev=0.6)
    world.run("rag_lora", range(18), RAG_LORA, dev=0.9)
    found = told(world)
    assert (found.reference.rung.key, found.reference.chosen_by) == ("rag", "dev")


def test_without_dev_it_is_the_untuned_rung_of_a_declared_pair(tmp_path: Path) -> None:
    world = World(tmp_path)
    pairs = {"against": [], "best_untuned": True, "pairs": [["lora", "few_shot"]], "margin": None}
    world.run("few_shot", HALF, SHOTS, dev=None, contrasts=pairs)
    world.run("rag", range(15), RAG, dev=None, contrasts=pairs)
    world.run("lora", HALF, TUNING, dev=None, contrasts=pairs)
    found = told(world)
    assert (found.reference.rung.key, found.reference.chosen_by) == ("few_shot", "declared")


def test_without_a_declaration_it_is_the_last_untuned_rung(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.run("prompt", range(15), dev=None)
    world.run("few_shot", HALF, SHOTS, dev=None)
    world.run("lora", HALF, TUNING, dev=None)
    found = told(world)
    assert (found.reference.rung.key, found.reference.chosen_by) == ("few_shot", "place")


def test_a_change_fills_one_slot_and_tuning_may_do_without_examples(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.run("mine", HALF, SHOTS, dev=0.9)
    world.run("with_passages", HALF, RAG, dev=0.1)
    world.run("two_at_once", HALF, RAG_LORA)
    world.run("trained", HALF, TUNING)
    assert changed(world) == [
        ("retrieval", "with_passages", "mine"),
        ("tuning", "trained", "mine"),
    ]
    assert told(world).changes[1].also == ["instructions full → short", "without shots"]


def test_passages_without_the_examples_are_two_changes(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.run("few_shot", HALF, SHOTS, dev=0.9)
    world.run("bare_rag", HALF, RETRIEVAL, dev=0.1)
    assert world.findings().diagnosis is None


def test_of_several_runs_the_one_in_which_the_least_else_differs(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.run("few_shot", HALF, SHOTS, dev=0.9)
    world.run("other_shots", HALF, {"shots": {"k": 8}, **RETRIEVAL}, dev=0.8)
    world.run("same_shots", HALF, RAG, dev=0.1)
    assert changed(world) == [("retrieval", "same_shots", "few_shot")]


def test_of_several_runs_one_whose_placebo_was_run(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.run("rag", HALF, RAG)
    world.run("rag_lora", HALF, RAG_LORA)
    world.run("rag_few_shot_lora", HALF, {**RAG, **TUNING})
    assert changed(world) == [("tuning", "rag_few_shot_lora", "rag")]
    world.control("shuffled_targets", "rag_lora", HALF, RAG_LORA)
    assert changed(world) == [("tuning", "rag_lora", "rag")]


def test_what_reads_other_materials_by_a_foreign_slot_is_no_single_change(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.run("few_shot", HALF, SHOTS)
    world.run("noisy", HALF, {**TUNING, "transform": {"share": 0.1}})
    assert world.findings().diagnosis is None


def test_what_is_retrieved_is_changed_by_the_oracle_beside_it(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.run("rag", HALF, RAG)
    world.control("oracle_passages", "rag", HALF, RAG)
    world.control("random_passages", "rag", HALF, RAG)
    (change,) = told(world).changes
    assert (change.run.key, change.kind, change.oracle) == (
        "rag_oracle_passages",
        "knowledge",
        True,
    )
    assert change.placebo is not None and change.placebo.key == "rag_random_passages"
    assert change.searched is not None and change.searched.key == "rag"


def test_a_control_of_other_settings_changes_something_else(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.run("rag", HALF, RAG)
    world.control("oracle_passages", "rag", HALF, {**RAG, "retrieval": {"k": 3}})
    assert world.findings().diagnosis is None


def test_a_tool_is_an_action_wherever_a_rung_has_one(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.run("rag", HALF, RAG, dev=0.9)
    world.run("agent", HALF, {**RAG, "tools": [{"name": "stock"}]}, dev=0.1)
    (change,) = told(world).changes
    assert (change.slot, change.kind) == ("tools", "action")


def test_free_answers_are_the_reference_and_the_constraint_a_change(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.run("rag", HALF, RAG)
    world.control("unconstrained", "rag", range(5), RAG, decoding="free")
    world.run("rag_lora", HALF, RAG_LORA)
    found = told(world)
    assert (found.reference.rung.key, found.reference.usual.key) == ("rag_unconstrained", "rag")
    assert changed(world) == [
        ("constraint", "rag", "rag_unconstrained"),
        ("tuning", "rag_lora", "rag"),  # which was run under the constraint only
    ]


def test_where_everything_was_run_freely_too_every_change_is_tried_alone(tmp_path: Path) -> None:
    world = World(tmp_path)
    for decoding in ("constrained", "free"):
        world.run("rag", HALF, RAG, decoding=decoding, variant=f"decoding={decoding}")
        world.run("rag_lora", HALF, RAG_LORA, decoding=decoding, variant=f"decoding={decoding}")
    assert changed(world) == [
        ("constraint", "rag", "rag decoding=free"),
        ("tuning", "rag_lora decoding=free", "rag decoding=free"),
    ]


def test_what_is_missing_is_said_with_the_command_that_runs_it(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.run("rag", HALF, RAG)
    world.run("rag_lora", HALF, RAG_LORA)
    assert [(one.slot, one.what, one.command) for one in told(world).missing] == [
        (
            "constraint",
            "change",
            "python -m harness +task=tickets rung=rag 'controls=[unconstrained]'",
        ),
        (
            "retrieval",
            "change",
            "python -m harness +task=tickets rung=rag "
            "'controls=[rag_oracle_passages,rag_random_passages]'",
        ),
        (
            "tuning",
            "placebo",
            "python -m harness +task=tickets rung=rag_lora 'controls=[rag_lora_shuffled_targets]'",
        ),
    ]


def test_free_text_misses_no_constraint(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.run("few_shot", HALF, SHOTS, decoding="free", dev=0.9)
    world.run("lora", HALF, TUNING, decoding="free")
    assert "constraint" not in [one.slot for one in told(world).missing]
    assert [one.slot for one in told(world).missing] == ["retrieval", "tuning"]


def test_controls_of_older_results_are_found_by_name(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.run("rag", HALF, RAG)
    world.run(
        "rag_oracle_passages", HALF, RAG, dev=None,
        identity={"control": "oracle_passages"}, control={"kind": "oracle_passages", "of": "rag"},
    )  # fmt: skip
    assert changed(world) == [("retrieval", "rag_oracle_passages", "rag")]
