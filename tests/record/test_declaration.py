"""What was declared, when, and what was known by then."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import ResultsError
from harness.record.declaration import declaration_path, declarations, declare

FIRST = {"against": ["prompt"], "best_untuned": True, "pairs": [], "margin": None}
LATER = FIRST | {"margin": 0.02}


def test_a_declaration_is_kept_once_and_a_changed_one_beside_it(tmp_path: Path) -> None:
    path = declaration_path(tmp_path / "tickets", "0123456789abcdef")
    assert path.name == "declared-01234567.json"
    assert declarations(path) == []
    assert declare(path, FIRST, after=0) is None
    assert declare(path, FIRST, after=3) is None
    (blind,) = declarations(path)
    assert (blind.contrasts, blind.after) == (FIRST, 0)
    assert declare(path, LATER, after=4) == blind
    assert [(one.contrasts, one.after) for one in declarations(path)] == [(FIRST, 0), (LATER, 4)]


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    path = declaration_path(tmp_path, "0123456789abcdef")
    path.write_text('[{"contrasts": {}}]')
    with pytest.raises(ResultsError, match=r"declared-01234567\.json: cannot be read .* delete it"):
        declarations(path)
