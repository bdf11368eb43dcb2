"""One job from the config to results/, and what an interruption costs."""

from __future__ import annotations

import itertools
import json
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.answer import Json
from harness.conditions import DEV, DEV_FREE
from harness.errors import ConfigError, LeakError, RungUnavailableError, TaskError
from harness.evidence import scoring
from harness.evidence.contrasts import Contrasts
from harness.evidence.isolation import Isolation
from harness.files import TRANSFORM
from harness.job import Job
from harness.ladder.retrieval import Retrieval
from harness.ladder.rung import Predictor, Rung
from harness.models.engine import Completion, Conversation, Message
from harness.models.local import ModelSpec
from harness.models.local.engine import LocalEngine
from harness.models.weights import Folder, digest
from harness.record.declaration import declarations
from harness.record.ledger import ledger_path, read
from harness.record.results import RunFolder, load_results
from harness.run import Shared, run
from harness.sampling import sample
from harness.task import Prediction, Task
from harness.trials import Candidate
from harness.tuning.adapter import Adapter
from tests.conftest import ROOT, LetterEmbedder, fixed, lora, plan

PROMPT = Rung("prompt", "full")
RAG = replace(PROMPT, name="rag", retrieval=Retrieval(2))
LORA = Rung("lora", "short", tuning=Adapter(lora(), plan()))

MakeJob = Callable[..., Job]


def candidate(rung: Rung, words: str = "") -> Candidate:
    tuning = {"is": repr(rung.tuning)} if rung.tuning else None
    return Candidate(rung, {"name": rung.name, "tuning": tuning, "is": words}, words)


def job_of(task: Task, model: ModelSpec, root: Path, rung: Rung = PROMPT, **changes: Any) -> Job:
    """A job as the command line would assemble it."""
    job = Job(
        task=task,
        candidates=(candidate(rung),),
        decoding="free",
        model=model,
        embedder=LetterEmbedder(),
        isolation=Isolation(near_duplicate=0.6, contained=0.9, leaks="stop"),
        contrasts=Contrasts(["prompt"], True, [], None),
        controls=False,
        dev_questions=0,
        seed=0,
        force=False,
        root=root,
        config="rung: …\n",
        variant="",
        sweep="",
        command="python -m harness",
    )
    return replace(job, **changes)


@pytest.fixture
def job(task: Task, apt_spec: ModelSpec, letters: LetterEmbedder, tmp_path: Path) -> MakeJob:
    def call(rung: Rung = PROMPT, root: str = "results", **changes: Any) -> Job:
        arguments = {"task": task, "model": apt_spec, "embedder": letters} | changes
        return job_of(root=tmp_path / root, rung=rung, **arguments)

    return call


def texts(folder: RunFolder) -> dict[str, str]:
    """The answers; which of two equal questions bore a shared cost is a matter of company."""
    return {p.id: p.text for p in folder.predictions()}


def scores(folder: RunFolder) -> list[str]:
    return (folder.path / "scores.jsonl").read_text().splitlines()


def stop_after(count: int, patch: pytest.MonkeyPatch) -> None:
    """The user presses Ctrl-C when so many questions are answered."""
    answer = Predictor.__call__

    def interrupted(predictor: Predictor, *args: Any, **kwargs: Any) -> Iterator[Prediction]:
        for number, prediction in enumerate(answer(predictor, *args, **kwargs)):
            if number == count:
                raise KeyboardInterrupt
            yield prediction

    patch.setattr(Predictor, "__call__", interrupted)


def fail_at(words: Sequence[str], patch: pytest.MonkeyPatch) -> None:
    """Questions with one of these words in them cannot be put to the model."""
    encode = LocalEngine.encode

    def broken(model: LocalEngine, messages: Sequence[Message]) -> list[int]:
        if any(word in messages[-1]["content"] for word in words):
            raise ValueError("cannot be encoded")
        return encode(model, messages)

    patch.setattr(LocalEngine, "encode", broken)


def documented_files() -> set[str]:
    page = (ROOT / "results" / "README.md").read_text()
    return set(re.findall(r"^\| `([^`]+?)/?` \|", page, flags=re.MULTILINE))


def test_a_run_leaves_the_files_that_the_results_page_tells_of(job: MakeJob) -> None:
    folder = run(job(LORA, dev_questions=2, decoding="constrained"))
    assert folder.complete
    documented = documented_files() - {TRANSFORM}
    assert {p.name for p in folder.path.iterdir()} == documented
    plain = run(job(RAG, dev_questions=2, decoding="constrained"))
    assert {p.name for p in plain.path.iterdir()} == documented - {
        "training.json",
        "example_losses.jsonl",
        "dev_free_predictions.jsonl",
    }
    for name, sha256 in folder.read("complete.json")["sha256"].items():
        assert digest(folder.path / name) == sha256


