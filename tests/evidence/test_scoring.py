"""What each answer is worth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from harness.answer import Json, Label, Text
from harness.errors import TaskError
from harness.evidence import scoring
from harness.evidence.scoring import scorer_for
from harness.task import Prediction, Task

TARGET = '{"colour":"red","code":"C1","note":"a b"}'


def answered(task: Task, texts: Sequence[str | None]) -> list[Prediction]:
    return [
        Prediction(e.id, t or "", "stop" if t is not None else "error", 9, 9, 5, 0.1,
                   (), None if t is not None else "RuntimeError()")
        for e, t in zip(task.eval, texts, strict=True)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (TARGET, {"fields": 1, "exact": 1, "valid": 1, "readable": 1, "kind/knowledge": 1}),
        # another style is as right, as long as the pattern is kept
        ('{"colour":"red","code":"C1","note":"zz"}', {"fields": 1, "exact": 1, "kind/format": 1}),
        ('{"colour":"red","code":"C1","note":"Z!"}', {"fields": 2 / 3, "valid": 0, "exact": 0}),
        ('{"colour":"red","code":null,"note":"a"}', {"kind/knowledge": 0, "kind/behaviour": 1}),
        ('{"colour":"red","code":"C1"}', {"fields": 2 / 3, "valid": 0, "field/note": 0}),
        ('{"colour":"red","code":"C1","note":"a","more":1}', {"fields": 1, "valid": 0}),
        ('["red"]', {"readable": 0, "fields": 0}),
        ("red", {"fields": 0, "exact": 0, "valid": 0, "readable": 0, "kind/format": 0}),
    ],
)
def test_json_answers_are_scored_by_field_and_kind(
    task: Task, text: str, expected: dict[str, float]
) -> None:
    values = scorer_for(task.materials.answer).each(text, TARGET)
    assert {name: values[name] for name in expected} == pytest.approx(expected)


def test_the_order_of_keys_is_worth_nothing_at_any_depth(tmp_path: Path) -> None:
    path = tmp_path / "schema.json"
    path.write_text('{"properties": {"a": {"properties": {"b": {}, "c": {}}}, "d": {}}}')
    values = scorer_for(Json(str(path))).each(
        '{"d":1,"a":{"c":2,"b":1}}', '{"a":{"b":1,"c":2},"d":1}'
    )
    assert (values["exact"], values["fields"]) == (1, 1)


def test_one_is_not_true(task: Task) -> None:
    assert not scoring._same(1, True)
    assert scoring._same(None, None)


@pytest.mark.parametrize(
    ("text", "reference", "expected"),
    [
        ("The Eiffel Tower.", "eiffel tower", {"exact": 1, "token_f1": 1, "contains": 1}),
        ("It is in Paris, France", "Paris", {"exact": 0, "contains": 1, "token_f1": 2 / 6}),
        ("Parisian", "Paris", {"contains": 0, "token_f1": 0}),
        ("", "Paris", {"exact": 0, "readable": 0, "rouge_l": 0}),
    ],
)
def test_free_text_is_scored_as_squad_does(
    text: str, reference: str, expected: dict[str, float]
) -> None:
    values = scorer_for(Text()).each(text, reference)
    assert {name: values[name] for name in expected} == pytest.approx(expected)


def test_macro_f1_counts_rare_labels_as_much_as_common_ones() -> None:
    scorer = scorer_for(Label(["a", "b"]))
    assert scorer.over(["a", "a", "a", "a"], ["a", "a", "a", "b"]) == {
        "macro_f1": pytest.approx((6 / 7 + 0) / 2)
    }


def test_a_scorer_is_an_evaluate_metric_that_needs_no_hub(
    task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    import evaluate

    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    metric = scorer_for(Label(["a", "b"]))
    assert isinstance(metric, evaluate.Metric)
    result = metric.compute(predictions=["a", "x"], references=["a", "b"])
    assert result == {"accuracy": 0.5, "readable": 0.5, "macro_f1": 0.5}


def test_a_failed_prediction_scores_zero_and_is_counted_apart(task: Task) -> None:
    texts = [e.target for e in task.eval]
    predictions = answered(task, [*texts[:-1], None])
    scores = scoring.score(task, predictions)
    result = scoring.metrics(task, predictions, scores)
    assert result["fields"].value == pytest.approx(7 / 8)
    assert result["fields"].n == 8
    assert result["failed"].value == pytest.approx(1 / 8)


def test_a_missing_prediction_is_an_error_and_not_a_smaller_denominator(task: Task) -> None:
    with pytest.raises(ValueError, match="no prediction for 1 eval examples, first eval-7"):
        scoring.score(task, answered(task, [""] * 8)[:-1])


def test_slices_are_the_same_measures_over_tagged_examples(task: Task) -> None:
    texts = [e.target if e.tags["odd"] == "true" else "no" for e in task.eval]
    scores = scoring.score(task, answered(task, texts))
    found = scoring.slices(task, scores)
    assert found["odd=true"]["fields"].value == 1.0
    assert found["odd=false"]["fields"].value == 0.0
    assert found["odd=true"]["fields"].n == 4


def test_recall_counts_the_passages_that_hold_the_answer(task: Task) -> None:
    from dataclasses import replace

    predictions = [replace(p, passages=("P0", "P1")) for p in answered(task, [""] * len(task.eval))]
    assert scoring.retrieval(task, predictions)["recall_at_2"].value == pytest.approx(0.5)
    assert scoring.retrieval(task, answered(task, [""] * 8)) == {}


def test_a_task_may_name_any_metric_that_evaluate_can_load(
    load: Callable[..., Task], tmp_path: Path
) -> None:
    path = tmp_path / "length.py"
    path.write_text(
        "import datasets\nimport evaluate\n"
        "class Length(evaluate.Metric):\n"
        "    def _info(self):\n"
        "        v = datasets.Value('string')\n"
        "        return evaluate.MetricInfo(description='', citation='', inputs_description='',\n"
        "            features=datasets.Features({'predictions': v, 'references': v}))\n"
        "    def _compute(self, predictions, references):\n"
        "        return {'mean': sum(map(len, predictions)) / len(predictions)}\n"
    )
    task = load(metrics=[str(path)])
    predictions = answered(task, ["four"] * 8)
    result = scoring.metrics(task, predictions, scoring.score(task, predictions))
    assert result[f"{path}/mean"].value == 4.0


def test_a_metric_that_is_not_there_is_named(load: Callable[..., Task]) -> None:
    task = load(primary="acuracy")
    predictions = answered(task, [""] * 8)
    with pytest.raises(TaskError, match="primary metric 'acuracy' is not among fields, exact"):
        scoring.metrics(task, predictions, scoring.score(task, predictions))
