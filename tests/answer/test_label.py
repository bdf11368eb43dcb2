"""One label out of a set: written, read, declared and scored."""

from __future__ import annotations

import math
import random

import pytest

from harness.answer import Label
from harness.constraint import Choices
from harness.errors import TaskError


def test_labels_are_those_of_train_unless_they_are_given() -> None:
    fitted = Label().fitted(["b", "a", "b"])
    assert fitted.labels == ("a", "b")
    assert fitted.describe("one of {labels}") == "one of a, b"
    assert Label(["x"]).fitted(["y"]).labels == ("x",)
    with pytest.raises(ValueError, match="'c' is not one of the 2 labels"):
        fitted.write("c")


@pytest.mark.parametrize(
    ("text", "value"), [(" a\nbecause", "a"), ('"b".', "b"), ("c", None), ("  ", None)]
)
def test_a_label_is_the_first_line_of_an_answer(text: str, value: str | None) -> None:
    assert Label(["a", "b"]).parse(text).value == value


ODD_LABELS = ["a", "a.", '"a"', "a b", "a b c", "*", "né 🙂", "1", "True", "`x`", "'"] + [
    f"label {i}" for i in range(150)
]


@pytest.mark.parametrize("label", ODD_LABELS[:12])
def test_a_label_parses_to_itself_whatever_is_in_it(label: str) -> None:
    answer = Label().fitted(ODD_LABELS)
    assert answer.parse(answer.write(label)).value == label
    assert answer.parse(f" {label}\nbecause").value == label


def test_case_is_part_of_a_label() -> None:
    assert Label(["Yes"]).parse("yes").value is None


def test_whole_numbers_become_their_text() -> None:
    assert [Label().write(value) for value in (0, 1, -1)] == ["0", "1", "-1"]
    assert Label([1, 2]).labels == ("1", "2")


@pytest.mark.parametrize("target", [True, 1.0, math.nan, ["x"], {"a": 1}, b"x", None])
def test_a_target_that_is_neither_text_nor_a_whole_number_is_no_label(target: object) -> None:
    with pytest.raises(
        ValueError, match=r"^target is .*; give text, in quotes, or a whole number$"
    ):
        Label().write(target)


@pytest.mark.parametrize("label", ["", " ", " a", "a ", "a\nb", "a\n", "a\u2028b"])
def test_a_label_that_cannot_be_read_back_is_refused(label: str) -> None:
    with pytest.raises(ValueError, match=r"label .* is empty, or has blanks .* fix it"):
        Label().write(label)
    with pytest.raises(TaskError, match=r"answer\.labels: label .* fix it"):
        Label([label])


def test_decoding_is_held_to_the_labels_as_soon_as_they_are_known() -> None:
    assert Label(["a", "é"]).constraint == Choices(("a", "é"))
    assert Label(["a", "é"]).longest == 2, "bytes of UTF-8"
    assert Label().constraint is None
    assert Label().longest is None


def test_the_majority_is_the_commonest_label_and_of_equals_the_first() -> None:
    assert Label().majority(["no", "yes", "yes"]) == "yes"
    assert Label().majority(["no", "yes"]) == "no"
    assert Label().majority([]) == ""


def test_macro_f1_counts_rare_labels_as_much_as_common_ones() -> None:
    scorer = Label(["a", "b"]).scorer()
    assert scorer.over(["a", "a", "a", "a"], ["a", "a", "a", "b"]) == {
        "macro_f1": pytest.approx((6 / 7 + 0) / 2)
    }


def test_its_scorer_is_an_evaluate_metric_that_needs_no_hub(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import evaluate

    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    metric = Label(["a", "b"]).scorer().metric()  # type: ignore[attr-defined]
    assert isinstance(metric, evaluate.Metric)
    result = metric.compute(predictions=["a", "x"], references=["a", "b"])
    assert result == {"accuracy": 0.5, "readable": 0.5, "macro_f1": 0.5}


def test_macro_f1_is_scikit_learns_to_the_last_bit() -> None:
    from sklearn.metrics import f1_score

    drawn = random.Random(0)
    labels = [f"l{i}" for i in range(7)]
    for _ in range(20):
        given = drawn.choices([*labels, "no label", ""], k=50)
        wanted = drawn.choices(labels[: drawn.randint(1, 7)], k=50)
        read = [one if one in labels else "" for one in given]
        known = sorted(set(wanted))
        theirs = f1_score(wanted, read, labels=known, average="macro", zero_division=0.0)
        assert Label(labels).scorer().over(given, wanted) == {"macro_f1": theirs}