def test_numbers_and_manifest_are_about_the_whole_eval_set(job: MakeJob, task: Task) -> None:
    made = job(RAG)
    folder = run(made)
    numbers = folder.read("metrics.json")["all"]
    assert {m["n"] for name, m in numbers.items() if name.startswith(("fields", "stop"))} == {8}
    assert "recall_at_2" in numbers
    manifest = folder.read("manifest.json")
    assert manifest["run"] == folder.path.relative_to(made.root).as_posix()
    assert manifest["n"] == 8
    assert manifest["fingerprints"] == task.fingerprints()
    assert manifest["isolation"]["decision"] == "sealed"
    assert manifest["training"] is None
    results = load_results(made.root)
    assert sorted(results.items.id) == sorted(q.id for q in task.questions)


def test_a_tuned_run_tells_in_its_manifest_what_training_did(job: MakeJob) -> None:
    folder = run(job(LORA))
    training = folder.read("manifest.json")["training"]
    curve = folder.read("training.json")["curve"]
    assert training["best_step"] == curve["best_step"]
    trained = job().root / folder.read("manifest.json")["trained"]
    assert sorted(path.name for path in trained.iterdir()) == [
        "adapter",
        "example_losses.jsonl",
        "identity.json",
        "sha256.json",
        "training.json",
    ]
    assert training["sha256"] == digest(trained / "adapter" / "adapter_model.safetensors")
    assert (trained / "training.json").read_text() == (folder.path / "training.json").read_text()


