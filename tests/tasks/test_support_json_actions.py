"""support_json_actions: what its tickets can tell, and what only its database knows."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT

FOLDER = ROOT / "tasks" / "support_json_actions"
SPLITS = {"train": 120, "dev": 60, "eval": 200}
ACTION = ("status", "carrier", "tracking", "insured")


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def orders() -> dict[str, dict[str, Any]]:
    made = sqlite3.connect(":memory:")
    made.row_factory = sqlite3.Row
    made.executescript((FOLDER / "orders.sql").read_text(encoding="utf-8"))
    return {row["order_id"]: dict(row) for row in made.execute("SELECT * FROM orders")}


@pytest.fixture(scope="module")
def examples() -> dict[str, list[dict[str, Any]]]:
    return {split: rows(FOLDER / f"{split}.jsonl") for split in SPLITS}


@pytest.fixture(scope="module")
def everything(examples: dict[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    return [row for some in examples.values() for row in some]


def test_the_schema_names_these_fields_as_action() -> None:
    properties = json.loads((FOLDER / "schema.json").read_text())["properties"]
    assert tuple(n for n, rules in properties.items() if rules["x-kind"] == "action") == ACTION


def test_splits_have_their_sizes_and_share_no_group(
    examples: dict[str, list[dict[str, Any]]],
) -> None:
    assert {split: len(some) for split, some in examples.items()} == SPLITS
    groups = [{row["group"] for row in some} for some in examples.values()]
    assert not (groups[0] & groups[1] or groups[0] & groups[2] or groups[1] & groups[2])


def test_action_fields_are_what_the_database_has_and_null_without_a_number(
    everything: list[dict[str, Any]], orders: dict[str, dict[str, Any]]
) -> None:
    nothing = dict.fromkeys(ACTION)
    for row in everything:
        known = orders.get(row["target"]["order_id"], nothing)
        assert {name: row["target"][name] for name in ACTION} == {n: known[n] for n in ACTION}


def test_no_ticket_and_no_article_says_what_the_database_has(
    everything: list[dict[str, Any]], orders: dict[str, dict[str, Any]]
) -> None:
    texts = [row["input"] for row in everything]
    texts += [f"{p['title']} {p['text']}" for p in rows(FOLDER / "corpus.jsonl")]
    said = "\n".join(texts).casefold()
    for one in orders.values():
        assert one["tracking"].casefold() not in said
        assert one["carrier"].casefold() not in said


def test_equal_circumstances_have_different_answers(everything: list[dict[str, Any]]) -> None:
    """Nothing that a reader of tickets could know tells an action field: within one intent, one
    article, one scenario, the commonest value is about as rare as chance has it."""
    asked = [row for row in everything if row["target"]["order_id"]]
    for field, chance in (("status", 1 / 5), ("carrier", 1 / 6), ("insured", 1 / 5)):
        for of in ("intent", "article", "group"):
            known = [row["target"].get(of) or row["group"] for row in asked]
            pairs = [
                (a["target"][field], b["target"][field])
                for i, a in enumerate(asked)
                for j, b in enumerate(asked[:i])
                if known[i] == known[j]
            ]
            alike = sum(x == y for x, y in pairs) / len(pairs)
            assert abs(alike - chance) < 0.06, (field, of, alike, len(pairs))
    assert max(Counter(row["target"]["tracking"] for row in asked).values()) == 1


def test_another_draw_changes_the_answers_and_not_the_tickets(
    everything: list[dict[str, Any]], tmp_path: Path
) -> None:
    """The same text with other facts: no reader of it could be right in both worlds."""
    make = _make()
    make["main"](tmp_path, seed="another")
    other = [row for split in SPLITS for row in rows(tmp_path / f"{split}.jsonl")]
    assert [row["input"] for row in other] == [row["input"] for row in everything]
    kept = ("order_id", "intent", "article")
    changed = 0
    for ours, theirs in zip(everything, other, strict=True):
        assert all(ours["target"][n] == theirs["target"][n] for n in kept)
        changed += ours["target"]["tracking"] != theirs["target"]["tracking"]
    assert changed == sum(row["target"]["order_id"] is not None for row in everything)


def test_the_generator_makes_the_very_files(tmp_path: Path) -> None:
    _make()["main"](tmp_path)
    for name in ("train.jsonl", "dev.jsonl", "eval.jsonl", "corpus.jsonl", "orders.sql"):
        assert (tmp_path / name).read_bytes() == (FOLDER / name).read_bytes(), name


def test_train_alone_shows_calls_and_they_find_what_the_answer_needs(
    examples: dict[str, list[dict[str, Any]]], orders: dict[str, dict[str, Any]]
) -> None:
    assert not [row for split in ("dev", "eval") for row in examples[split] if "calls" in row]
    for row in examples["train"]:
        names = [call["tool"] for call in row["calls"]]
        assert names == (["order", "handbook"] if row["target"]["order_id"] else ["handbook"])
        if row["target"]["order_id"]:
            assert row["calls"][0]["arguments"]["order_id"] in orders


def _make() -> dict[str, Any]:
    import runpy

    return runpy.run_path(str(FOLDER / "make.py"))
