"""Which room imports which: read from the source, so that no import is missed, however late."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.conftest import ROOT

PACKAGE = ROOT / "harness"

ROOMS: dict[str, set[str]] = {
    "answer": set(),
    "models": {"answer"},
    "tuning": {"answer", "models", "evidence"},
    "ladder": {"answer", "models", "tuning"},
    "evidence": {"answer"},
    "toolbox": {"answer"},
    "record": {"answer", "evidence"},
    "analysis": {"answer", "record", "evidence"},
    "report": {"answer", "analysis", "record", "evidence"},
    "probe": {"answer", "models", "tuning", "ladder", "evidence", "record"},
    "configuration": {"answer", "models", "tuning", "ladder", "evidence", "record", "probe"},
    "audit": {
        "answer", "models", "tuning", "ladder", "evidence", "record", "probe", "configuration",
    },
    "diagnose": {
        "answer", "models", "tuning", "ladder", "evidence", "record", "analysis", "report",
        "probe", "audit", "configuration",
    },
}  # fmt: skip
"""What each room may import, beside modules at the top that import no other room themselves."""


def units() -> list[str]:
    """Rooms and modules at the top of the package."""
    return sorted(p.stem for p in PACKAGE.iterdir() if p.suffix == ".py" or is_room(p))


def is_room(path: Path) -> bool:
    return path.is_dir() and any(path.rglob("*.py"))


def files(unit: str) -> list[Path]:
    return sorted((PACKAGE / unit).rglob("*.py")) or [PACKAGE / f"{unit}.py"]


def imported(path: Path) -> Iterator[str]:
    """Every dotted name of ours that a file imports, inside functions and for types too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Import():
                names = [alias.name for alias in node.names]
            case ast.ImportFrom():
                assert node.level == 0, f"{path}: imports are absolute"
                names = [f"{node.module}.{alias.name}" for alias in node.names]
            case _:
                names = []
        yield from (name for name in names if name.startswith("harness."))


def used(unit: str) -> set[str]:
    """Other units that a unit imports itself."""
    names = {name.split(".")[1] for path in files(unit) for name in imported(path)}
    return (names & set(units())) - {unit, "__init__"}


@cache
def rooms_behind(unit: str) -> frozenset[str]:
    """Rooms that a unit imports, itself or by way of modules at the top."""
    found = set()
    for other in used(unit):
        found |= {other} if is_room(PACKAGE / other) else rooms_behind(other)
    return frozenset(found)


@pytest.mark.parametrize("room", [unit for unit in units() if is_room(PACKAGE / unit)])
def test_a_room_imports_only_rooms_that_it_may(room: str) -> None:
    assert room in ROOMS, f"say in ROOMS what {room}/ may import"
    assert rooms_behind(room) - {room} <= ROOMS[room]


def test_no_room_imports_itself_by_a_detour() -> None:
    for room, allowed in ROOMS.items():
        assert all(room not in ROOMS[other] for other in allowed)


def test_what_is_read_and_analysed_knows_nothing_of_how_it_is_shown() -> None:
    for room in ("record", "evidence", "analysis"):
        assert "report" not in rooms_behind(room)
    for room in ("record", "evidence"):
        assert "analysis" not in rooms_behind(room)


def test_mlflow_is_imported_by_its_reports_alone() -> None:
    users = {
        path.name
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and str(node.module).split(".")[0] == "mlflow"
    }
    assert users == {"mlflow.py", "mlflow_run.py"}
