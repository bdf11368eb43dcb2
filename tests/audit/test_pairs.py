"""Contradictions, copies and leaks are found with file and line."""

from __future__ import annotations

import json
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from harness.answer import Json
from harness.audit.finding import Finding
from harness.audit.pairs import same_inputs, shared_groups
from tests.audit.conftest import Row, labelled, materials

NEAR = 0.6
LONG = "where is the parcel that I ordered with you on the second of {} this year"


def told(findings: list[Finding]) -> list[tuple[str, tuple[str, ...]]]:
    return [(finding.check, tuple(finding.where)) for finding in findings]


def test_equal_inputs_with_other_targets_contradict_whatever_their_case_and_spacing() -> None:
    rows = [("Where is it?", "delivery"), ("Pay me back.", "refund"), ("where is  IT", "refund")]
    (found,) = same_inputs(labelled(rows), NEAR)
    assert told([found]) == [("contradiction", ("train.jsonl:1", "train.jsonl:3"))]
    assert '"delivery" / "refund"' in found.text


def test_near_duplicates_with_other_targets_are_told_apart_from_equal_ones() -> None:
    rows = [(LONG.format("May"), "delivery"), (LONG.format("June"), "refund")]
    (found,) = same_inputs(labelled(rows), NEAR)
    assert told([found]) == [("near contradiction", ("train.jsonl:1", "train.jsonl:2"))]
    assert "similarity 0." in found.text


def test_the_same_again_is_a_copy() -> None:
    rows = [("Where is it?", "a"), ("Where is it?", "a"), (LONG.format("May"), "b"),
            (LONG.format("June"), "b")]  # fmt: skip
    assert told(same_inputs(labelled(rows), NEAR)) == [
        ("copy", ("train.jsonl:1", "train.jsonl:2")),
        ("near copy", ("train.jsonl:3", "train.jsonl:4")),
    ]


def test_what_dev_has_of_train_leaks_and_contradicts_where_it_is_equal() -> None:
    train = [("Where is it?", "a"), ("How much is it?", "b"), (LONG.format("May"), "b")]
    dev = [("where is it", "a"), ("How much is it", "c"), (LONG.format("June"), "c")]
    assert told(same_inputs(labelled(train, dev), NEAR)) == [
        ("leak", ("train.jsonl:1", "dev.jsonl:1")),
        ("contradiction", ("train.jsonl:2", "dev.jsonl:2")),
        ("leak", ("train.jsonl:3", "dev.jsonl:3")),
    ]


def test_one_of_many_copies_stands_with_one_other_only() -> None:
    found = same_inputs(labelled([("Where is it?", "a")] * 20), NEAR)
    assert [finding.where[1] for finding in found] == [f"train.jsonl:{n}" for n in range(2, 21)]


def test_json_targets_contradict_in_their_fields_but_not_in_style_or_what_was_copied(
    tmp_path: Path,
) -> None:
    schema = {
        "properties": {
            "intent": {"enum": ["care", "advice"]},
            "order": {"type": ["string", "null"]},
            "note": {"type": "string", "x-check": "style"},
        }
    }
    path = tmp_path / "schema.json"
    path.write_text(json.dumps(schema))
    answer = Json(str(path))

    def row(number: int, intent: str, note: str) -> Row:
        target = {"intent": intent, "order": f"LF-{number}", "note": note}
        return LONG.format(f"May, number {number},"), answer.write(target)

    fine = [row(12345, "care", "this"), row(12346, "care", "that")]
    assert told(same_inputs(materials(fine, answer=answer), NEAR)) == [
        ("near copy", ("train.jsonl:1", "train.jsonl:2"))
    ]
    (found,) = same_inputs(materials([fine[0], row(12347, "advice", "")], answer=answer), NEAR)
    assert (found.check, "intent: care / advice" in found.text) == ("near contradiction", True)
    assert "order:" not in found.text and "note:" not in found.text


def test_groups_of_dev_that_stand_in_train_are_named_once() -> None:
    train = [("one", "a", "g1"), ("two", "a", "g2")]
    dev = [("three", "a", "g3"), ("four", "a", "g2"), ("five", "a", "g2")]
    assert told(shared_groups(labelled(train, dev))) == [
        ("shared group", ("dev.jsonl:2", "train.jsonl:2"))
    ]


words = st.lists(st.sampled_from(["anvil", "birch", "cedar", "dune", "ember", "fjord"]), min_size=4)


@given(st.lists(words, max_size=8), words, st.integers(0, 8))
def test_a_contradiction_is_found_wherever_it_stands(
    others: list[list[str]], input_: list[str], place: int
) -> None:
    rows = [(" ".join(other), "a") for other in others]
    rows.insert(place, (" ".join(input_), "a"))
    rows.append((" ".join(input_).upper(), "b"))
    last = f"train.jsonl:{len(rows)}"
    found = same_inputs(labelled(rows), NEAR)
    assert any(f.check == "contradiction" and f.where[1] == last for f in found)
