"""A token budget that no right answer exceeds."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from harness.answer import Json, Label
from harness.ladder.budget import budget, longest_target
from harness.models.local.engine import LocalEngine
from harness.splits import with_train_share
from harness.task import Task


def test_a_budget_that_is_enough_stays_and_nothing_is_said(task: Task, tiny: LocalEngine) -> None:
    materials = replace(task.materials, max_new_tokens=500)
    for constraint in (None, materials.answer.constraint):
        assert budget(materials, tiny, constraint) == (500, None)


def test_a_budget_below_the_longest_target_is_raised_to_it(task: Task, tiny: LocalEngine) -> None:
    materials = replace(task.materials, max_new_tokens=5)
    targets = [e.target for e in materials.train + materials.dev]
    needed = max(len(tiny.tokenizer(t, add_special_tokens=False).input_ids) for t in targets) + 1
    assert budget(materials, tiny, None) == (
        needed,
        f"task.max_new_tokens raised from 5 to {needed}: a target of train or dev is so long",
    )


def test_under_a_schema_without_a_bound_there_is_room_for_twice_the_longest_target(
    task: Task, tiny: LocalEngine
) -> None:
    materials = replace(task.materials, max_new_tokens=5)
    needed, _ = budget(materials, tiny, None)
    assert budget(materials, tiny, materials.answer.constraint) == (
        2 * needed,
        f"task.max_new_tokens raised from 5 to {2 * needed}: the schema has no bound; twice the "
        "longest target",
    )


def test_under_a_constraint_there_is_room_for_whatever_the_schema_admits(
    task: Task, tiny: LocalEngine, tmp_path: Path
) -> None:
    path = tmp_path / "short.json"
    schema = {"properties": {"a": {"enum": ["x" * 100]}}, "additionalProperties": False}
    path.write_text(json.dumps({"type": "object", **schema}))
    materials = replace(task.materials, answer=Json(str(path)), max_new_tokens=80)
    materials = replace(materials, train=materials.train[:1], dev=())
    assert budget(materials, tiny, None) == (80, None)
    raised = "task.max_new_tokens raised from 80 to 109: the schema admits answers of that length"
    assert budget(materials, tiny, materials.answer.constraint) == (
        len('{"a":""}') + 100 + 1,
        raised,
    )


def test_labels_are_counted_in_tokens(task: Task, tiny: LocalEngine) -> None:
    label = "a label that stands in no target, of some length"
    examples = tuple(replace(e, target="red") for e in task.materials.train)
    materials = replace(
        task.materials, answer=Label(["red", label]), train=examples, dev=(), max_new_tokens=4
    )
    needed = len(tiny.encode_answer([{"role": "user", "content": "?"}], label))
    assert budget(materials, tiny, materials.answer.constraint)[0] == needed
    assert budget(materials, tiny, None) == (4, None)


def test_the_budget_is_the_same_at_every_share_of_train(task: Task, tiny: LocalEngine) -> None:
    """Else the bare prompt would answer under other conditions at every size, and be run again."""
    m = replace(task.materials, max_new_tokens=5)
    longest = max(m.train, key=lambda e: len(e.target))
    m = replace(m, train=tuple(replace(e, target="{}") if e is not longest else e for e in m.train))
    whole = replace(task, materials=m)
    shares = [with_train_share(whole, share).materials for share in (0.5, 1.0)]
    assert len({len(one.train) for one in shares}) == 2
    assert len({budget(one, tiny, None) for one in shares}) == 1
    assert len({longest_target(one, None) for one in shares}) == 1
