"""How probable each answer is that a rung could give."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from harness.answer import Json, Label
from harness.models.local.engine import LocalEngine
from harness.probe.calibration import Calibration, enumerated, field_choices
from harness.record.measurements import measured
from harness.run import run
from harness.task import Task
from tests.conftest import SCHEMA
from tests.probe.conftest import MakeJob
from tests.test_run import PROMPT

LABELS = ("red", "red wine", "blue")


@pytest.fixture
def labelled(load: Callable[..., Task], task: Task, task_folder: Path) -> Task:
    """The tickets with their colour as the answer, once those of `task` are read."""
    for split in ("train", "dev", "eval"):
        path = task_folder / f"{split}.jsonl"
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        for row in rows:
            row["target"] = row["target"]["colour"]
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return load(name="colours", answer=Label(LABELS), primary="accuracy")


def test_labels_are_cheap_and_fields_must_be_asked_for(
    labelled: Task, task: Task, load: Callable[..., Task]
) -> None:
    by_default, asked_for = Calibration(None, 5), Calibration(True, 5)
    assert by_default.wanted(PROMPT, labelled)
    assert not by_default.wanted(PROMPT, task)
    assert asked_for.wanted(PROMPT, task)


def test_prose_has_no_candidates(prose: Task) -> None:
    assert not Calibration(True, 5).wanted(PROMPT, prose)


def test_every_label_has_its_probability_behind_the_real_prompt(
    job: MakeJob, labelled: Task, apt: LocalEngine
) -> None:
    made = job(task=labelled, probes=(Calibration(None, 5),), decoding="constrained")
    folder = run(made)
    one = measured(folder, "calibration")
    assert one is not None
    told = one.found["choices"]["label"]
    assert told["candidates"] == list(LABELS)
    assert len(told["questions"]) == 5
    answers = {p.id: p.text for p in folder.predictions()}
    inputs = {q.id: q.input for q in labelled.questions}
    reference = apt.fresh(torch.float32)
    for line in told["questions"]:
        assert LABELS[line["given"]] == answers[line["id"]]
        asked = [
            {"role": "system", "content": labelled.materials.instructions["full"]},
            {"role": "user", "content": inputs[line["id"]]},
        ]
        prompt = apt.encode(asked)
        for label, value in zip(LABELS, line["log_probabilities"], strict=True):
            answer = apt.encode_answer(asked, label)
            with torch.no_grad():
                logs = reference(torch.tensor([[*prompt, *answer]])).logits[0].log_softmax(-1)
            expected = sum(float(logs[len(prompt) + i - 1, t]) for i, t in enumerate(answer))
            assert value == pytest.approx(expected, abs=1e-3)


def test_an_answer_that_is_no_label_is_given_as_none(job: MakeJob, labelled: Task) -> None:
    folder = run(job(task=labelled, probes=(Calibration(None, 3),), decoding="free"))
    one = measured(folder, "calibration")
    assert one is not None
    assert [q["given"] for q in one.found["choices"]["label"]["questions"]] == [None] * 3


def test_a_field_stands_behind_the_answer_so_far_and_before_what_follows() -> None:
    schema = {
        "type": "object",
        "properties": {
            "code": {"type": "string"},
            "size": {"enum": ["s", "m", None]},
            "note": {"type": "string"},
            "colour": {"enum": ["red", "blue"]},
        },
    }
    given = {"colour": "blue", "note": "a, b", "code": "C1", "size": "m"}
    size, colour = field_choices(schema, given)
    assert (size.name, size.given, size.candidates) == ("size", "m", ["s", "m", None])
    assert size.texts == [
        '{"code":"C1","size":"s","note":',
        '{"code":"C1","size":"m","note":',
        '{"code":"C1","size":null,"note":',
    ]
    assert colour.texts == [
        '{"code":"C1","size":"m","note":"a, b","colour":"red"}',
        '{"code":"C1","size":"m","note":"a, b","colour":"blue"}',
    ]


@pytest.mark.parametrize("given", [None, "text", {"colour": "green"}])
def test_an_answer_that_breaks_the_schema_has_no_choices(given: object) -> None:
    assert field_choices({"properties": {"colour": {"enum": ["red", "blue"]}}}, given) == []


def test_only_properties_with_a_list_of_values_are_choices() -> None:
    assert enumerated(SCHEMA) == {"colour": ["red", "blue"]}
    assert enumerated({"properties": {"only": {"enum": ["one"]}}}) == {}


def test_the_enums_of_json_answers_are_measured_when_asked_for(
    job: MakeJob, task: Task, apt: LocalEngine
) -> None:
    answer = task.materials.answer
    assert isinstance(answer, Json)
    folder = run(job(probes=(Calibration(True, 8),), decoding="constrained"))
    one = measured(folder, "calibration")
    assert one is not None
    told = one.found["choices"]["colour"]
    texts = {p.id: p.text for p in folder.predictions()}
    readable = {
        i for i, text in texts.items() if answer.violation(answer.parse(text).value) is None
    }
    assert readable and {q["id"] for q in told["questions"]} == readable
    for line in told["questions"]:
        given = answer.parse(texts[line["id"]]).value["colour"]
        assert told["candidates"][line["given"]] == given
        assert all(value < 0 for value in line["log_probabilities"])
