"""A rung that learns from a teacher: who is asked what, once, and what becomes of the answers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.analysis.findings import findings
from harness.analysis.runs import read_ladder
from harness.answer import Label
from harness.errors import ConfigError, LeakError, RungUnavailableError
from harness.evidence.cost import Prices
from harness.evidence.isolation import Isolation
from harness.files import EXAMPLE_LOSSES, TRANSFORM
from harness.job import Job
from harness.ladder.distillation import Distilled
from harness.ladder.rung import Rung
from harness.models.engine import Completion, Conversation
from harness.models.local import ModelSpec
from harness.models.local.engine import LocalEngine
from harness.record.prices import write_prices
from harness.record.results import RunFolder, find_runs
from harness.run import run
from harness.task import Example, Task
from harness.trials import Candidate
from harness.tuning.adapter import Adapter
from tests.conftest import fixed, lora, plan, write_lines
from tests.test_run import job_of, stop_after

TEACHER = Rung("few_shot", "full", shots=fixed(2))
STUDENT = Rung("distilled", "short", tuning=Adapter(lora(), plan(epochs=1)))


def labelled(examples: Sequence[Example]) -> tuple[Example, ...]:
    return tuple(replace(e, target=json.loads(e.target)["colour"]) for e in examples)


@pytest.fixture
def colours(task: Task) -> Task:
    """The tickets with their colour as the answer, which the constraint lets anyone write."""
    m = task.materials
    m = replace(m, train=labelled(m.train), dev=labelled(m.dev), answer=Label(["red", "blue"]))
    return replace(task, materials=m, eval=labelled(task.eval), primary="accuracy")


def job(task: Task, model: ModelSpec, root: Path, seed: int = 0, **changes: Any) -> Job:
    """A job of a distilled rung; keyword arguments change the transform or how leaks are met."""
    leaks = changes.pop("leaks", "stop")
    said: dict[str, Any] = {"teacher": TEACHER, "answers": None, "min_score": None}
    said |= {"targets": "teacher"} | changes
    described = {**said, "teacher": {"name": "few_shot", "k": 2}}
    made = replace(STUDENT, transform=Distilled(**said))
    isolation = Isolation(near_duplicate=0.6, contained=0.9, leaks=leaks)
    candidate = Candidate(made, {"name": "distilled", "transform": described}, "")
    return job_of(
        task, model, root, made, candidates=(candidate,), decoding="constrained", seed=seed,
        isolation=isolation,
    )  # fmt: skip


def answered(root: Path) -> dict[str, str]:
    """What the one teacher below a folder of results has answered."""
    (path,) = (root / "tickets" / "taught").glob("*/train.jsonl")
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert len({line["id"] for line in lines}) == len(lines)
    return {line["id"]: line["text"] for line in lines}


def learned(folder: RunFolder) -> dict[str, str]:
    return {line["id"]: line["target"] for line in folder.table(EXAMPLE_LOSSES).to_dict("records")}


def test_the_student_learns_what_the_teacher_answered_and_its_cost_is_told(
    colours: Task, apt_spec: ModelSpec, tmp_path: Path
) -> None:
    folder = run(job(colours, apt_spec, tmp_path))
    texts = answered(tmp_path)
    assert set(texts) == {e.id for e in colours.materials.train}
    assert learned(folder) == texts != {e.id: e.target for e in colours.materials.train}
    told = folder.manifest()["teacher"]
    assert [told[k] for k in ("name", "asked", "answered", "kept")] == ["few_shot", 16, 16, 16]
    assert told["prompt_tokens"] > 16 * 50
    assert told["seconds"] > 0
    assert folder.read(TRANSFORM)["teacher"] == told


def test_the_same_examples_with_gold_targets_ask_nobody_again(
    colours: Task, apt_spec: ModelSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = run(job(colours, apt_spec, tmp_path, min_score=0.5))
    gold = {e.id: e.target for e in colours.materials.train}
    right = {i: text for i, text in answered(tmp_path).items() if text == gold[i]}
    assert 4 <= len(right) < 16, "the case is another"
    assert learned(folder) == right
    told = folder.manifest()["teacher"]
    assert (told["kept"], told["below"]) == (len(right), 16 - len(right))
    before = answered(tmp_path)
    stop_after(0, monkeypatch)
    with pytest.raises(KeyboardInterrupt):  # at its first eval question
        run(job(colours, apt_spec, tmp_path, min_score=0.5, targets="gold", seed=1))
    monkeypatch.undo()
    other = run(job(colours, apt_spec, tmp_path, min_score=0.5, targets="gold", seed=1))
    assert learned(other) == {i: gold[i] for i in right}
    assert answered(tmp_path) == before


def test_a_teacher_that_was_killed_goes_on_where_it_stopped(
    colours: Task, apt_spec: ModelSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_after(5, monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        run(job(colours, apt_spec, tmp_path))
    monkeypatch.undo()
    first = answered(tmp_path)
    assert len(first) == 5
    assert run(job(colours, apt_spec, tmp_path)).complete
    assert len(answered(tmp_path)) == 16
    assert first.items() <= answered(tmp_path).items()


def test_a_teacher_is_never_shown_the_example_that_it_answers(
    colours: Task, apt_spec: ModelSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Conversation] = []
    answer = LocalEngine.answer

    def spy(
        engine: LocalEngine, conversations: Sequence[Conversation], *rest: Any
    ) -> Iterator[Completion]:
        asked.extend(conversations)
        yield from answer(engine, conversations, *rest)

    monkeypatch.setattr(LocalEngine, "answer", spy)
    run(job(colours, apt_spec, tmp_path))
    inputs = {e.input for e in colours.materials.train}
    taught = [c for c in asked if len(c) == 6 and c[-1]["content"] in inputs]
    assert len(taught) == 16
    assert all(c[-1]["content"] not in {m["content"] for m in c[:-1]} for c in taught)


@pytest.fixture
def recorded(colours: Task, tmp_path: Path) -> Path:
    """Answers of a larger model: one input has none, one answer is no label."""
    path = tmp_path / "large.jsonl"
    lines: list[dict[str, object]] = [
        {"id": e.id, "text": e.target, "prompt_tokens": 90, "completion_tokens": 3, "seconds": 0.5}
        for e in colours.materials.train[1:]
    ]
    lines[0]["text"] = "no idea"
    write_lines(path, lines)
    return path


def test_recorded_answers_take_the_place_of_a_teacher(
    colours: Task, apt_spec: ModelSpec, tmp_path: Path, recorded: Path
) -> None:
    folder = run(job(colours, apt_spec, tmp_path, teacher=None, answers=str(recorded)))
    told = folder.manifest()["teacher"]
    counts = ("asked", "answered", "unparsed", "kept", "prompt_tokens", "seconds")
    assert [told[k] for k in counts] == [16, 15, 1, 14, 1350, 7.5]
    assert learned(folder) == {e.id: e.target for e in colours.materials.train[2:]}
    assert not (tmp_path / "tickets" / "taught").exists()
    isolation = folder.manifest()["isolation"]
    assert (isolation["compared"]["answers"], isolation["decision"]) == (15, "sealed")


@pytest.mark.parametrize(("told", "cost"), [({"cost": 0.25}, 3.75), ({}, None)])
def test_of_recorded_answers_the_told_cost_counts_and_nothing_is_made_up(
    colours: Task,
    apt_spec: ModelSpec,
    tmp_path: Path,
    recorded: Path,
    told: dict[str, float],
    cost: float | None,
) -> None:
    lines = [json.loads(line) for line in recorded.read_text().splitlines()]
    bare = [{"id": line["id"], "text": line["text"], **told} for line in lines]
    recorded.write_text("".join(json.dumps(line) + "\n" for line in bare))
    run(job(colours, apt_spec, tmp_path, teacher=None, answers=str(recorded)))
    write_prices(tmp_path / "tickets", Prices(1.0, 1.0, 3600.0, 0.0, "USD"))
    found = findings(read_ladder(find_runs(tmp_path)))
    (costs,) = found.costs.rungs
    assert costs.taught is not None
    assert (costs.taught.prompt_tokens, costs.taught.seconds) == (None, None)
    assert costs.taught.cost == cost
    assert costs.money is not None
    trained = costs.tuning.seconds if costs.tuning else 0.0
    assert costs.money.machine == (None if cost is None else pytest.approx(trained + cost))


def test_an_answer_that_holds_a_question_of_eval_is_a_leak(
    colours: Task, apt_spec: ModelSpec, tmp_path: Path, recorded: Path
) -> None:
    with recorded.open("a") as file:
        line = {"id": "train-0", "text": f"red, as in: {colours.eval[0].input}"}
        file.write(json.dumps(line) + "\n")

    def made(leaks: str) -> Job:
        return job(colours, apt_spec, tmp_path, teacher=None, answers=str(recorded), leaks=leaks)

    with pytest.raises(LeakError, match=r"large\.jsonl:16 holds what .*eval\.jsonl:1 is sealed"):
        run(made("stop"))
    dropped = run(made("drop")).manifest()
    assert (dropped["teacher"]["leaked"], dropped["isolation"]["decision"]) == (1, "dropped")
    allowed = run(made("allow")).manifest()
    assert (allowed["teacher"]["leaked"], allowed["isolation"]["decision"]) == (0, "allowed")
    assert [leak["split"] for leak in allowed["isolation"]["leaks"]] == ["answers"]
    with pytest.raises(LeakError):  # what was allowed before is not allowed now
        run(made("stop"))


def test_too_few_answers_leave_the_rung_out(
    colours: Task, apt_spec: ModelSpec, tmp_path: Path, recorded: Path
) -> None:
    write_lines(recorded, [{"id": e.id, "text": "green"} for e in colours.materials.train])
    said = r"of 16 answers of its teacher .* 0 are left to learn from \(16 unparsed, 0 below"
    with pytest.raises(RungUnavailableError, match=said):
        run(job(colours, apt_spec, tmp_path, teacher=None, answers=str(recorded)))


def test_a_threshold_needs_a_metric_of_single_answers(
    colours: Task, apt_spec: ModelSpec, tmp_path: Path, recorded: Path
) -> None:
    task = replace(colours, primary="macro_f1")
    with pytest.raises(ConfigError, match="macro_f1 has no value for a single answer; set"):
        run(job(task, apt_spec, tmp_path, teacher=None, answers=str(recorded), min_score=0.5))
