"""A search for a prompt: before the rung is fitted, on dev, killed and gone on with."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.errors import RungUnavailableError
from harness.job import Job
from harness.ladder.rung import Rung
from harness.ladder.search import Search
from harness.models.local import ModelSpec
from harness.run import run
from harness.task import Task
from tests.conftest import similar
from tests.reflecting import FakeReflector
from tests.test_run import candidate, job_of, stop_after

SEARCH = Search(questions=2, examples=[0, 1])
RUNG = Rung("prompt_search", "full", shots=similar(1), search=SEARCH)
TERSE = "Ticket to JSON: colour, code, note."
MakeJob = Callable[..., Job]


@pytest.fixture
def make(
    load: Callable[..., Task], task_folder: Path, apt_spec: ModelSpec, tmp_path: Path
) -> MakeJob:
    """A job of the searching rung; `files` are further instructions of the task."""

    def call(
        rung: Rung = RUNG,
        root: str = "results",
        files: dict[str, str] | None = None,
        **changes: Any,
    ) -> Job:
        for name, text in (files or {"terse": TERSE}).items():
            (task_folder / f"instructions.{name}.md").write_text(text)
        settings = {"dev_questions": 6, "decoding": "constrained"} | changes
        return job_of(load(), apt_spec, tmp_path / root, rung, **settings)

    return call


def found(folder: Path) -> dict[str, Any]:
    kept: dict[str, Any] = json.loads((folder / "search" / "found.json").read_text())
    return kept


def timeless(record: Any) -> Any:
    """Without seconds, and what sharing prefixes saved: they depend on the company."""
    match record:
        case dict():
            gone = ("seconds", "computed_tokens")
            return {k: timeless(v) for k, v in record.items() if k not in gone}
        case list():
            return [timeless(v) for v in record]
    return record


def test_every_prompt_is_tried_and_what_it_took_is_told(make: MakeJob) -> None:
    folder = run(make())
    told = folder.manifest()["search"]
    assert {t["prompt"] for t in told["tried"]} == {
        f"{name}, system{examples}"
        for name in ("full", "short", "terse")
        for examples in ("", ", 1 examples")
    }
    assert told["chosen"]["value"] == max(t["value"] for t in told["tried"])
    assert (told["n"], told["asked"], told["reflections"]) == (2, 12, 0)
    assert told["prompt_tokens"] > 0
    assert told == found(folder.path)["record"]
    kept = found(folder.path)["found"]
    assert (folder.path / "search" / "prompt.md").read_text() == kept["text"] + "\n"


def test_what_picked_a_prompt_does_not_judge_it(make: MakeJob) -> None:
    folder = run(make())
    picked = set(found(folder.path)["picked"])
    judged = {json.loads(line)["id"] for line in (folder.path / "dev_scores.jsonl").open()}
    assert len(picked) == 2
    assert judged == {f"dev-{i}" for i in range(6)} - picked
    assert folder.manifest()["dev"]["n"] == 4


def test_all_eval_questions_are_asked_with_the_prompt_that_was_found(make: MakeJob) -> None:
    job = make(replace(RUNG, shots=None))
    folder = run(job)
    told = {"full": found(folder.path)["found"]["text"], "short": ""}
    m = replace(job.task.materials, instructions=told)
    written = make(Rung("prompt", "full"), dev_questions=0)
    single = run(replace(written, task=replace(job.task, materials=m)))
    asked = {p.id: (p.prompt_tokens, p.text) for p in folder.predictions()}
    assert asked == {p.id: (p.prompt_tokens, p.text) for p in single.predictions()}


@pytest.mark.parametrize("answered", [1, 3])
def test_a_search_that_was_killed_goes_on_where_it_stopped(
    make: MakeJob, monkeypatch: pytest.MonkeyPatch, answered: int
) -> None:
    whole = run(make(root="whole"))
    with monkeypatch.context() as patch:
        stop_after(answered % 2, patch)
        with pytest.raises(KeyboardInterrupt):
            run(make(root="killed"))
    resumed = run(make(root="killed"))
    assert timeless(found(resumed.path)) == timeless(found(whole.path))


def test_a_prompt_that_says_what_eval_asks_is_left_out_and_counted(
    make: MakeJob, task: Task, capsys: pytest.CaptureFixture[str]
) -> None:
    leaking = f"Answer in JSON. For example:\n{task.eval[0].input}\nis red."
    folder = run(make(files={"leaking": leaking}))
    told = folder.manifest()["search"]
    assert [d["prompt"] for d in told["dropped"]] == [
        "leaking, system",
        "leaking, system, 1 examples",
    ]
    assert "eval.jsonl:1 in it" in told["dropped"][0]["why"]
    assert "leaking, system is left out" in capsys.readouterr().err
    assert len(told["tried"]) == 4


def test_a_rung_without_any_prompt_left_is_left_out(make: MakeJob, task: Task) -> None:
    leaking = task.eval[0].input
    files = dict.fromkeys(("full", "short", "terse"), leaking)
    with pytest.raises(RungUnavailableError, match="no prompt is left to try: it has 'eval"):
        run(make(files=files))


def test_other_files_make_another_run_of_the_searching_rung_alone(make: MakeJob) -> None:
    first, prompt = run(make()).path, run(make(Rung("prompt", "full"))).path
    files = {"terse": TERSE + " Now."}
    assert run(make(files=files)).path != first
    assert run(make(Rung("prompt", "full"), files=files)).path == prompt


def test_a_reflector_goes_on_from_the_best_file(make: MakeJob) -> None:
    reflector = FakeReflector("```\nWrite red, C1 and a note.\n```")
    search = replace(SEARCH, examples=[0], reflector=reflector, metric_calls=8, minibatch=2)
    rung = replace(RUNG, shots=None, search=search)
    folder = run(make(rung))
    told = folder.manifest()["search"]
    assert folder.manifest()["seed"] == 0
    assert told["reflector"] == "fake"
    assert told["reflections"] == len(set(reflector.asked)) > 0
    assert told["proposed"] == 1
    answers = folder.path / "search" / "answers"
    assert (answers / "gepa-1.system.0.jsonl").exists()
    lines = [json.loads(line) for path in answers.iterdir() for line in path.open()]
    reflected = 50 * told["reflections"]
    assert told["prompt_tokens"] == sum(line["prompt_tokens"] for line in lines) + reflected


def test_a_proposal_that_leaks_is_never_asked_with(make: MakeJob, task: Task) -> None:
    reflector = FakeReflector(f"```\nLike this:\n{task.eval[0].input}\n```")
    search = replace(SEARCH, examples=[0], reflector=reflector, metric_calls=8, minibatch=2)
    folder = run(make(replace(RUNG, shots=None, search=search)))
    told = folder.manifest()["search"]
    assert [d["prompt"] for d in told["dropped"]] == ["gepa-1, system"]
    assert not list((folder.path / "search" / "answers").glob("gepa*"))


def test_each_setting_has_its_own_search_and_the_run_takes_over_the_winners(
    make: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = replace(RUNG, search=replace(SEARCH, examples=[0]))
    folder = run(make(candidates=(candidate(RUNG), candidate(other, "rung.search.examples=[0]"))))
    trials = sorted((folder.path.parents[1] / "trials").rglob("found.json"))
    assert len(trials) == 2
    chosen = trials[folder.manifest()["chosen"]]
    assert found(folder.path) == json.loads(chosen.read_text())


def test_trials_that_pick_by_other_questions_are_valued_by_the_same_ones(make: MakeJob) -> None:
    many, few = (replace(RUNG, search=replace(SEARCH, questions=n)) for n in (4, 2))
    job = make(candidates=(candidate(many), candidate(few, "rung.search.questions=2")))
    m = job.task.materials
    more = [replace(e, id=f"{e.id}-b", group=f"{e.group}-b") for e in m.dev]
    task = replace(job.task, materials=replace(m, dev=(*m.dev, *more)))
    folder = run(replace(job, task=task, dev_questions=12))
    assert [trial["n"] for trial in folder.manifest()["trials"]] == [8, 8]
    found_by = sorted((folder.path.parents[1] / "trials").rglob("found.json"))
    assert [len(json.loads(path.read_text())["picked"]) for path in found_by] == [4, 2]


def test_a_question_that_a_minibatch_holds_twice_is_asked_once(
    make: MakeJob, capsys: pytest.CaptureFixture[str]
) -> None:
    reflector = FakeReflector("```\nWrite red, C1 and a note.\n```")
    search = replace(
        SEARCH, examples=[0], questions=3, reflector=reflector, metric_calls=24, minibatch=2
    )
    folder = run(make(replace(RUNG, shots=None, search=search)))
    for path in (folder.path / "search" / "answers").iterdir():
        ids = [json.loads(line)["id"] for line in path.open()]
        assert len(ids) == len(set(ids)), path.name
    assert "answering failed" not in capsys.readouterr().err


def test_a_control_of_the_rung_says_what_was_found(make: MakeJob) -> None:
    job = make(controls=True)
    folder = run(job)
    controls = [c for c in job.control_jobs(folder) if c.control and c.control.of]
    assert [c.rung.name for c in controls] == ["prompt_search_unconstrained"]
    search = controls[0].rung.search
    assert search is not None
    assert search.found is not None
    assert search.found.prompt.text == found(folder.path)["found"]["text"]
    free = run(controls[0])
    assert not (free.path / "search").exists()


def test_controls_without_a_model_run_beside_the_rung(make: MakeJob) -> None:
    job = make(replace(RUNG, shots=None), controls=None)
    ran = [run(control).path.parent.name for control in job.control_jobs(run(job))]
    assert ran == ["majority", "nearest_answer"]
