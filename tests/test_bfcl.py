"""Rows of a task out of the leaderboard's files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.answer import ToolCalls
from harness.answer.functions import declared
from harness.bfcl import FILES, Bfcl, rows
from harness.errors import ConfigError, TaskError
from harness.load import load_task
from harness.models.weights import Folder
from tests.conftest import write_lines

SUBJECTS = [
    "anvil", "birch", "cedar", "dune", "ember", "fjord", "gorse", "heath", "islet", "jetty", "knoll",
    "larch",
]  # fmt: skip


def function(name: str) -> dict[str, Any]:
    """One as the leaderboard writes it, with its own names of types."""
    properties = {
        "size": {"type": "float", "description": f"How big the {name} is"},
        "type": {"type": "tuple", "items": {"type": "integer"}},
        "note": {"type": "any"},
    }
    parameters = {"type": "dict", "properties": properties, "required": ["size"]}
    words = " ".join(f"{name}{i**3 % 997}" for i in range(40))  # unlike those of any other
    return {"name": name, "description": words, "parameters": parameters}


def question(identity: str, text: str, *names: str) -> dict[str, Any]:
    turns = [[{"role": "user", "content": text}]]
    return {"id": identity, "question": turns, "function": [function(name) for name in names]}


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Six questions of each category; those of `multiple` tie one function to the next."""
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "data"
    (folder / "possible_answer").mkdir(parents=True)
    for category, file in FILES.items():
        questions, answers = [], []
        for i in range(6):
            name = f"{category}_{SUBJECTS[i]}"
            names = [f"simple_{SUBJECTS[i]}", f"simple_{SUBJECTS[i + 1]}"]
            several = names if category == "multiple" else [name]
            text = f"Please {category} {SUBJECTS[-i] * 5} {SUBJECTS[i + 5] * 4}"
            questions.append(question(f"{file}_{i}", text, *several))
            truth = [{several[0]: {"size": ["", 2.0], "note": ["x", ""]}}]
            answers.append({"id": f"{file}_{i}", "ground_truth": truth})
        write_lines(folder / f"BFCL_v4_{file}.json", questions)
        if category != "irrelevance":
            write_lines(folder / "possible_answer" / f"BFCL_v4_{file}.json", answers)
    return folder


def chosen(source: Bfcl) -> list[dict[str, Any]]:
    return [json.loads(line) for line in source.resolve().read_text().splitlines()]


def functions_of(row: dict[str, Any]) -> set[str]:
    return {f["name"] for f in row["target"]["functions"]}


def test_questions_and_answers_are_joined(data: Path) -> None:
    found = {row["id"]: row for row in rows(data)}
    assert len(found) == 24
    row = found["simple_python_0"]
    assert row["input"].startswith("Request: Please simple anvil")
    assert declared(row["input"]) == row["target"]["functions"]
    assert row["tags"] == {"category": "simple"}
    assert found["irrelevance_0"]["target"]["calls"] == []


def test_declarations_become_json_schema(data: Path) -> None:
    parameters = next(rows(data))["target"]["functions"][0]["parameters"]
    assert parameters["type"] == "object"
    kinds = {name: rules.get("type") for name, rules in parameters["properties"].items()}
    assert kinds == {"size": "number", "type": "array", "note": None}


def test_a_required_argument_may_not_be_left_out(data: Path) -> None:
    [call] = next(rows(data))["target"]["calls"]
    assert call["arguments"] == {"size": [2.0], "note": ["x", ""]}


def test_no_function_stands_in_two_groups_and_none_is_too_large(data: Path) -> None:
    found = chosen(Bfcl(Folder(str(data)), each=6, largest_group=4))
    groups: dict[str, set[str]] = {}
    for row in found:
        for name in functions_of(row):
            groups.setdefault(name, set()).add(row["group"])
    assert all(len(one) == 1 for one in groups.values())
    sizes = [sum(r["group"] == group for r in found) for group in {r["group"] for r in found}]
    assert max(sizes) <= 4
    left_out = 24 - len(found)
    assert 0 < left_out < 6  # all of them are questions that would tie groups together
    kept = [row["id"] for row in found if row["tags"]["category"] != "multiple"]
    assert len(kept) == 18


def test_categories_have_no_more_questions_than_asked(data: Path) -> None:
    found = chosen(Bfcl(Folder(str(data)), each=2, largest_group=9))
    counts = [sum(r["tags"]["category"] == category for r in found) for category in FILES]
    assert counts == [2, 2, 2, 2]
    assert found == chosen(Bfcl(Folder(str(data)), each=2, largest_group=9))


def test_questions_that_are_nearly_the_same_stand_in_one_group(data: Path) -> None:
    path = data / "BFCL_v4_irrelevance.json"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    twin = {**lines[0], "id": "twin", "function": [{**lines[0]["function"][0], "name": "other"}]}
    write_lines(path, [*lines, twin])
    found = {row["id"]: row for row in chosen(Bfcl(Folder(str(data)), each=7, largest_group=9))}
    assert found["twin"]["group"] == found["irrelevance_0"]["group"]
    assert functions_of(found["twin"]) != functions_of(found["irrelevance_0"])


def test_a_task_is_dealt_out_of_them(data: Path, task_folder: Path) -> None:
    sizes = {"train": 8, "dev": 3, "eval": 6}
    task = load_task(
        "calls", str(task_folder), ToolCalls(), "calls", 64,
        source=Bfcl(Folder(str(data)), each=6, largest_group=3), sizes=sizes,
    )  # fmt: skip
    groups = [{e.group for e in part} for part in (task.materials.train, task.eval)]
    assert not groups[0] & groups[1]
    assert all(e.accepted for e in task.eval)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [({"each": 0}, "task.source.each=0"), ({"data": "x"}, "task.source.data")],
)
def test_a_slip_is_said(data: Path, changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        Bfcl(**({"data": Folder(str(data)), "each": 1, "largest_group": 1} | changes))


def test_another_folder_is_refused(data: Path, tmp_path: Path) -> None:
    with pytest.raises(TaskError, match=r"no such file; task\.source\.data\.path must be"):
        Bfcl(Folder(str(tmp_path)), each=1, largest_group=1).resolve()
