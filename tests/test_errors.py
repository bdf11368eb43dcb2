"""What others' exceptions say fits into one line."""

from __future__ import annotations

import pytest

from harness.errors import ConfigError, first_line


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


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("two\nlines", r"two\nlines"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("\u202edesrever", r"\u202edesrever"),
        ("Größe 语", "Größe 语"),
    ],
)
def test_a_message_is_one_line_whatever_value_it_names(value: str, shown: str) -> None:
    assert str(ConfigError(f"seed={value}")) == f"seed={shown}"
