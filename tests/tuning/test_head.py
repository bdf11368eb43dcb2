"""A linear head on the last hidden state: what it reads, what it says, how sure it is."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from peft import IA3Config, PeftConfig, PeftModel, PromptTuningConfig
from transformers import AutoTokenizer, MistralConfig, MistralForCausalLM

from harness.analysis.findings import findings
from harness.analysis.runs import read_ladder
from harness.answer import Json, Label, Text
from harness.constraint import Choices
from harness.errors import ConfigError, ProbeUnavailableError, RungUnavailableError
from harness.ladder.controls import controls
from harness.ladder.prompt import render
from harness.ladder.rung import Rung
from harness.models.local import ModelSpec
from harness.models.local.engine import LocalEngine
from harness.probe.calibration import Calibration
from harness.progress import say_again
from harness.record.measurements import measured
from harness.report.conclude import conclude
from harness.run import run
from harness.task import Example, Task
from harness.tuning.head import ClassifierHead
from harness.tuning.head_engine import HeadEngine, best_temperature, cross_entropy
from harness.tuning.head_lora import ClassifierHeadAdapter
from harness.tuning.last_states import last_states
from harness.tuning.method import Method, Pair, Tuned
from harness.tuning.quantization import FourBit
from harness.tuning.trainer_callbacks import LastEvaluation
from tests.conftest import adalora, example, lora, plan, write_lines
from tests.probe.conftest import forgetting, general
from tests.test_run import job_of, stop_after

__all__ = ["general"]  # a fixture

LABELS = ("amber", "blue", "crimson")
SIZES = {"train": 24, "dev": 9, "eval": 9}
ALONE = Rung("classifier_head", "short", tuning=ClassifierHead(0.1))
TUNED = Rung(
    "classifier_head_lora",
    "short",
    tuning=ClassifierHeadAdapter(lora(), plan(epochs=2, evaluations_per_epoch=1)),
)


@pytest.fixture
def colours(load: Callable[..., Task], task_folder: Path) -> Task:
    """Tickets whose label stands in the input, among words that no other ticket has."""
    for split, size in SIZES.items():
        rows = [example(split, i) for i in range(size)]
        for i, row in enumerate(rows):
            row["target"] = LABELS[i % 3]
            row["input"] = f"{row['input']} {LABELS[i % 3]}"
        write_lines(task_folder / f"{split}.jsonl", rows)
    return load(name="colours", answer=Label(LABELS), primary="accuracy")


def pairs(examples: Sequence[Example]) -> list[Pair]:
    return [(render("Colour.", "{input}", e.input), e.target) for e in examples]


def fit(method: Any, engine: LocalEngine, task: Task, folder: Path, **changes: Any) -> Tuned:
    m = task.materials
    parts = {"engine": engine, "train": pairs(m.train), "dev": pairs(m.dev), "seed": 0}
    tuned: Tuned = method.fit(**(parts | changes), folder=folder)
    return tuned


def asked(task: Task) -> list[Any]:
    return [conversation for conversation, _ in pairs(task.eval)]


def answers(engine: Any, conversations: Sequence[Any]) -> list[str]:
    done = {c.index: c.text for c in engine.answer(conversations, 8)}
    return [done[i] for i in range(len(conversations))]


def probabilities(engine: Any, conversations: Sequence[Any]) -> Any:
    return np.array(engine.log_probabilities(conversations, [LABELS] * len(conversations)))


@pytest.fixture
def windowed(apt_spec: ModelSpec, tmp_path: Path) -> LocalEngine:
    """A model that flat batches do not fit."""
    config = MistralConfig(
        vocab_size=300, hidden_size=32, intermediate_size=64, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, sliding_window=16, eos_token_id=1,
        initializer_range=0.3,
    )  # fmt: skip
    MistralForCausalLM(config).save_pretrained(tmp_path / "model")
    AutoTokenizer.from_pretrained(apt_spec.weights.resolve()).save_pretrained(tmp_path / "model")
    return LocalEngine(apt_spec, tmp_path / "model", "windowed")


@pytest.mark.parametrize("name", ["apt", "windowed", "capped"])
def test_a_state_is_that_of_the_prompts_last_token_in_whatever_batch(
    request: pytest.FixtureRequest, colours: Task, name: str
) -> None:
    engine: LocalEngine = request.getfixturevalue(name)
    prompts = [engine.encode(conversation) for conversation in asked(colours)]
    prompts += [prompts[0][:5], prompts[1][:-1]]
    together = {s.index: s.vector for s in last_states(engine, prompts)}
    reference = engine.fresh(torch.float32)
    for place, prompt in enumerate(prompts):
        (alone,) = last_states(engine, [prompt])
        with torch.no_grad():
            hidden = reference.base_model(torch.tensor([prompt])).last_hidden_state
        np.testing.assert_allclose(together[place], hidden[0, -1], atol=1e-4)
        np.testing.assert_allclose(together[place], alone.vector, atol=1e-4)


def test_what_a_batch_shares_is_computed_once(apt: LocalEngine, colours: Task) -> None:
    prompts = [apt.encode(conversation) for conversation in asked(colours)]
    states = list(last_states(apt, prompts))
    assert sum(s.computed for s in states) < sum(map(len, prompts))
    assert max(s.computed for s in states) == max(map(len, prompts))
    assert {s.batch for s in states} == {len(prompts)}


@pytest.mark.parametrize("labels", [LABELS, LABELS[:2]])
def test_the_head_is_scikit_learns_logistic_regression_on_standardized_states(
    apt: LocalEngine, colours: Task, tmp_path: Path, labels: tuple[str, ...]
) -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    train = [pair for pair in pairs(colours.materials.train) if pair[1] in labels]
    tuned = fit(ClassifierHead(0.1), apt, colours, tmp_path / "run", train=train, dev=[])

    def states(conversations: Sequence[Any]) -> Any:
        found = last_states(apt, [apt.encode(c) for c in conversations])
        return np.stack([s.vector for s in sorted(found, key=lambda s: s.index)])

    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=1000))
    model.fit(states([c for c, _ in train]), [label for _, label in train])
    theirs = model.predict_log_proba(states(asked(colours)))
    ours = tuned.engine.log_probabilities(asked(colours), [labels] * len(colours.eval))
    np.testing.assert_allclose(ours, theirs, atol=2e-3)
    assert answers(tuned.engine, asked(colours)) == model.predict(states(asked(colours))).tolist()


def test_probabilities_are_of_labels_alone_and_sum_to_one(
    apt: LocalEngine, colours: Task, tmp_path: Path
) -> None:
    engine = fit(ClassifierHead(0.1), apt, colours, tmp_path / "run").engine
    texts = [*LABELS, "amber!", ""]
    for line in engine.log_probabilities(asked(colours), [texts] * len(colours.eval)):
        assert sum(math.exp(value) for value in line[:3]) == pytest.approx(1.0)
        assert line[3:] == [-math.inf, -math.inf]


def test_a_temperature_undoes_overconfidence_and_changes_no_answer() -> None:
    chance = np.random.default_rng(0)
    logits = chance.normal(0, 2, (4000, 3))
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    truth = np.array([chance.choice(3, p=row) for row in p])
    found = best_temperature(4 * logits, truth)
    assert found == pytest.approx(4.0, rel=0.1)
    assert cross_entropy(4 * logits / found, truth) < cross_entropy(4 * logits, truth)
    assert best_temperature(logits[:0], truth[:0]) == 1.0


@pytest.mark.parametrize("rung", [ALONE, TUNED], ids=lambda rung: str(rung.name))
def test_a_finished_head_is_taken_up_without_fitting(
    apt: LocalEngine, colours: Task, tmp_path: Path, rung: Rung
) -> None:
    first = fit(rung.tuning, apt, colours, tmp_path / "run")
    second = fit(rung.tuning, apt, colours, tmp_path / "run", train=[], dev=[])
    assert second.report == first.report
    assert answers(second.engine, asked(colours)) == answers(first.engine, asked(colours))
    np.testing.assert_array_equal(
        probabilities(second.engine, asked(colours)), probabilities(first.engine, asked(colours))
    )


def test_the_head_that_was_trained_with_an_adapter_answers_as_peft_says(
    apt: LocalEngine, colours: Task, tmp_path: Path
) -> None:
    from safetensors.torch import load_file

    tuned = fit(TUNED.tuning, apt, colours, tmp_path / "run")
    engine = tuned.engine
    assert isinstance(engine, HeadEngine)
    folder = tmp_path / "run" / "adapter"
    saved = json.loads((folder / "adapter_config.json").read_text())
    assert (saved["task_type"], "lm_head" in saved["modules_to_save"]) == ("SEQ_CLS", True)
    weights = load_file(folder / "adapter_model.safetensors")
    head = {name.rpartition(".")[2]: w for name, w in weights.items() if "lm_head" in name}
    base = apt.fresh(torch.float32)
    base.set_output_embeddings(torch.nn.Linear(head["weight"].shape[1], len(LABELS)))
    base.config.tie_word_embeddings = False
    adapted = PeftModel.from_pretrained(base, folder).eval()
    adapted.get_output_embeddings().register_forward_pre_hook(
        lambda _, states: (states[0] - head["mean"]) / head["scale"]
    )
    for conversation in asked(colours)[:4]:
        with torch.no_grad():
            logits = adapted(input_ids=torch.tensor([apt.encode(conversation)])).logits[0, -1]
        theirs = torch.log_softmax(logits / engine.head.temperature, -1)
        np.testing.assert_allclose(probabilities(engine, [conversation])[0], theirs, atol=1e-4)


def test_the_head_that_is_trained_with_an_adapter_begins_as_the_regression(
    apt: LocalEngine, colours: Task, tmp_path: Path
) -> None:
    method = ClassifierHeadAdapter(lora(), plan(learning_rate=1e-7, epochs=1), C=0.1)
    begun = fit(method, apt, colours, tmp_path / "begun").engine
    alone = fit(ALONE.tuning, apt, colours, tmp_path / "alone").engine
    assert isinstance(begun, HeadEngine) and isinstance(alone, HeadEngine)
    np.testing.assert_allclose(begun.head.weight, alone.head.weight, atol=1e-4)
    np.testing.assert_allclose(begun.head.bias, alone.head.bias, atol=1e-4)


def test_training_a_head_with_an_adapter_lowers_the_loss_and_tells_what_it_did(
    apt: LocalEngine, colours: Task, tmp_path: Path
) -> None:
    method = replace(TUNED.tuning, training=plan(epochs=6, evaluations_per_epoch=1))  # type: ignore[type-var]
    report = fit(method, apt, colours, tmp_path / "run").report
    assert report.curve is not None and report.head is not None
    looks = [point for point in report.curve.points if "dev_loss" in point]
    assert len(looks) == 6 and all(0 <= look["dev_accuracy"] <= 1 for look in looks)
    losses = [point["loss"] for point in report.curve.points if "loss" in point]
    assert sum(losses[-6:]) < sum(losses[:6]) / 2
    assert not any("stop_rate" in point for point in report.curve.points)
    assert report.stop_rate is None and report.zero_step is None
    assert report.effect and report.effect > 0.01
    assert (report.examples, report.distinct, report.head["labels"]) == (24, 24, 3)
    assert report.head["dev"]["scaled"] <= report.head["dev"]["raw"] + 1e-6
    lines = (tmp_path / "run" / "example_losses.jsonl").read_text().splitlines()
    assert {json.loads(line)["tokens"] for line in lines} == {1}


def test_an_interrupted_training_goes_on_from_its_checkpoint(
    apt: LocalEngine, colours: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = fit(TUNED.tuning, apt, colours, tmp_path / "whole")
    evaluate = LastEvaluation.on_step_end
    steps: list[int] = []

    def stopped(self: Any, args: Any, state: Any, control: Any, **rest: Any) -> None:
        steps.append(state.global_step)
        if steps[-1] == 8 and len(steps) == 8:
            raise KeyboardInterrupt
        evaluate(self, args, state, control, **rest)

    monkeypatch.setattr(LastEvaluation, "on_step_end", stopped)
    with pytest.raises(KeyboardInterrupt):
        fit(TUNED.tuning, apt, colours, tmp_path / "run")
    again = fit(TUNED.tuning, apt, colours, tmp_path / "run")
    assert steps[8] > 1, "it goes on from a checkpoint"
    assert again.report.sha256 == whole.report.sha256


def test_settings_tell_heads_apart_and_chance_has_no_part_in_the_one_alone() -> None:
    assert ClassifierHead(0.1).settings != ClassifierHead(1.0).settings
    assert not ALONE.random
    assert TUNED.random


@pytest.mark.parametrize("rung", [ALONE, TUNED], ids=lambda rung: str(rung.name))
@pytest.mark.parametrize("answer", ["json", "text"])
def test_answers_that_are_no_labels_are_refused(
    request: pytest.FixtureRequest, rung: Rung, answer: str
) -> None:
    """An object whose only field is an enum is none either."""
    other: Task = request.getfixturevalue({"json": "task", "text": "prose"}[answer])
    assert isinstance(other.materials.answer, Json | Text)
    with pytest.raises(RungUnavailableError, match=r"^it classifies, but .* are not labels$"):
        rung.check(other.materials)


@pytest.mark.parametrize("rung", [ALONE, TUNED], ids=lambda rung: str(rung.name))
def test_one_label_in_train_is_refused_and_a_missing_one_is_said(
    colours: Task, rung: Rung, capsys: pytest.CaptureFixture[str]
) -> None:
    m = colours.materials
    say_again()
    rung.check(m)
    assert capsys.readouterr().err == ""
    two = replace(m, train=tuple(e for e in m.train if e.target != "blue"))
    rung.check(two)
    assert "no example of 1 of 3 labels (blue)" in capsys.readouterr().err
    one = replace(m, train=tuple(e for e in m.train if e.target == "blue"))
    with pytest.raises(RungUnavailableError, match="have the label 'blue'; add others"):
        rung.check(one)


def test_a_label_that_train_lacks_is_never_answered_and_has_no_probability(
    apt: LocalEngine, colours: Task, tmp_path: Path
) -> None:
    train = [pair for pair in pairs(colours.materials.train) if pair[1] != "blue"]
    for rung in (ALONE, TUNED):
        tuned = fit(rung.tuning, apt, colours, tmp_path / rung.name, train=train)
        assert "blue" not in answers(tuned.engine, asked(colours))
        assert (probabilities(tuned.engine, asked(colours))[:, 1] == -np.inf).all()
        assert tuned.report.head is not None
        assert tuned.report.head["dev"]["n"] == 6, "dev's own examples of it tell nothing"


@pytest.mark.parametrize(
    ("config", "quantization", "complaint"),
    [
        (
            PromptTuningConfig(task_type="SEQ_CLS", num_virtual_tokens=4),
            None,
            r"rung\.tuning\.config: PromptTuningConfig cannot be merged",
        ),
        (adalora(), None, r"rung\.tuning\.config=AdaLoraConfig: allocates no ranks"),
        (lora(), FourBit(merged=False), r"rung\.tuning\.quantization: .*quantization=null"),
    ],
)
def test_what_does_not_train_below_a_head_is_refused(
    colours: Task, config: PeftConfig, quantization: FourBit | None, complaint: str
) -> None:
    with pytest.raises(ConfigError, match=complaint):
        ClassifierHeadAdapter(config, plan(), 1.0, quantization).check(colours.materials)


def test_a_penalty_that_is_none_is_refused(colours: Task) -> None:
    with pytest.raises(ConfigError, match=r"rung\.tuning\.C=0: must be a number above 0"):
        ClassifierHeadAdapter(lora(), plan(), C=0).check(colours.materials)


def test_a_method_brings_its_rate_below_a_head_too(
    apt: LocalEngine, colours: Task, tmp_path: Path
) -> None:
    adapter = ClassifierHeadAdapter(lora(), plan(epochs=1, learning_rate=1e-3), rate_scale=4.0)
    curve = fit(adapter, apt, colours, tmp_path).report.curve
    assert curve is not None
    rates = [point["learning_rate"] for point in curve.points if "learning_rate" in point]
    assert rates == pytest.approx([4e-3] * curve.steps)


def test_an_adapter_whose_layers_cannot_leave_their_casts_trains_in_bfloat16(
    apt: LocalEngine, colours: Task, tmp_path: Path
) -> None:
    config = IA3Config(task_type="SEQ_CLS")
    tuned = fit(
        ClassifierHeadAdapter(config, plan(epochs=1, dtype="bfloat16")), apt, colours, tmp_path
    )
    assert tuned.report.effect


def test_a_head_is_held_to_its_labels_and_to_nothing_else(
    apt: LocalEngine, colours: Task, tmp_path: Path
) -> None:
    engine = fit(ClassifierHead(0.1), apt, colours, tmp_path / "run").engine
    free = answers(engine, asked(colours))
    held = {c.index: c.text for c in engine.answer(asked(colours), 8, Choices(LABELS))}
    assert [held[i] for i in range(len(free))] == free
    with pytest.raises(ConfigError, match="does not admit"):
        next(engine.answer(asked(colours), 8, Choices(("amber", "green"))))
    with pytest.raises(ProbeUnavailableError, match="writes no text"):
        engine.text_log_probabilities(["text"], 8)
    with pytest.raises(ProbeUnavailableError, match="writes no text"):
        engine.distributions(asked(colours)[0], "amber")


@pytest.mark.parametrize("rung", [ALONE, TUNED], ids=lambda rung: str(rung.name))
def test_a_run_has_labels_costs_probabilities_badges_and_a_report(
    colours: Task, apt_spec: ModelSpec, tmp_path: Path, rung: Rung, general: Path
) -> None:
    """The whole way, with the controls that need no language model."""
    probes = (Calibration(None, 9), forgetting(general))
    job = job_of(
        colours, apt_spec, tmp_path / "results", rung,
        decoding="constrained", dev_questions=6, probes=probes, controls=None,
    )  # fmt: skip
    folder = run(job)
    told = {p.id: p for p in folder.predictions()}
    assert {p.text for p in told.values()} <= set(LABELS)
    assert {(p.finish, p.completion_tokens) for p in told.values()} == {("stop", 0)}
    assert all(p.prompt_tokens > 0 and p.seconds > 0 for p in told.values())
    manifest = folder.manifest()
    assert manifest["decoding"] == "constrained", "it is compared with the rungs of its ladder"
    assert manifest["dev_free"] is None
    assert manifest["training"]["seconds"] > 0 and manifest["training"]["tokens"] > 0
    assert measured(folder, "forgetting") is None, "it writes no text that could be forgotten"
    one = measured(folder, "calibration")
    assert one is not None
    for line in one.found["choices"]["label"]["questions"]:
        values = line["log_probabilities"]
        assert line["given"] == values.index(max(values))
        assert sum(map(math.exp, values)) == pytest.approx(1.0, abs=1e-3)

    beside = [run(other) for other in job.control_jobs(folder)]
    assert [c.kind for c in controls(rung, colours, None)] == [
        "majority", "nearest_answer", "linear_classifier",
    ]  # fmt: skip
    found = findings(read_ladder([folder, *beside]))
    badges = {badge.name: badge for badge in found.checks[rung.name]}
    fitted = "convergence" if rung is ALONE else "best step"
    assert set(badges) == {
        "truncation", "stops", "readable", "adapter effect", "training examples", fitted,
        "template", "above controls", "effort",
    }  # fmt: skip
    failed = {name for name, badge in badges.items() if not badge.passed}
    assert failed <= {"training examples", "above controls", "best step"}
    assert found.calibration


def test_a_head_alone_has_no_curve_to_draw(
    colours: Task, apt_spec: ModelSpec, tmp_path: Path
) -> None:
    (found,) = conclude(
        [run(job_of(colours, apt_spec, tmp_path / "results", ALONE))], said="nothing"
    )
    assert 'id="training"' not in found.path("report", "html").read_text(encoding="utf-8")


def test_a_head_that_is_not_above_the_majority_fails_a_badge(
    colours: Task, apt_spec: ModelSpec, tmp_path: Path
) -> None:
    """So much regularization that every question gets nearly the same logits."""
    blue = replace(
        colours, eval=tuple(replace(e, target="amber") for e in colours.eval)
    )  # the majority is right everywhere
    job = job_of(
        blue, apt_spec, tmp_path / "results", replace(ALONE, tuning=ClassifierHead(1e-9)),
        decoding="constrained", controls=["majority"],
    )  # fmt: skip
    folder = run(job)
    found = findings(read_ladder([folder, *map(run, job.control_jobs(folder))]))
    badge = {b.name: b for b in found.checks["classifier_head"]}["above controls"]
    assert (badge.passed, badge.text) == (False, "is not detectably above majority")


def test_an_interrupted_run_goes_on_where_it_stopped(
    colours: Task, apt_spec: ModelSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run(job_of(colours, apt_spec, tmp_path / "whole", ALONE))
    job = job_of(colours, apt_spec, tmp_path / "results", ALONE)
    with monkeypatch.context() as patch:
        stop_after(4, patch)
        with pytest.raises(KeyboardInterrupt):
            run(job)
    fitted: list[Method] = []
    monkeypatch.setattr(ClassifierHead, "_train", lambda self, *_: fitted.append(self))
    resumed = run(job)
    assert fitted == []
    assert {p.id: p.text for p in resumed.predictions()} == {
        p.id: p.text for p in whole.predictions()
    }
