"""The examples in docstrings do what they show."""

from __future__ import annotations

import doctest
from importlib import import_module
from pathlib import Path

import pytest

from tests.conftest import ROOT

SHOWING = [
    path.relative_to(ROOT).with_suffix("")
    for path in sorted((ROOT / "harness").rglob("*.py"))
    if ">>>" in path.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("path", SHOWING, ids=str)
def test_an_example_does_what_it_shows(path: Path) -> None:
    name = ".".join(path.parts).removesuffix(".__init__")
    tried = doctest.testmod(import_module(name))
    assert tried.attempted > 0
    assert tried.failed == 0
