"""`python -m harness.report`."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.report.__main__ import main
from tests.record.conftest import complete_run


def test_each_eval_set_of_a_results_folder_is_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    complete_run(tmp_path, "prompt")
    complete_run(tmp_path, "few_shot")
    complete_run(tmp_path, "rag", task="other")
    assert main([str(tmp_path)]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    tickets, other = printed.out.index("tickets"), printed.out.index("other")
    assert tickets < printed.out.index("few_shot") < other < printed.out.index("rag")


def test_an_empty_folder_is_told_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path)]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    said = printed.err.splitlines()
    assert len(said) == 1 and said[0].startswith(f"error: {tmp_path}: holds no complete run")
