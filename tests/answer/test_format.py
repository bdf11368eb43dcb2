"""An answer format is one file: nothing else in harness knows it by its name."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import pkgutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import harness.answer
from harness.answer import Answer, Json, Label, Text, ToolCalls
from harness.answer.json_object import KINDS
from tests.conftest import ROOT

FORMATS = {
    name
    for name in harness.answer.__all__
    if name != "Answer" and hasattr(getattr(harness.answer, name), "majority")
}
FILES = sorted((ROOT / "harness").rglob("*.py"))
MODULES = [m.name for m in pkgutil.iter_modules(harness.answer.__path__, "harness.answer.")]


def names(node: ast.AST) -> set[str]:
    """All names in an expression; of a dotted one the last part too."""
    found = [n.id if isinstance(n, ast.Name) else getattr(n, "attr", "") for n in ast.walk(node)]
    return set(found)


def asked_for(tree: ast.AST) -> Iterator[set[str]]:
    """The classes that are told apart: in isinstance, issubclass, `type(x) is`, and `case`."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name("isinstance" | "issubclass"), args=[_, classes]):
                yield names(classes)
            case ast.Compare(comparators=others):
                yield set().union(*map(names, others))
            case ast.MatchClass(cls=one):
                yield names(one)


def imported(tree: ast.AST) -> set[str]:
    """What a module imports from harness.answer."""
    found = [n for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)]
    return {a.name for n in found if (n.module or "").startswith("harness.answer") for a in n.names}


def test_the_shipped_formats_are_found() -> None:
    assert {"Json", "Label", "Text"} <= FORMATS


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_no_module_tells_formats_apart(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert not [found & FORMATS for found in asked_for(tree) if found & FORMATS]
    if path.parent.name != "answer":
        assert not imported(tree) & FORMATS, "formats are named by a task's YAML alone"


@pytest.mark.parametrize(
    "code",
    [
        "isinstance(task.materials.answer, Json)",
        "isinstance(answer, (str, answer.Label))",
        "type(answer) is Text",
        "match answer:\n    case Label(labels=None): pass",
    ],
)
def test_and_it_would_be_noticed(code: str) -> None:
    assert set().union(*asked_for(ast.parse(code))) & FORMATS


@pytest.mark.parametrize("name", MODULES)
def test_every_public_class_has_an_example(name: str) -> None:
    module = importlib.import_module(name)
    public = [getattr(module, n) for n in module.__all__]
    assert all(">>>" in inspect.getdoc(c) for c in public if inspect.isclass(c))  # type: ignore[operator]


def test_what_is_shown_beside_the_primary_metric_is_measured(tmp_path: Path) -> None:
    properties = {kind: {"x-kind": kind} for kind in KINDS}
    (tmp_path / "schema.json").write_text(json.dumps({"properties": properties}))
    targets: dict[Answer, str] = {
        Json(str(tmp_path / "schema.json")): '{"format":1}',
        Label(["a", "b"]): "a",
        Text(): "a b",
    }
    calls = ToolCalls().scorer()
    each = [calls.each(target, target) for target in ("[]", '[{"name":"f","arguments":{}}]')]
    assert set(ToolCalls.measures) <= {*each[0], *each[1]}
    for answer, target in targets.items():
        metric = answer.scorer()
        measured = {*metric.each(target, target), *metric.over([target], [target])}
        assert set(answer.measures) <= measured


@pytest.mark.parametrize("module", ["harness.answer", "harness.task", "harness.evidence.scoring"])
def test_reading_a_task_needs_no_heavy_library(module: str) -> None:
    heavy = ("torch", "transformers", "datasets", "evaluate", "sklearn", "rouge_score")
    code = f"import sys, {module}; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
