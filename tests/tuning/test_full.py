"""All weights: that they learn, at which rate, what is kept, and what an interruption costs."""

from __future__ import annotations

import json
import shutil
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaForCausalLM

from harness.errors import ConfigError, RungUnavailableError, TrainingError
from harness.models.local import ModelSpec, padded
from harness.models.local.engine import LocalEngine
from harness.models.weights import digest
from harness.task import Task
from harness.tuning import checkpoints, full, preparation
from harness.tuning.full import FullFineTuning
from harness.tuning.method import Tuned
from tests.conftest import plan
from tests.tuning.test_adapter import NEW, answers, pairs
from tests.tuning.test_trainer import interrupted, last_checkpoint

Usage = namedtuple("Usage", "total used free")
Fit = Callable[..., Tuned]


@pytest.fixture
def fit(apt: LocalEngine, task: Task, tmp_path: Path) -> Fit:
    """Tune all weights in a folder below `tmp_path`; keyword arguments replace settings."""

    def call(folder: str = "run", engine: LocalEngine = apt, **changes: object) -> Tuned:
        m = task.materials
        method = FullFineTuning(
            plan(**{"epochs": 2, "evaluations_per_epoch": 1, "learning_rate": 3e-2} | changes), 0.1
        )
        place = tmp_path / folder
        place.mkdir(exist_ok=True)
        return method.fit(engine, pairs(m.train), pairs(m.dev), 0, place)

    return call


@pytest.fixture
def prompts(apt: LocalEngine, task: Task) -> list[list[int]]:
    return [apt.encode(messages) for messages, _ in pairs(task.materials.dev)]


def by_transformers_alone(
    engine: LocalEngine, folder: Path, prompts: list[list[int]]
) -> list[list[int]]:
    model = AutoModelForCausalLM.from_pretrained(folder).eval()
    done = padded.generate(model, prompts, engine.stop, NEW, 1, pad=1)
    return [c.tokens for c in sorted(done, key=lambda c: c.index)]


def test_all_weights_learn_and_those_on_disk_answer(
    fit: Fit, apt: LocalEngine, prompts: list[list[int]], tmp_path: Path
) -> None:
    before = answers(apt, prompts)
    tuned = fit(epochs=4)
    folder = tmp_path / "run" / "weights"
    looks = [p["dev_loss"] for p in tuned.report.curve.points if "dev_loss" in p]  # type: ignore[union-attr]
    assert looks[-1] < looks[0]
    assert answers(tuned.engine, prompts) == by_transformers_alone(apt, folder, prompts)
    assert answers(tuned.engine, prompts) != before == answers(apt, prompts)
    assert tuned.engine.fingerprint == f"{apt.fingerprint}+{tuned.report.sha256}"
    base, now = load_file(apt.folder / "model.safetensors"), load_file(folder / "model.safetensors")
    assert base.keys() == now.keys(), "tied embeddings are kept once, as they came"
    assert all(not torch.equal(base[name], now[name]) for name in base)


def test_the_report_tells_what_was_trained_and_what_it_takes(
    fit: Fit, apt: LocalEngine, tmp_path: Path
) -> None:
    report = fit().report
    weights = tmp_path / "run" / "weights" / "model.safetensors"
    assert report.trainable == apt.parameters
    assert report.megabytes == weights.stat().st_size / 1e6
    assert report.sha256 == digest(weights)
    assert report.effect > 0  # type: ignore[operator]
    assert (report.examples, report.zero_step, report.answering) == (16, None, None)
    assert report.dtype == "float32"
    assert report.curve.weights_megabytes == pytest.approx(4e-6 * apt.parameters, rel=0.01)  # type: ignore[union-attr]
    kept = sorted(path.name for path in (tmp_path / "run").iterdir())
    assert kept == ["example_losses.jsonl", "training.json", "weights"]
    assert (
        json.loads((tmp_path / "run" / "training.json").read_text())["trainable"] == apt.parameters
    )


def test_its_rate_is_a_tenth_of_an_adapters(fit: Fit) -> None:
    def rate(folder: str, **changes: object) -> float:
        points = fit(folder, **changes).report.curve.points  # type: ignore[union-attr]
        (constant,) = {point["learning_rate"] for point in points if "learning_rate" in point}
        return constant

    adapters = plan(learning_rate=None).rate(48)
    assert rate("own", learning_rate=None) == pytest.approx(0.1 * adapters)
    assert rate("twice", learning_rate=None, rate_scale=2.0) == pytest.approx(0.2 * adapters)
    assert rate("said", learning_rate=1e-2) == pytest.approx(1e-3)
    assert rate("both", learning_rate=1e-2, rate_scale=2.0) == pytest.approx(2e-3)


@pytest.mark.parametrize(("after", "checkpoint"), [(5, 2), (9, 4), (15, 6)])
def test_killed_training_leaves_one_checkpoint_and_ends_where_it_would_have(
    fit: Fit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int, checkpoint: int
) -> None:
    """Two looks in each of three epochs of four steps; each look has two batches."""
    plan_of = {"epochs": 3, "evaluations_per_epoch": 2}
    expected = fit("straight", **plan_of).report
    with monkeypatch.context() as patch, pytest.raises(InterruptedError):
        patch.setattr(preparation, "flat_batch", interrupted(after))
        fit("broken", **plan_of)
    folder = tmp_path / "broken" / "checkpoints"
    assert last_checkpoint(folder) == checkpoint
    assert len(list(folder.glob("checkpoint-*"))) == 1
    (best,) = folder.glob("best-*")
    assert {path.name for path in best.iterdir()} == {
        "config.json", "generation_config.json", "model.safetensors",
    }  # fmt: skip
    report = fit("broken", **plan_of).report
    assert report.sha256 == expected.sha256
    assert report.curve.points == expected.curve.points  # type: ignore[union-attr]
    assert not folder.exists()


