"""The section about train: its tables, its picture, and where it stands."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.analysis.findings import Findings, findings
from harness.analysis.runs import read_ladder
from harness.record.results import find_runs
from harness.report.data_quality import data_quality
from harness.report.data_quality_figure import noise_chart
from harness.report.page import page
from tests.analysis.test_data_quality import run


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Findings:
    root = tmp_path_factory.mktemp("noise")
    for rung, clean in (("few_shot", 40), ("lora", 48)):
        run(root, rung, clean)
        run(root, rung, clean - 12, 0.1)
        run(root, rung, clean - 4, 0.1, "classifier")
    return findings(read_ladder(find_runs(root)))


def test_the_tables_say_what_was_planted_found_and_gained(found: Findings) -> None:
    noise, precision, dropping, doubtful = data_quality(found)
    assert [line[:3] for line in noise.lines[:3]] == [
        ["few_shot", "0.0", "-"],
        ["few_shot", "10.0", "-"],
        ["few_shot", "10.0", "10, the classifier's suspects, 8 of them planted"],
    ]
    assert precision.lines[0][:3] == ["classifier", "10.0", "10 (as many as were planted)"]
    assert precision.lines[0][3].startswith("80.0 (")
    assert dropping.lines[1][3].startswith("10.0 (")
    assert doubtful.lines[0] == ["train.jsonl:1", "1.99", "input 1", "red"]
    assert len(doubtful.lines) == 20


def test_a_long_folder_of_the_doubtful_lines_is_said_once(found: Findings) -> None:
    told = found.data_quality
    elsewhere = [replace(one, where=f"/a/long/folder/{one.where}") for one in told.doubtful]
    *_, doubtful = data_quality(replace(found, data_quality=replace(told, doubtful=elsewhere)))
    assert doubtful.lines[0][0] == "train.jsonl:1"
    assert doubtful.notes[0] == "Lines of files in /a/long/folder."


def test_the_picture_has_a_line_for_each_rung_broken_without_suspects(found: Findings) -> None:
    (axes,) = noise_chart(found.data_quality, "accuracy").axes
    assert [(line.get_label(), line.get_linestyle()) for line in axes.lines] == [
        ("few_shot", "-"), ("few_shot, without suspects (classifier)", "--"),
        ("lora", "-"), ("lora, without suspects (classifier)", "--"),
    ]  # fmt: skip
    assert [round(value) for value in axes.lines[2].get_ydata()] == [80, 60]


def test_the_page_has_the_section_with_its_picture(found: Findings) -> None:
    text = page(found)
    section = text[text.index('id="data"') : text.index('id="cost"')]
    assert "Is train good?" in section and "<svg" in section and "train.jsonl:1" in section


def test_losses_alone_list_the_doubtful_without_a_picture(tmp_path: Path) -> None:
    run(tmp_path, "lora", 48)
    text = page(findings(read_ladder(find_runs(tmp_path))))
    section = text[text.index('id="data"') : text.index('id="cost"')]
    assert "most doubtful" in section and "<svg" not in section


def test_a_ladder_without_any_of_it_has_no_section(five: Findings) -> None:
    assert data_quality(five) == []
    assert 'id="data"' not in page(five)
