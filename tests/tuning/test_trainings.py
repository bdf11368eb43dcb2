"""Rungs that train alike train once; whatever else differs trains apart."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from filelock import FileLock

from harness.analysis.findings import findings
from harness.analysis.runs import read_ladder
from harness.ladder.retrieval import Retrieval
from harness.ladder.rung import Rung
from harness.models.local.engine import LocalEngine
from harness.models.weights import digest
from harness.record.results import RunFolder
from harness.run import Shared, run
from harness.tuning.adapter import Adapter
from harness.tuning.full import FullFineTuning
from harness.tuning.head_lora import ClassifierHeadAdapter
from harness.tuning.method import Method, Pair, Report, Tuned, keep, kept
from harness.tuning.trainer_callbacks import LastEvaluation
from harness.tuning.trainings import Trainings
from tests.conftest import fixed, lora, plan
from tests.test_run import LORA, MakeJob, job, texts, trainings

__all__ = ["job"]  # a fixture

LESSON: list[Pair] = [([{"role": "user", "content": "hello"}], "red")]
ON_SHOW = replace(fixed(2), in_training=False)
"""Worked examples that are shown only when a tuned rung answers."""


@dataclass(frozen=True)
class Counted(Method):
    """Trains nothing, and says how often it was asked to."""

    log: list[Path]
    strength: int = 1

    @property
    def settings(self) -> Any:
        return {"strength": self.strength}

    def fit(
        self, engine: Any, train: Sequence[Pair], dev: Sequence[Pair], seed: int, folder: Path
    ) -> Tuned:
        report = kept(folder)
        if report is None:
            self.log.append(folder)
            report = Report(sha256=str(len(self.log)))
            keep(folder, report)
        return Tuned(engine, report, folder)


def store(root: Path, model: str = "tiny", again: bool = False) -> Trainings:
    return Trainings(root, model, lambda _: again)


def fit(trained: Trainings, method: Method, **changes: Any) -> Tuned:
    parts: dict[str, Any] = {"train": LESSON, "dev": LESSON, "seed": 0}
    return trained.fit(method, None, **(parts | changes))  # type: ignore[arg-type]


def adapter_of(root: Path, folder: RunFolder) -> Path:
    return root / folder.read("manifest.json")["trained"] / "adapter" / "adapter_model.safetensors"


def test_the_same_training_is_done_once(tmp_path: Path) -> None:
    log: list[Path] = []
    first = fit(store(tmp_path), Counted(log))
    assert fit(store(tmp_path), Counted(log)).folder == first.folder
    assert log == [first.folder]
    assert (first.folder / "identity.json").exists()


def test_what_was_damaged_is_trained_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log: list[Path] = []
    folder = fit(store(tmp_path), Counted(log)).folder
    (folder / "training.json").write_text("{")
    assert fit(store(tmp_path), Counted(log)).folder == folder
    assert log == [folder, folder]
    said = capsys.readouterr().err
    assert f"{folder / 'training.json'}: is not what training left; training again" in said
    fit(store(tmp_path), Counted(log))
    assert len(log) == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": 1},
        {"train": [([{"role": "user", "content": "hello"}], "blue")]},
        {"train": [([{"role": "system", "content": "hello"}], "red")]},
        {"train": LESSON * 2},
        {"dev": []},
    ],
)
def test_other_conversations_and_another_seed_train_apart(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    log: list[Path] = []
    fit(store(tmp_path), Counted(log))
    fit(store(tmp_path), Counted(log), **changes)
    assert len(set(log)) == 2


def test_other_settings_and_another_model_train_apart(tmp_path: Path) -> None:
    log: list[Path] = []
    fit(store(tmp_path), Counted(log))
    fit(store(tmp_path), Counted(log, strength=2))
    fit(store(tmp_path, model="large"), Counted(log))
    assert len(set(log)) == 3


@dataclass(frozen=True)
class Settled(Counted):
    """Leaves its strength to the machine."""

    def on(self, engine: Any) -> Settled:
        return replace(self, strength=engine)


def test_what_is_left_to_the_machine_is_part_of_what_is_trained(tmp_path: Path) -> None:
    log: list[Path] = []
    for engine in (2, 3, 2):
        store(tmp_path).fit(Settled(log), engine, LESSON, LESSON, 0)  # type: ignore[arg-type]
    assert len(log) == len(set(log)) == 2


@pytest.mark.parametrize(
    "method",
    [
        Adapter(lora(), plan(dtype="auto")),
        ClassifierHeadAdapter(lora(), plan(dtype="auto")),
        FullFineTuning(plan(dtype="auto"), 0.1),
    ],
    ids=["adapter", "head", "full"],
)
def test_a_checkpoint_of_another_precision_is_not_gone_on_from(
    apt: LocalEngine, monkeypatch: pytest.MonkeyPatch, method: Adapter | FullFineTuning
) -> None:
    """`auto` is what the machine has; a training in one precision is none in the other."""
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    settings = []
    for native, dtype in ((True, "bfloat16"), (False, "float32")):
        monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda native=native: native)
        said = replace(method, training=replace(method.training, dtype=dtype))
        assert method.on(apt).settings == said.settings
        settings.append(said.settings)
    assert settings[0] != settings[1]


def test_every_setting_of_an_adapter_is_one_of_its_settings() -> None:
    alike = Adapter(lora(target_modules=["q_proj", "v_proj"]), plan())
    assert alike.settings == Adapter(lora(target_modules=["v_proj", "q_proj"]), plan()).settings
    others = [
        Adapter(lora(target_modules=["q_proj"]), plan()),
        Adapter(lora(target_modules=["q_proj", "v_proj"], r=8), plan()),
        Adapter(lora(target_modules=["q_proj", "v_proj"]), plan(epochs=4)),
    ]
    assert all(other.settings != alike.settings for other in others)


def test_what_is_trained_anew_leaves_nothing_of_the_earlier_and_other_weights_are_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log: list[Path] = []
    folder = fit(store(tmp_path), Counted(log)).folder
    (folder / "stray.txt").touch()
    fit(store(tmp_path, again=True), Counted(log))
    assert log == [folder, folder]
    assert not (folder / "stray.txt").exists()
    said = capsys.readouterr().err
    assert "other weights" in said and "run it with force=true" in said
    log.clear()  # the next weights are called as the first were
    fit(store(tmp_path / "same"), Counted(log))
    log.clear()
    fit(store(tmp_path / "same", again=True), Counted(log))
    assert capsys.readouterr().err == ""


def test_a_second_process_waits_for_the_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log: list[Path] = []
    trained = store(tmp_path)
    folder = trained.folder(trained.identity(Counted(log), LESSON, LESSON, 0))
    with FileLock(tmp_path / f".{folder.name}.lock"):
        second = threading.Thread(target=fit, args=(trained, Counted(log)))
        second.start()
        deadline = time.monotonic() + 20
        while "waiting for it" not in capsys.readouterr().err:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert log == []
        keep_whole(folder)
    second.join()
    assert log == [], "what the first has finished is taken up"


def keep_whole(folder: Path) -> None:
    folder.mkdir(parents=True)
    keep(folder, Report(sha256="done"))


def test_two_decodings_train_once_and_answer_as_if_they_had_trained_apart(
    job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = trainings(monkeypatch)
    asked = {"dev_questions": 2}
    free, held = (run(job(LORA, decoding=d, **asked)) for d in ("free", "constrained"))
    assert len(trained) == 1
    assert free.path != held.path
    manifests = [folder.read("manifest.json") for folder in (free, held)]
    assert len({m["trained"] for m in manifests}) == 1
    assert len({m["training"]["sha256"] for m in manifests}) == 1
    apart = run(job(LORA, "apart", decoding="constrained", **asked))
    assert len(trained) == 2
    assert apart.path.name == held.path.name, "sharing changes no identity"
    assert texts(apart) == texts(held) != texts(free)
    ours, theirs = (
        digest(adapter_of(job(root=root).root, folder))
        for root, folder in (("results", held), ("apart", apart))
    )
    assert ours == theirs == held.read("training.json")["sha256"]


def test_examples_that_are_shown_only_when_answering_need_no_training_of_their_own(
    job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = trainings(monkeypatch)
    plain = run(job(LORA))
    shown = run(job(replace(LORA, name="few_shot_lora", shots=ON_SHOW)))
    assert len(trained) == 1
    longer = zip(shown.predictions(), plain.predictions(), strict=True)
    assert all(s.prompt_tokens > p.prompt_tokens for s, p in longer)
    run(job(replace(LORA, name="taught_with_shots", shots=fixed(2))))
    assert len(trained) == 2, "prompts with examples are other lessons"
    run(job(replace(LORA, name="rag_lora", retrieval=Retrieval(1))))
    assert len(trained) == 3, "and so are prompts with passages"


def test_two_seeds_are_two_trainings_and_two_runs(
    job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = trainings(monkeypatch)
    for decoding in ("free", "constrained"):
        for seed in (0, 1):
            run(job(LORA, decoding=decoding, seed=seed))
    assert len(trained) == len(set(trained)) == 2


def test_a_training_that_one_cell_left_unfinished_goes_on_in_another(
    job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run(job(LORA, "whole", decoding="constrained"))
    steps: list[int] = []
    evaluate = LastEvaluation.on_step_end

    def counted(self: Any, args: Any, state: Any, control: Any, **rest: Any) -> None:
        steps.append(state.global_step)
        if state.global_step == 7 and len(steps) == 7:
            raise KeyboardInterrupt
        evaluate(self, args, state, control, **rest)

    monkeypatch.setattr(LastEvaluation, "on_step_end", counted)
    with pytest.raises(KeyboardInterrupt):
        run(job(LORA, decoding="free"))
    other = run(job(LORA, decoding="constrained"))
    assert steps[:7] == list(range(1, 8))
    assert 1 < steps[7] <= 7, "it goes on from a checkpoint"
    assert other.read("training.json")["sha256"] == whole.read("training.json")["sha256"]
    assert texts(other) == texts(whole)


def test_force_trains_again_once_in_a_sweep(
    job: MakeJob, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    first = run(job(LORA, decoding="free"))
    trained = trainings(monkeypatch)
    shared = Shared()
    for decoding in ("free", "constrained"):
        run(job(LORA, decoding=decoding, force=True), shared)
    assert trained == [job().root / first.read("manifest.json")["trained"]]
    assert "other weights" not in capsys.readouterr().err


def test_a_run_that_was_deleted_takes_up_the_training_and_one_without_it_stays_finished(
    job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = run(job(LORA))
    before = texts(first)
    trained = trainings(monkeypatch)
    shutil.rmtree(first.path)
    assert texts(run(job(LORA))) == before
    assert trained == []
    shutil.rmtree(job().root / first.read("manifest.json")["trained"])
    assert run(job(LORA)).complete
    assert trained == []
    assert findings(read_ladder([first])).rungs[0].runs[0].curve, "reports need no weights"


def test_what_an_earlier_version_left_in_a_runs_folder_is_taken_up_there(
    job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = run(job(LORA))
    before = texts(first)
    (job().root / first.read("manifest.json")["trained"] / "adapter").rename(first.path / "adapter")
    shutil.rmtree(job().root / "tickets" / "trained")
    for name in ("complete.json", "predictions.jsonl"):
        (first.path / name).unlink()
    trained = trainings(monkeypatch)
    again = run(job(LORA))
    assert (texts(again), trained) == (before, [])
    manifest = again.read("manifest.json")
    assert manifest["trained"] == manifest["run"]
    assert "adapter/adapter_model.safetensors" in again.read("complete.json")["sha256"]


def test_an_untuned_rung_refers_to_no_training(job: MakeJob) -> None:
    folder = run(job(Rung("prompt", "full")))
    assert folder.read("manifest.json")["trained"] is None
    assert not (job().root / "tickets" / "trained").exists()