@pytest.mark.parametrize("rate", [3e-2, 3.0], ids=["to the end", "stopped early"])
def test_training_that_was_killed_before_its_weights_were_written_ends_the_same(
    fit: Fit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rate: float
) -> None:
    changes = {"epochs": 6, "patience": 1, "learning_rate": rate}
    expected = fit("straight", **changes).report

    def killed(*_: object) -> None:
        raise InterruptedError

    with monkeypatch.context() as patch, pytest.raises(InterruptedError):
        patch.setattr(full, "_save", killed)
        fit("broken", **changes)
    report = fit("broken", **changes).report
    assert report.sha256 == expected.sha256
    assert report.curve.points == expected.curve.points  # type: ignore[union-attr]
    assert report.curve.best_step == expected.curve.best_step  # type: ignore[union-attr]


def test_a_checkpoint_that_was_cut_off_is_passed_over(
    fit: Fit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = fit("straight", epochs=4).report
    with monkeypatch.context() as patch, pytest.raises(InterruptedError):
        patch.setattr(preparation, "flat_batch", interrupted(14))
        fit("cut", epochs=4)
    folder = tmp_path / "cut" / "checkpoints"
    last = last_checkpoint(folder)
    shutil.copytree(folder / f"checkpoint-{last}", folder / f"checkpoint-{last + 4}")
    (folder / f"checkpoint-{last + 4}" / "trainer_state.json").unlink()
    assert fit("cut", epochs=4).report.sha256 == expected.sha256


def test_the_weights_that_were_best_on_dev_answer(fit: Fit) -> None:
    """At a rate that destroys what was learned first."""
    curve = fit(epochs=6, learning_rate=3.0, patience=3).report.curve
    looks = {p["step"]: p["dev_loss"] for p in curve.points if "dev_loss" in p}  # type: ignore[union-attr]
    assert curve.best_step == min(looks, key=looks.__getitem__)  # type: ignore[union-attr]


def test_what_is_finished_is_taken_up(
    fit: Fit, prompts: list[list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = fit()
    monkeypatch.setattr(full, "train_weights", None)
    again = fit()
    assert again.report == first.report
    assert answers(again.engine, prompts) == answers(first.engine, prompts)


def test_a_disk_that_is_too_small_is_told_before_training(
    fit: Fit, apt: LocalEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needed = checkpoints.MOST_ON_DISK * 4 * apt.parameters
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**9, 0, needed - 1))
    with pytest.raises(
        RungUnavailableError, match=rf"run: .* need {needed:,} bytes .* results=FOLDER"
    ):
        fit()
    assert not (tmp_path / "run" / "checkpoints").exists()
    (tmp_path / "run" / "earlier").write_bytes(b"x" * 10)
    fit()


def test_products_in_bfloat16_learn_much_the_same_and_weights_stay_float32(
    fit: Fit, tmp_path: Path
) -> None:
    exact, rounded = fit("exact").report.curve, fit("rounded", dtype="bfloat16").report.curve
    for a, b in zip(exact.points, rounded.points, strict=True):  # type: ignore[union-attr]
        for name in ("loss", "dev_loss"):
            assert a.get(name, 0) == pytest.approx(b.get(name, 0), rel=0.05)
    kept = load_file(tmp_path / "rounded" / "weights" / "model.safetensors")
    assert {w.dtype for w in kept.values()} == {torch.float32}
    assert any((w != w.bfloat16().float()).any() for w in kept.values())


def test_weights_that_are_not_tied_are_all_kept(
    fit: Fit, apt_spec: ModelSpec, prompts: list[list[int]], tmp_path: Path
) -> None:
    source = apt_spec.weights.resolve()
    model = LlamaForCausalLM.from_pretrained(source)
    model.config.tie_word_embeddings = False
    model.lm_head.weight = torch.nn.Parameter(model.lm_head.weight.detach().clone())
    model.save_pretrained(tmp_path / "model")
    AutoTokenizer.from_pretrained(source).save_pretrained(tmp_path / "model")
    engine = LocalEngine(apt_spec, tmp_path / "model", "untied")
    tuned = fit(engine=engine)
    folder = tmp_path / "run" / "weights"
    assert "lm_head.weight" in load_file(folder / "model.safetensors")
    assert answers(tuned.engine, prompts) == by_transformers_alone(engine, folder, prompts)


def test_training_without_effect_is_refused(fit: Fit, tmp_path: Path) -> None:
    with pytest.raises(
        TrainingError, match=r"no effect after 8 steps; raise training\.learning_rate"
    ):
        fit(learning_rate=0.0)
    assert not (tmp_path / "run" / "training.json").exists()


def test_float16_is_refused(task: Task) -> None:
    method = FullFineTuning(plan(dtype="float16"), 0.1)
    with pytest.raises(ConfigError, match=r"training\.dtype=float16: .* training\.dtype=auto"):
        method.check(task.materials)
