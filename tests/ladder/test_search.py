"""Which prompts a search tries, and on which questions of dev."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from harness.errors import ConfigError, RungUnavailableError
from harness.ladder.rung import Rung
from harness.ladder.search import FOUND, Found, Prompt, Search, picking, saying
from harness.task import Example, Task
from harness.tuning.adapter import Adapter
from tests.conftest import lora, plan, similar

SEARCH = Search(questions=32, examples=[0, 2])
RUNG = Rung("prompt_search", "full", shots=similar(4), search=SEARCH)


def dev(*sizes: int) -> list[Example]:
    """Groups of these sizes, one after another."""
    return [
        Example(f"{group}-{i}", f"input {group} {i}", "x", f"g{group}", (), {}, "")
        for group, size in enumerate(sizes)
        for i in range(size)
    ]


def groups(examples: tuple[Example, ...]) -> set[str]:
    return {e.group for e in examples}


def test_a_task_without_further_files_is_asked_in_either_role(task: Task) -> None:
    labels = [one.label for one in SEARCH.prompts(RUNG, task.materials)]
    assert labels[:4] == [
        "full, system",
        "full, system, 2 examples",
        "full, user",
        "full, user, 2 examples",
    ]
    assert len(labels) == 8
    assert len(SEARCH.prompts(replace(RUNG, shots=None), task.materials)) == 4


def test_further_files_are_tried_in_the_rungs_own_role(
    load: Callable[..., Task], task_folder: Path
) -> None:
    (task_folder / "instructions.terse.md").write_text("Ticket to JSON: {schema}")
    materials = load().materials
    prompts = SEARCH.prompts(RUNG, materials)
    assert {p.name for p in prompts} == {"full", "short", "terse"}
    assert {p.role for p in prompts} == {"system"}
    assert '"colour"' in next(p.text for p in prompts if p.name == "terse")
    assert "terse" not in materials.instructions


def test_whole_groups_pick_and_at_most_half_of_dev() -> None:
    examples = dev(*[2] * 10)
    picked = picking(examples, (), 32)
    assert len(picked) == 10
    assert groups(picked).isdisjoint({e.group for e in examples if e not in picked})
    assert len(picking(examples, (), 5)) == 4
    assert picking(examples, (), 5) == picking(examples, (), 5)


def test_what_rungs_are_not_compared_on_picks_first() -> None:
    examples = dev(*[1] * 12)
    assert {e.id for e in picking(examples, examples[:6], 6)} == {e.id for e in examples[6:]}
    assert {e.id for e in picking(examples, examples[:8], 6)} > {e.id for e in examples[8:]}


def test_something_is_left_to_compare_on() -> None:
    examples = dev(1, 9)
    assert picking(examples, examples[:1], 32) == ()


def test_a_dev_that_cannot_be_split_leaves_the_rung_out(task: Task) -> None:
    one = tuple(replace(e, group="same") for e in task.materials.dev)
    with pytest.raises(RungUnavailableError, match=r"6 questions in 1 groups.*add groups to dev"):
        RUNG.check(replace(task.materials, dev=one))


def test_a_tuned_rung_is_not_searched_for(task: Task) -> None:
    tuned = replace(RUNG, tuning=Adapter(lora(), plan()))
    with pytest.raises(ConfigError, match=r"rung\.search.*fix: rung\.search=null"):
        tuned.check(task.materials)


def test_a_reflector_that_is_only_named_is_told_how_to_be_one() -> None:
    with pytest.raises(ConfigError, match=r"fix: model@rung\.search\.reflector=qwen25_7b"):
        Search(questions=2, examples=[0], reflector="qwen25_7b")


def test_what_was_found_is_said_in_its_role_with_its_examples(task: Task) -> None:
    prompt = Prompt("terse", "Ticket to JSON.", "user", 2)
    rung = saying(RUNG, Found(prompt, frozenset({"dev-0"})))
    assert (rung.instructions, rung.role, rung.shots) == (FOUND, "user", similar(2))
    assert rung.search is not None
    assert rung.search.apply(task.materials).instructions[FOUND] == "Ticket to JSON."
    assert saying(RUNG, Found(replace(prompt, examples=0))).shots is None
