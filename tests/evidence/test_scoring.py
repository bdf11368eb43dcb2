"""What each answer is worth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from harness.errors import TaskError
from harness.evidence import scoring
from harness.task import Prediction, Task


def answered(task: Task, texts: Sequence[str | None]) -> list[Prediction]:
    return [
        Prediction(e.id, t or "", "stop" if t is not None else "error", 9, 9, 5, 0.1,
                   (), None if t is not None else "RuntimeError()")
        for e, t in zip(task.eval, texts, strict=True)
    ]  # fmt: skip


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