def test_a_finished_run_is_not_run_again_unless_it_is_forced(
    job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = run(job())
    first = (folder.path / "complete.json").stat().st_mtime_ns
    (folder.path / "stray.txt").touch()
    with monkeypatch.context() as patch:
        stop_after(0, patch)
        assert run(job()).path == folder.path
        assert (folder.path / "complete.json").stat().st_mtime_ns == first
        with pytest.raises(KeyboardInterrupt):
            run(job(force=True))
    assert not folder.complete
    again = run(job(force=True))
    assert again.path == folder.path
    assert (folder.path / "complete.json").stat().st_mtime_ns > first
    assert not (folder.path / "stray.txt").exists()


def test_a_run_that_jobs_of_a_sweep_share_is_forced_once(job: MakeJob) -> None:
    shared = Shared()

    def finished(seed: int) -> int:
        folder = run(job(force=True, seed=seed), shared)
        return (folder.path / "complete.json").stat().st_mtime_ns

    assert finished(seed=0) == finished(seed=1)


def test_a_run_is_the_same_when_materials_change_that_its_rung_does_not_read(
    job: MakeJob, task: Task
) -> None:
    m = task.materials
    fewer = replace(task, materials=replace(m, train=m.train[:8]))
    smaller = replace(task, materials=replace(m, corpus=m.corpus[:3]))
    other_dev = replace(task, materials=replace(m, dev=m.dev[:3]))
    assert run(job(task=fewer)).path == run(job()).path
    assert run(job(RAG, task=fewer)).path == run(job(RAG)).path
    assert run(job(RAG, task=smaller)).path != run(job(RAG)).path
    assert run(job(FEW_SHOT, task=fewer)).path != run(job(FEW_SHOT)).path
    assert run(job(task=other_dev)).path == run(job()).path
    asked = {"dev_questions": 2}
    assert run(job(task=other_dev, **asked)).path != run(job(**asked)).path != run(job()).path


def test_where_a_class_is_kept_and_where_a_rung_stands_determine_no_answer(job: MakeJob) -> None:
    def settings(target: str, place: int) -> Candidate:
        return Candidate(PROMPT, {"place": place, "slots": [{"_target_": target, "k": 1}]}, "")

    first = run(job(candidates=(settings("harness.old.place.Shots", 1),)))
    assert run(job(candidates=(settings("harness.new.Shots", 2),))).path == first.path
    assert run(job(candidates=(settings("harness.new.Other", 2),))).path != first.path


def test_what_determines_the_result_determines_the_folder(job: MakeJob, task: Task) -> None:
    """Not what is only said of it, and the seed only where it matters."""
    folder = run(job()).path
    assert run(job(seed=1, sweep="later", variant="x=1")).path == folder
    assert run(job(model=replace(job().model, batch_size=2))).path == folder
    assert run(job(task=task.limited(3))).path != folder
    shots = replace(PROMPT, shots=fixed(1))
    assert run(job(shots)).path != run(job(shots, seed=1)).path


@pytest.mark.parametrize("rung", [PROMPT, RAG, LORA], ids=lambda rung: rung.name)
@pytest.mark.parametrize("answered", [3, 7])
def test_a_run_killed_while_answering_goes_on_with_the_rest(
    job: MakeJob, monkeypatch: pytest.MonkeyPatch, rung: Rung, answered: int
) -> None:
    whole = run(job(rung, "whole"))
    with monkeypatch.context() as patch:
        stop_after(answered, patch)
        with pytest.raises(KeyboardInterrupt):
            run(job(rung, "killed"))
    path = next((job(rung, "killed").root).rglob("predictions.jsonl"))
    left = path.read_text()
    assert left.count("\n") == answered
    path.write_text(left + '{"id": "eval-7", "text": "cut of')
    resumed = run(job(rung, "killed"))
    assert (resumed.path / "predictions.jsonl").read_text().startswith(left)
    assert texts(resumed) == texts(whole)
    assert len(resumed.predictions()) == 8
    assert scores(resumed) == scores(whole)
    assert resumed.read("metrics.json") == whole.read("metrics.json")


@pytest.mark.parametrize("rung", [PROMPT, RAG], ids=lambda rung: rung.name)
def test_a_run_killed_when_all_is_answered_only_draws_its_conclusions(
    job: MakeJob, monkeypatch: pytest.MonkeyPatch, rung: Rung
) -> None:
    whole = run(job(rung))
    (whole.path / "complete.json").unlink()
    before = (whole.path / "predictions.jsonl").read_bytes()
    stop_after(0, monkeypatch)
    resumed = run(job(rung))
    assert resumed.complete
    assert (resumed.path / "predictions.jsonl").read_bytes() == before


SCRIPT = """
import sys
from pathlib import Path
from harness.answer import Json
from harness.load import load_task
from harness.models.local import ModelSpec
from harness.models.weights import Folder
from harness.run import run
from tests.test_run import LONG, job_of
folder, model, root = sys.argv[1:]
task = load_task("tickets", folder, Json(folder + "/schema.json"), "fields", 48)
spec = ModelSpec("apt", Folder(model), "float32", "CC0-1.0", False, "cpu")
run(job_of(task, spec, Path(root), LONG))
"""
LONG = replace(LORA, tuning=Adapter(lora(lora_dropout=0.1), plan(epochs=10)))
"""Long enough to be killed on the way."""


def test_a_process_that_is_killed_in_training_costs_nothing_but_time(
    job: MakeJob, task_folder: Path, apt_spec: ModelSpec
) -> None:
    whole = run(job(LONG, "whole"))
    root = job(LONG, "killed").root
    assert isinstance(apt_spec.weights, Folder)
    arguments = [str(task_folder), apt_spec.weights.path, str(root)]
    process = subprocess.Popen([sys.executable, "-c", SCRIPT, *arguments], cwd=ROOT)
    deadline = time.monotonic() + 120
    while len(list(root.rglob("checkpoint-*/trainer_state.json"))) < 2:
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not list(root.rglob("training.json"))
    resumed = run(job(LONG, "killed"))
    assert resumed.path.relative_to(root) == whole.path.relative_to(job(LONG, "whole").root)
    ours, theirs = (f.read("training.json") for f in (resumed, whole))
    assert ours["sha256"] == theirs["sha256"]
    assert ours["curve"]["points"] == theirs["curve"]["points"]
    assert resumed.read("metrics.json") == whole.read("metrics.json")


def test_a_question_that_cannot_be_answered_is_a_failed_prediction(
    job: MakeJob, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run(job(root="whole"))
    fail_at([task.eval[2].input, task.eval[5].input], monkeypatch)
    folder = run(job())
    failed = {p.id: p for p in folder.predictions() if p.finish == "error"}
    assert set(failed) == {"eval-2", "eval-5"}
    assert failed["eval-2"].error == "ValueError('cannot be encoded')"
    expected = texts(whole)
    assert texts(folder) == expected | {"eval-2": "", "eval-5": ""}
    numbers = folder.read("metrics.json")["all"]
    assert numbers["failed"]["value"] == 2 / 8
    assert numbers["fields"]["n"] == 8


def test_a_failed_question_stays_one_however_often_the_run_was_interrupted(
    job: MakeJob, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed just before the failure was written down: it alone is left."""
    fail_at([task.eval[2].input], monkeypatch)
    folder = run(job())
    lines = (folder.path / "predictions.jsonl").read_text().splitlines(keepends=True)
    assert "cannot be encoded" in lines[-1]
    (folder.path / "predictions.jsonl").write_text("".join(lines[:-1]))
    (folder.path / "complete.json").unlink()
    resumed = run(job())
    assert (resumed.path / "predictions.jsonl").read_text() == "".join(lines)


def test_if_no_question_can_be_answered_the_fault_is_ours(
    job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_at([""], monkeypatch)
    with pytest.raises(ValueError, match="cannot be encoded"):
        run(job())
    assert not list(job().root.rglob("complete.json"))


def test_a_fault_in_a_batch_keeps_its_traceback(
    job: MakeJob, task: Task, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fail_at([task.eval[2].input], monkeypatch)
    run(job())
    said = capsys.readouterr().err
    assert "Traceback (most recent call last)" in said
    assert "in broken" in said


def test_a_users_mistake_in_one_question_is_not_counted_as_a_failed_answer(
    job: MakeJob, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = LocalEngine.answer

    def broken(
        engine: LocalEngine, conversations: Sequence[Conversation], *rest: object
    ) -> Iterator[Completion]:
        if len(conversations) > 1:
            raise ValueError("a batch cannot be answered")
        raise ConfigError("model: cannot answer; choose another")

    monkeypatch.setattr(LocalEngine, "answer", broken)
    with pytest.raises(ConfigError, match="choose another"):
        run(job())
    monkeypatch.setattr(LocalEngine, "answer", answer)
    assert len(run(job()).predictions()) == len(task.eval)


def test_a_mistake_in_the_configuration_is_not_tried_on_every_question(
    job: MakeJob, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ConfigError, match=r"rung\.instructions=long"):
        run(job(replace(PROMPT, instructions="long")))
    assert "one question at a time" not in capsys.readouterr().err


def test_a_target_that_the_constraint_would_not_let_a_model_write_is_refused_with_its_line(
    job: MakeJob, task: Task
) -> None:
    m = task.materials
    odd = replace(m.dev[1], target=m.dev[1].target.replace('"C', '"D'))
    planted = replace(task, materials=replace(m, dev=(m.dev[0], odd, *m.dev[2:])))
    with pytest.raises(TaskError, match=r"dev\.jsonl:2: target .* cannot be written .* beyond"):
        run(job(task=planted, decoding="constrained"))
    assert not list(job().root.rglob("predictions.jsonl"))
    assert run(job(task=planted)).complete, "decoded freely it can be written"
    fake = replace(task.eval[0], target=odd.target)
    with pytest.raises(TaskError, match=r"eval\.jsonl:1: target"):
        run(job(task=replace(task, eval=(fake, *task.eval[1:])), decoding="constrained"))


def test_a_token_budget_below_a_target_is_raised_and_that_is_said_once(
    job: MakeJob, task: Task, apt: LocalEngine, capsys: pytest.CaptureFixture[str]
) -> None:
    m = task.materials
    # Fewer letters than the other targets, but more tokens.
    rare = replace(m.dev[1], target="àéîõü" * 5)
    assert len(rare.target) < min(len(e.target) for e in m.train)
    planted = replace(task, materials=replace(m, dev=(m.dev[0], rare, *m.dev[2:])))
    folders = [run(job(rung, task=planted)) for rung in (PROMPT, RAG)]
    assert [f.read("manifest.json")["max_new_tokens"] for f in folders] == [51, 51]
    line = "tickets: task.max_new_tokens raised from 48 to 51: a target of train or dev is so long"
    assert capsys.readouterr().err.splitlines().count(line) == 1
    assert run(job()).read("manifest.json")["max_new_tokens"] == 48


def leaky(task: Task) -> Task:
    """The task with the text of the first eval example in train."""
    m = task.materials
    copy = replace(m.train[3], input=task.eval[0].input)
    return replace(task, materials=replace(m, train=(*m.train[:3], copy, *m.train[4:])))


def test_a_planted_leak_is_refused_before_anything_is_written(job: MakeJob, task: Task) -> None:
    with pytest.raises(LeakError, match=r"eval\.jsonl:1 and .*train\.jsonl:4 say the same"):
        run(job(task=leaky(task)))
    assert not job().root.exists()


def test_a_leak_that_is_allowed_stands_in_the_manifest(job: MakeJob, task: Task) -> None:
    isolation = replace(job().isolation, leaks="allow")
    planted = run(job(FEW_SHOT, task=leaky(task), isolation=isolation))
    manifest = planted.read("manifest.json")
    assert manifest["isolation"]["decision"] == "allowed"
    (leak,) = manifest["isolation"]["leaks"]
    assert leak["kind"] == "text"
    assert leak["pair"]["where"].endswith("train.jsonl:4")
    alone = run(job(task=leaky(task), isolation=isolation)).read("manifest.json")["isolation"]
    assert (alone["decision"], alone["leaks"]) == ("sealed", []), "the prompt reads no train"


def test_a_leak_that_is_dropped_makes_another_run(job: MakeJob, task: Task) -> None:
    isolation = replace(job().isolation, leaks="drop")
    dropped = run(job(FEW_SHOT, task=leaky(task), isolation=isolation))
    manifest = dropped.read("manifest.json")
    assert manifest["isolation"]["decision"] == "dropped"
    assert manifest["fingerprints"]["train"] != leaky(task).fingerprints()["train"]
    assert manifest["fingerprints"]["eval"] == task.fingerprints()["eval"]


def test_predictions_come_back_from_disk_as_they_were_written(job: MakeJob) -> None:
    folder = run(job(RAG))
    lines = (folder.path / "predictions.jsonl").read_text().splitlines()
    for p, line in zip(folder.predictions(), lines, strict=True):
        assert isinstance(p.passages, tuple)
        assert json.loads(json.dumps(p.record())) == json.loads(line)


@pytest.mark.parametrize("rung", [PROMPT, RAG, LORA], ids=lambda rung: rung.name)
def test_every_rung_answers_dev_too_and_tells_how_well(
    job: MakeJob, task: Task, rung: Rung
) -> None:
    folder = run(job(rung, dev_questions=4))
    asked = [e.id for e in sample(task.materials.dev, 4)]
    assert sorted(p.id for p in folder.predictions("dev_predictions.jsonl")) == sorted(asked)
    manifest = folder.read("manifest.json")
    assert manifest["dev"]["n"] == 4
    assert 0 <= manifest["dev"]["value"] <= 1
    assert (manifest["dev_free"], manifest["trials"], manifest["chosen"]) == (None, [], 0)
    without = run(job(rung, "without"))
    assert without.read("manifest.json")["dev"] is None
    assert texts(without) == texts(folder)


FEW_SHOT = replace(PROMPT, name="few_shot", shots=fixed(2))
RAG_LORA = replace(LORA, name="rag_lora", retrieval=Retrieval(1))


@pytest.mark.parametrize(
    ("rung", "again"),
    [(PROMPT, 3), (FEW_SHOT, 0), (RAG, 0), (LORA, 5), (RAG_LORA, 5)],
    ids=lambda value: getattr(value, "name", ""),
)
def test_the_bare_prompt_and_tuned_rungs_answer_dev_again_without_the_constraint(
    job: MakeJob, task: Task, monkeypatch: pytest.MonkeyPatch, rung: Rung, again: int
) -> None:
    """Of the bare prompt a sample is enough."""
    monkeypatch.setattr("harness.run.SAMPLE", 3)
    folder = run(job(rung, dev_questions=5, decoding="constrained"))
    manifest = folder.read("manifest.json")
    assert (manifest["decoding"], manifest["dev"]["n"]) == ("constrained", 5)
    free = {p.id: p.text for p in folder.predictions("dev_free_predictions.jsonl")}
    dev = sample(sample(task.materials.dev, 5), again)
    assert sorted(free) == [e.id for e in dev]
    if not again:
        assert manifest["dev_free"] is None
        return
    held = {p.id: p.text for p in folder.predictions("dev_predictions.jsonl")}
    assert any(held[i] != text for i, text in free.items()), "the constraint changes nothing"
    told = manifest["dev_free"]
    assert (told["n"], told["difference"]["n"]) == (again, again)
    value = {name: value_on(task, name, folder, list(free)) for name in (DEV, DEV_FREE)}
    assert told["value"] == pytest.approx(value[DEV_FREE])
    assert told["difference"]["value"] == pytest.approx(value[DEV] - value[DEV_FREE])
    assert 0 < told["p"] <= 1


def value_on(task: Task, name: str, folder: RunFolder, ids: Sequence[str]) -> float:
    """What kept answers to some dev questions are worth, scored anew."""
    dev = tuple(e for e in task.materials.dev if e.id in ids)
    predictions = [p for p in folder.predictions(name) if p.id in ids]
    scores = scoring.score(replace(task, eval=dev), predictions)
    return sum(s.values["fields"] for s in scores) / len(scores)


def test_decoding_determines_the_result_and_its_folder(job: MakeJob, task: Task) -> None:
    free, held = (run(job(decoding=decoding)) for decoding in ("free", "constrained"))
    assert free.path != held.path
    assert [f.read("manifest.json")["decoding"] for f in (free, held)] == ["free", "constrained"]
    answer = task.materials.answer
    assert isinstance(answer, Json)
    ended = [p.text for p in held.predictions() if p.finish == "stop"]
    assert ended and all(answer.violation(answer.parse(text).value) is None for text in ended)
    assert not any(answer.parse(p.text).value for p in free.predictions())


def test_free_text_is_decoded_freely_and_is_one_run_under_either_decoding(
    job: MakeJob, prose: Task, capsys: pytest.CaptureFixture[str]
) -> None:
    held, free = (
        run(job(task=prose, decoding=decoding, dev_questions=2))
        for decoding in ("constrained", "free")
    )
    assert held.path == free.path
    manifest = held.read("manifest.json")
    assert (manifest["decoding"], manifest["dev_free"]) == ("free", None)
    line = "prose: free text has no grammar, so that it is decoded freely"
    assert capsys.readouterr().err.splitlines().count(line) == 1


def test_what_a_job_cannot_be_is_one_line(job: MakeJob, task: Task) -> None:
    with pytest.raises(ConfigError, match=r"^decoding=maybe: must be 'constrained' or 'free'$"):
        job(decoding="maybe")
    two = (candidate(PROMPT), candidate(FEW_SHOT))
    without = replace(task, materials=replace(task.materials, dev=()))
    for changes in ({"dev_questions": 0}, {"dev_questions": 2, "task": without}):
        with pytest.raises(ConfigError, match=r"^trials: settings are chosen on dev; set dev_q"):
            job(candidates=two, **changes)


def test_a_rung_that_the_task_cannot_have_leaves_nothing_behind(job: MakeJob, task: Task) -> None:
    bare = replace(task, materials=replace(task.materials, corpus=()))
    with pytest.raises(RungUnavailableError, match=r"the task has no corpus\.jsonl; add one"):
        run(job(RAG, task=bare))
    assert not job().root.exists()


def test_controls_are_runs_of_their_own_beside_the_rung(job: MakeJob, task: Task) -> None:
    made = job(LORA, controls=True, seed=3)
    folder = run(made)
    beside = list(made.control_jobs(folder))
    folders = {one.rung.name: run(one) for one in beside}
    assert list(folders) == ["majority", "nearest_answer", "lora_shuffled_targets"]
    manifests = {name: folder.read("manifest.json") for name, folder in folders.items()}
    assert manifests["lora_shuffled_targets"]["control"] == {
        "kind": "shuffled_targets", "of": "lora",
        "shows": "trained on other examples' targets", "judges": True,
    }  # fmt: skip
    assert manifests["majority"]["control"]["kind"] == "majority"
    assert manifests["majority"]["parameters"] == 0
    assert len(folders["majority"].predictions()) == len(task.eval)
    assert folder.path != folders["lora_shuffled_targets"].path
    # Whatever the rung's seed, the control is the same run.
    assert [one.seed for one in beside] == [0, 0, 0]


def test_a_rung_without_its_constraint_is_a_control_where_it_has_one(job: MakeJob) -> None:
    made = job(RAG, controls=["unconstrained"], decoding="constrained")
    (control,) = made.control_jobs(run(made))
    told = run(control).read("manifest.json")
    assert (told["rung"], told["decoding"]) == ("rag_unconstrained", "free")
    assert told["identity"]["rung"] == {
        "control": "unconstrained",
        "of": made.candidates[0].settings,
    }
    free = replace(made, decoding="free")
    assert list(free.control_jobs(run(free))) == []


def test_a_control_that_there_is_not_is_refused_with_those_that_there_are(job: MakeJob) -> None:
    with pytest.raises(ConfigError, match=r"controls: 'rag_orcale' is no control; there are maj"):
        job(controls=["rag_orcale"])


def test_every_configuration_that_was_judged_is_in_the_ledger_and_stays_there(
    job: MakeJob,
) -> None:
    made = job(controls=None)
    folder = run(made)
    assert all(run(control).complete for control in made.control_jobs(folder))
    shutil.rmtree(folder.path)
    run(made)
    run(job(seed=1))
    run(job(RAG))
    path = ledger_path(folder.path.parents[1], made.task.fingerprints()["eval"])
    assert [one.rung for one in read(path)] == ["prompt", "rag"]


def test_what_a_killed_process_had_no_time_to_tell_is_told_by_the_next(job: MakeJob) -> None:
    """It had finished the run: neither the ledger nor the sealed questions miss it."""
    made = job()
    folder = run(made)
    fingerprint = made.task.fingerprints()["eval"]
    path, questions = (
        ledger_path(folder.path.parents[1], fingerprint),
        folder.eval_path(fingerprint),
    )
    whole = questions.read_bytes()
    path.unlink()
    questions.write_bytes(whole[:50])
    for _ in range(2):
        run(made)
        assert [one.rung for one in read(path)] == ["prompt"]
        assert questions.read_bytes() == whole


TUNED = tuple(
    candidate(
        replace(LORA, tuning=Adapter(lora(), plan(epochs=epochs))), f"training.epochs={epochs}"
    )
    for epochs in (1, 6)
)
"""One that learns little, and one that learns more."""
TRIED = {"candidates": TUNED, "dev_questions": 4, "decoding": "constrained"}


def trial_folders(root: Path) -> list[RunFolder]:
    return [RunFolder(mark.parent) for mark in sorted(root.rglob("trial.json"))]


def trainings(patch: pytest.MonkeyPatch) -> list[Path]:
    """The folders of the adapters that are trained from now on."""
    folders: list[Path] = []
    train = Adapter._train

    def told(adapter: Adapter, *rest: Any) -> Any:
        folders.append(rest[-1])
        return train(adapter, *rest)

    patch.setattr(Adapter, "_train", told)
    return folders


def stop_in(call: int, answered: int, patch: pytest.MonkeyPatch) -> None:
    """The user presses Ctrl-C in the so many-th round of questions, with so many answered."""
    rounds = itertools.count()
    answer = Predictor.__call__

    def interrupted(predictor: Predictor, *args: Any) -> Iterator[Prediction]:
        number = next(rounds)
        for done, prediction in enumerate(answer(predictor, *args)):
            if (number, done) == (call, answered):
                raise KeyboardInterrupt
            yield prediction

    patch.setattr(Predictor, "__call__", interrupted)


def unclocked(folder: RunFolder) -> list[dict[str, Any]]:
    return [trial | {"seconds": 0} for trial in folder.read("manifest.json")["trials"]]


def test_of_several_settings_the_best_on_dev_answers_eval_and_no_other(
    job: MakeJob,
    task: Task,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked: list[tuple[str, str]] = []
    answer = Predictor.__call__

    def told(predictor: Predictor, questions: Any, *rest: Any) -> Iterator[Prediction]:
        epochs = predictor.rung.tuning.training.epochs  # type: ignore[union-attr]
        asked.extend((f"training.epochs={epochs:g}", q.id) for q in questions)
        return answer(predictor, questions, *rest)

    monkeypatch.setattr(Predictor, "__call__", told)
    folder = run(job(**TRIED))
    manifest = folder.read("manifest.json")
    slow, apt = manifest["trials"]
    assert [slow["settings"], apt["settings"]] == [c.words for c in TUNED]
    assert slow["value"] < apt["value"], "the settings are equally good: the test shows nothing"
    assert (manifest["chosen"], slow["n"], apt["n"]) == (1, 4, 4)
    assert manifest["dev"] == {"n": 4, "value": apt["value"]}
    dev, sealed = [e.id for e in sample(task.materials.dev, 4)], [e.id for e in task.eval]
    trials = [(c.words, i) for c in TUNED for i in dev]
    # Of dev only the answers without the constraint are left to give.
    assert asked == trials + [(TUNED[1].words, i) for i in (*dev, *sealed)]
    said = [line for line in capsys.readouterr().err.splitlines() if "trial" in line]
    assert said == [f"lora: trial {n} of 2, {c.words}" for n, c in enumerate(TUNED, start=1)]
    alone = run(job(**TRIED | {"candidates": TUNED[1:]}, root="alone"))
    assert texts(alone) == texts(folder)
    assert len(load_results(job().root).runs["run"].unique()) == 1, "trials are no results"


def test_the_first_seed_takes_over_the_adapter_and_the_answers_of_the_best_trial(
    job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = trainings(monkeypatch)
    folder = run(job(**TRIED))
    tried = trial_folders(job().root)
    assert len(trained) == len(set(trained)) == len(tried)
    assert trained[1] == job().root / folder.read("manifest.json")["trained"]
    best = tried[1]
    name = "dev_predictions.jsonl"
    assert digest(folder.path / name) == digest(best.path / name)
    assert best.path.relative_to(job().root).parts[:3] == ("tickets", "trials", "lora")


def test_trials_are_shared_by_the_seeds_of_a_rung(
    job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Settings are chosen once; each seed then trains an adapter of its own."""
    first = run(job(**TRIED))
    marks = [(one.path / "trial.json").stat().st_mtime_ns for one in trial_folders(job().root)]
    trained = trainings(monkeypatch)
    second = run(job(**TRIED, seed=1))
    tried = trial_folders(job().root)
    assert [(one.path / "trial.json").stat().st_mtime_ns for one in tried] == marks
    assert trained == [job().root / second.read("manifest.json")["trained"]]
    assert second.read("training.json")["sha256"] != first.read("training.json")["sha256"]
    assert unclocked(second) == unclocked(first)
    assert second.read("manifest.json")["chosen"] == first.read("manifest.json")["chosen"]


def test_a_run_killed_in_its_second_trial_goes_on_there(
    job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run(job(**TRIED, root="whole"))
    with monkeypatch.context() as patch:
        stop_in(1, 2, patch)
        with pytest.raises(KeyboardInterrupt):
            run(job(**TRIED))
    (done,) = trial_folders(job().root)
    mark = (done.path / "trial.json").stat().st_mtime_ns
    (left,) = [p for p in done.path.parent.iterdir() if p != done.path]
    begun = (left / "dev_predictions.jsonl").read_text()
    assert begun.count("\n") == 2
    trained = trainings(monkeypatch)
    resumed = run(job(**TRIED))
    assert trained == [], "both adapters were there"
    assert (done.path / "trial.json").stat().st_mtime_ns == mark
    assert (left / "dev_predictions.jsonl").read_text().startswith(begun)
    assert unclocked(resumed) == unclocked(whole)
    assert texts(resumed) == texts(whole)
    assert scores(resumed) == scores(whole)


def test_force_makes_trials_again_too_once_in_a_sweep(
    job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(job(**TRIED))
    trained = trainings(monkeypatch)
    shared = Shared()
    for seed in (0, 1):
        run(job(**TRIED, force=True, seed=seed), shared)
    assert len(trained) == len(TUNED) + 1


def test_controls_are_those_of_the_settings_that_were_chosen(job: MakeJob) -> None:
    several = tuple(candidate(replace(RAG, retrieval=Retrieval(k)), f"k={k}") for k in (1, 3))
    made = job(candidates=several, dev_questions=2, controls=True)
    folder = run(made)
    chosen = folder.read("manifest.json")["chosen"]
    beside = {one.rung.name: one for one in made.control_jobs(folder)}
    assert beside["rag_random_passages"].rung.retrieval.k == several[chosen].rung.retrieval.k  # type: ignore[union-attr]
    assert all(len(one.candidates) == 1 for one in beside.values())
    of = beside["rag_random_passages"].candidates[0].settings["of"]
    assert of == several[chosen].settings


def test_what_is_compared_is_declared_before_the_first_answer_and_a_change_is_said(
    job: MakeJob, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with monkeypatch.context() as patch:
        stop_after(0, patch)
        with pytest.raises(KeyboardInterrupt):
            run(job())
    (path,) = job().root.glob("tickets/declared-*.json")
    (blind,) = declarations(path)
    assert (blind.contrasts["margin"], blind.after) == (None, 0)
    run(job())
    later = job(RAG, contrasts=Contrasts(["prompt"], True, [], 0.02))
    run(later)
    run(later)
    assert [(d.contrasts["margin"], d.after) for d in declarations(path)] == [(None, 0), (0.02, 1)]
    said = [line for line in capsys.readouterr().err.splitlines() if "were declared on" in line]
    assert len(said) == 1
    assert "say that 1 configurations had been judged by then; to keep" in said[0]


def test_memory_that_runs_out_is_no_failed_answer_and_the_run_goes_on_later(
    job: MakeJob, task: Task, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = LocalEngine.answer

    def short(engine: LocalEngine, *rest: object) -> Iterator[Completion]:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(LocalEngine, "answer", short)
    with pytest.raises(RuntimeError, match="can't allocate memory"):
        run(job())
    assert capsys.readouterr().err.count("\n") <= 1, "no traceback, and no question tried alone"
    monkeypatch.setattr(LocalEngine, "answer", answer)
    assert [p.error for p in run(job()).predictions()] == [None] * len(task.eval)
