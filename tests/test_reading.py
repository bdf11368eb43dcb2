"""What people leave in files is read as they meant it, or refused with the reason and the fix."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.reading import UnreadableError, json_of, lines_of, text_of


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        ("ä".encode("latin-1") + b"bc", "not UTF-8 .*; save the file as UTF-8"),
        ("abc".encode("utf-16"), "not UTF-8"),
        ("abc".encode("utf-16-le"), "holds NUL characters, as UTF-16 does; save"),
    ],
)
def test_another_encoding_is_refused(tmp_path: Path, data: bytes, complaint: str) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(data)
    with pytest.raises(UnreadableError, match=complaint):
        text_of(path)


def test_the_mark_of_spreadsheets_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes("\ufeffä\r\nb".encode())
    assert text_of(path) == "ä\nb"
    assert list(lines_of(path, newline="")) == ["ä\r\n", "b"]


def test_what_is_no_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(UnreadableError, match="cannot be read"):
        text_of(tmp_path)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('{"a": ', "not JSON .* at column 7"),
        ('{"a": 1, "a": 2}', "'a' stands there twice"),
        ('{"a": NaN}', "NaN is no number of JSON"),
        ("[" * 100_000, "nested too deeply"),
        ("9" * 5000, "too many digits"),
        (r'{"a": "\ud800"}', "half a character"),
    ],
)
def test_what_json_does_not_know_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(UnreadableError, match=complaint):
        json_of(text)


def test_two_halves_are_a_character() -> None:
    assert json_of(r'["\ud83d\ude00"]') == ["😀"]
