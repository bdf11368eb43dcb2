"""What a ladder costs, in tables."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.analysis.findings import findings
from harness.analysis.runs import read_ladder
from harness.evidence.cost import Prices
from harness.record.prices import write_prices
from harness.record.results import RunFolder
from harness.report.__main__ import main
from harness.report.cost_tables import costs
from harness.report.formatting import Table
from harness.report.page import page
from tests.record.conftest import TRAINING, complete_run

QUESTIONS = [f"q{i}" for i in range(10)]
RIGHT, WRONG = dict.fromkeys(QUESTIONS, "red"), dict.fromkeys(QUESTIONS, "blue")
HOUR = Prices(None, None, 3600.0, None, "EUR")
"""A second costs 1."""


def run(
    root: Path,
    rung: str,
    answers: Mapping[str, str] = RIGHT,
    spent: Sequence[Mapping[str, Any]] = ({},),
    **changes: Any,
) -> RunFolder:
    """A complete run whose answers took what `spent` says, over and over."""
    folder = complete_run(root, rung, answers, **changes)
    lines = [
        replace(p, **spent[place % len(spent)]).record()
        for place, p in enumerate(folder.predictions())
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    folder.write("predictions.jsonl", text)
    return folder


def tables(*folders: RunFolder) -> dict[str, Table]:
    """The cost tables of a ladder, by what stands before a comma or colon of their titles."""
    made = costs(findings(read_ladder(folders)).costs)
    return {t.title.replace(":", ",").split(",")[0]: t for t in made}


def cells(table: Table, rung: str) -> dict[str, str]:
    (line,) = [line for line in table.lines if line[0] == rung]
    return dict(zip(table.headings, line, strict=True))


def test_answering_is_told_by_question_as_sent_and_as_computed(tmp_path: Path) -> None:
    slow = {"seconds": 2.0, "prompt_tokens": 200}
    made = tables(run(tmp_path, "prompt", spent=[{}, slow], parameters=1_000_000))
    assert cells(made["cost of answering"], "prompt") == {
        "rung": "prompt",
        "prompt tok": "150",
        "computed": "40",
        "answer tok": "5",
        "s median": "1.250",
        "s p95": "2.000",
        "GFLOP as sent": "0.31",
        "as computed": "0.09",
    }
    assert "(Liu et al. 2022)" in " ".join(made["cost of answering"].notes)


def test_training_is_told_of_tuned_rungs_alone(tmp_path: Path) -> None:
    untuned, tuned = run(tmp_path, "prompt"), run(tmp_path, "lora", training=TRAINING)
    assert "cost of training" not in tables(untuned)
    (line,) = tables(untuned, tuned)["cost of training"].lines
    assert line == ["lora", "4", "4,000", "1,536", "100,000", "0.0024", "0.1"]


def test_memory_of_training_and_what_answers_are_told_where_they_are_known(tmp_path: Path) -> None:
    known = {
        "weights_megabytes": 112.4,
        "peak_megabytes": 801.6,
        "answering": "4-bit base and adapter",
    }
    older, later = (
        run(tmp_path, "lora", training=TRAINING),
        run(tmp_path, "qlora", training=TRAINING | known),
    )
    table = tables(older, later)["cost of training"]
    names = ("disk MB", "weights MB", "peak MB", "answers with")
    assert [cells(table, "lora")[name] for name in names] == ["0.1", "", "", ""]
    told = ["0.1", "112", "802", "4-bit base and adapter"]
    assert [cells(table, "qlora")[name] for name in names] == told


TAUGHT = {
    "name": "few_shot", "targets": "teacher", "min_score": 0.5, "asked": 400, "answered": 400,
    "unparsed": 12, "below": 88, "leaked": 0, "kept": 300, "prompt_tokens": 400_000,
    "computed_tokens": 90_000, "completion_tokens": 20_000, "seconds": 120.0,
}  # fmt: skip


def test_a_teacher_is_told_with_what_became_of_its_answers(tmp_path: Path) -> None:
    plain = run(tmp_path, "lora", training=TRAINING)
    student = run(tmp_path, "distilled", training=TRAINING, teacher=TAUGHT)
    assert "cost of a teacher" not in tables(plain)
    table = tables(plain, student)["cost of a teacher"]
    assert [line[0] for line in table.lines] == ["distilled"]
    told = cells(table, "distilled")
    names = ("teacher", "answered", "unparsed", "below", "kept", "prompt tok", "answer tok", "s")
    assert [told[name] for name in names] == [
        "few_shot", "400", "12", "88", "300", "400,000", "20,000", "120",
    ]  # fmt: skip
    assert "leaked" not in told
    assert "Below: scored less than 0.5" in " ".join(table.notes)


@pytest.mark.parametrize(
    ("prices", "more"),
    [(HOUR, 120.0), (Prices(1.0, 2.0, 3600.0, None, "EUR"), 0.44)],
    ids=["by machine time", "by tokens"],
)
def test_a_teachers_answers_are_paid_once_as_answers_are(
    tmp_path: Path, prices: Prices, more: float
) -> None:
    plain = run(tmp_path, "lora", training=TRAINING)
    student = run(tmp_path, "distilled", training=TRAINING, teacher=TAUGHT)
    write_prices(tmp_path / "tickets", prices)
    each = {one.rung: one.money for one in findings(read_ladder([plain, student])).costs.rungs}
    ours, theirs = each["distilled"], each["lora"]
    assert ours is not None
    assert theirs is not None
    assert ours.machine == pytest.approx((theirs.machine or 0.0) + more)


def test_a_column_in_which_nothing_would_stand_is_left_out(tmp_path: Path) -> None:
    plain = run(tmp_path, "prompt")
    indexed = run(tmp_path, "rag", index={"seconds": 2.81, "megabytes": 0.086})
    assert "index s" not in tables(plain)["cost of a run"].headings
    table = tables(plain, indexed)["cost of a run"]
    assert cells(table, "rag")["index s"] == "2.8"
    assert cells(table, "prompt")["index s"] == ""


def test_seeds_are_one_line_and_averaged(tmp_path: Path) -> None:
    made = tables(
        run(tmp_path, "lora", seed=0, training=TRAINING, labelled=500),
        run(tmp_path, "lora", spent=[{"prompt_tokens": 200}], seed=1, labelled=500,
            training=TRAINING | {"seconds": 10.5}),
    )  # fmt: skip
    assert cells(made["cost of answering"], "lora")["prompt tok"] == "150"
    assert cells(made["cost of training"], "lora")["train s"] == "7"
    assert cells(made["cost of a run"], "lora")["labelled"] == "500"
    assert "Seeds of a rung are averaged." in " ".join(made["cost of answering"].notes)


def test_controls_are_left_out(tmp_path: Path) -> None:
    made = tables(
        run(tmp_path, "prompt"),
        run(
            tmp_path, "lora", training=TRAINING, control={"kind": "shuffled_targets", "of": "lora"}
        ),
    )
    assert [line[0] for line in made["cost of answering"].lines] == ["prompt"]
    assert "cost of training" not in made


def test_seconds_of_different_machines_are_not_passed_off_as_comparable(tmp_path: Path) -> None:
    other = {"platform": "Linux", "processor": "any", "cores": 64, "device": "cuda"}
    made = tables(run(tmp_path, "prompt"), run(tmp_path, "rag", machine=other))
    assert "different machines" in " ".join(made["cost of answering"].notes)


def test_without_prices_no_money_is_shown(tmp_path: Path) -> None:
    made = tables(run(tmp_path, "prompt"), run(tmp_path, "lora", training=TRAINING))
    assert list(made) == ["cost of answering", "cost of training", "cost of a run"]


def test_money_by_machine_time(tmp_path: Path) -> None:
    folders = [run(tmp_path, "prompt"), run(tmp_path, "lora", training=TRAINING)]
    write_prices(tmp_path / "tickets", HOUR)
    table = tables(*folders)["money"]
    assert table.title == "money, EUR"
    assert list(table.headings) == ["rung", "1,000 answers", "training, indexing"]
    assert table.lines == [["prompt", "500", ""], ["lora", "500", "3.5"]]
    assert "labelled examples have no price" in " ".join(table.notes)


def test_money_by_tokens_and_by_the_label(tmp_path: Path) -> None:
    folders = [
        run(tmp_path, "prompt"),
        run(tmp_path, "lora", training=TRAINING, labelled=500),
    ]
    write_prices(tmp_path / "tickets", Prices(1.0, 10.0, None, 0.5, "USD"))
    made = tables(*folders)
    assert made["money"].lines == [["prompt", "0.15", ""], ["lora", "0.15", "250"]]
    assert cells(made["break-even"], "lora – prompt")["requests"] == "needs prices.machine_hour"


def test_break_even_of_each_tuned_rung_against_each_untuned_one(tmp_path: Path) -> None:
    folders = [
        run(tmp_path, "prompt", WRONG, [{"seconds": 1.2}]),
        run(tmp_path, "few_shot", RIGHT, [{"seconds": 0.25}]),
        run(tmp_path, "lora", RIGHT, [{"seconds": 0.5}], training=TRAINING),
    ]
    write_prices(tmp_path / "tickets", HOUR)
    table = tables(*folders)["break-even"]
    assert table.lines == [
        ["lora – prompt", "3.5", "700", "5", "better by 100.0 points"],
        ["lora – few_shot", "3.5", "-250", "never", "no detectable difference"],
    ]


def test_a_cheaper_rung_that_is_worse_does_not_pay(tmp_path: Path) -> None:
    folders = [
        run(tmp_path, "prompt", RIGHT, [{"seconds": 1.2}]),
        run(tmp_path, "lora", WRONG, training=TRAINING),
    ]
    write_prices(tmp_path / "tickets", HOUR)
    line = cells(tables(*folders)["break-even"], "lora – prompt")
    assert (line["requests"], line["verdict"]) == ("no: scores lower by 100.0 points", "worse")


def test_quality_is_compared_although_nobody_declared_it(tmp_path: Path) -> None:
    undeclared: dict[str, Any] = {"contrasts": {"against": [], "margin": None}}
    folders = [
        run(tmp_path, "prompt", RIGHT, [{"seconds": 1.2}], **undeclared),
        run(tmp_path, "lora", WRONG, training=TRAINING, **undeclared),
    ]
    write_prices(tmp_path / "tickets", HOUR)
    assert cells(tables(*folders)["break-even"], "lora – prompt")["verdict"] == "worse"


def test_labels_count_as_fixed_cost(tmp_path: Path) -> None:
    folders = [
        run(tmp_path, "few_shot", RIGHT, [{"seconds": 1.5}], labelled=4),
        run(tmp_path, "lora", RIGHT, [{"seconds": 0.5}], training=TRAINING, labelled=500),
    ]
    write_prices(tmp_path / "tickets", replace(HOUR, labelled_example=0.25))
    line = cells(tables(*folders)["break-even"], "lora – few_shot")
    assert line["more once"] == "128"  # 3.5 + 496 × 0.25 = 127.5
    assert line["requests"] == "128"


def test_models_are_not_set_against_each_other(tmp_path: Path) -> None:
    folders = [
        run(tmp_path, "prompt", model="large"),
        run(tmp_path, "lora", model="small", training=TRAINING),
    ]
    write_prices(tmp_path / "tickets", HOUR)
    assert "break-even" not in tables(*folders)


def test_money_stands_in_the_report_and_its_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folders = [run(tmp_path, "prompt"), run(tmp_path, "lora", training=TRAINING)]
    write_prices(tmp_path / "tickets", HOUR)
    assert main([str(tmp_path)]) == 0
    assert "money, EUR" in capsys.readouterr().out
    text = page(findings(read_ladder(folders)))
    assert "money, EUR" in text and "Answering is paid by machine time" in text
