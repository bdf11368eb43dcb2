"""What others' exceptions say fits into one line."""

from __future__ import annotations

import pytest

from harness.errors import first_line


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("no such column"), "no such column"),
        (ValueError("\n  404 Client Error.\nRequest ID: 7\n"), "404 Client Error."),
        (OSError(), "OSError()"),
    ],
)
def test_first_line(error: Exception, line: str) -> None:
    assert first_line(error) == line
