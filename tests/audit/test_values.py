"""Imbalance within train, and drift between train and dev."""

from __future__ import annotations

import json
from pathlib import Path

from harness.answer import Json
from harness.audit.values import drift, imbalance, shares
from tests.audit.conftest import Row, labelled, materials


def rows(**counts: int) -> list[Row]:
    return [(f"{label} {n}", label) for label, count in counts.items() for n in range(count)]


def test_labels_that_train_hardly_shows_are_named_with_their_lines() -> None:
    assert imbalance(labelled(rows(a=20, b=20, c=18))) == []
    (found,) = imbalance(labelled(rows(a=40, b=40, c=1)))
    assert found.where == ("train.jsonl:81",)
    assert found.text == "label: c has 1 example, 27 if all were equal"


def test_a_label_that_train_shows_nearly_always_is_named() -> None:
    (found,) = imbalance(labelled(rows(a=90, b=10)))
    assert (found.where, found.text) == ((), "label: a is 90 of 100 examples")


def test_a_label_of_the_set_that_no_example_has_is_named() -> None:
    (found,) = imbalance(labelled(rows(a=10, b=10), labels=["a", "b", "never"]))
    assert found.text == "label: never is in no example of train"


def test_labels_of_dev_that_train_never_shows_are_named_with_their_lines() -> None:
    dev = [("y", "new"), ("z", "new"), *rows(a=8, b=8)]
    (found,) = drift(labelled(rows(a=20, b=20), dev))
    assert found.where == ["dev.jsonl:1", "dev.jsonl:2"]
    assert found.text == "label: new is in 2 examples of dev and in none of train"


def test_shares_that_differ_beyond_chance_are_drift_and_others_are_not() -> None:
    train = rows(a=60, b=40)
    assert drift(labelled(train, rows(a=11, b=9))) == []
    (found,) = drift(labelled(train, rows(a=2, b=28)))
    assert found.text.startswith("label: a is 60% of train and 7% of dev (p ")


def test_examples_of_one_group_count_once() -> None:
    dev = [(f"dev {n}", "b", "one scenario") for n in range(28)]
    assert drift(labelled(rows(a=60, b=40), dev)) == []


def test_an_optional_key_that_dev_leaves_out_is_drift(tmp_path: Path) -> None:
    path = tmp_path / "schema.json"
    fields = {"intent": {"enum": ["a", "b"]}, "note": {"type": "string"}}
    path.write_text(json.dumps({"required": ["intent"], "properties": fields}))
    answer = Json(str(path))

    def written(count: int, noted: int) -> list[Row]:
        targets = [
            {"intent": "ab"[n % 2]} | ({"note": "x"} if n < noted else {}) for n in range(count)
        ]
        return [(f"input {n}", answer.write(target)) for n, target in enumerate(targets)]

    alike = materials(written(50, 45), written(30, 26), answer)
    assert drift(alike) == []
    assert shares(alike) == {
        "intent": {"a": (0.5, 0.5), "b": (0.5, 0.5)}, "key note": {"given": (0.9, 26 / 30)},
    }  # fmt: skip
    (found,) = drift(materials(written(50, 45), written(30, 2), answer))
    assert found.text.startswith("key note: given is 90% of train and 7% of dev")
