"""Training: what is learned from, what is kept, and what an interruption costs (nothing)."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from copy import deepcopy
from functools import partial
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from peft import (
    PeftConfig,
    PeftModel,
    PrefixTuningConfig,
    get_peft_model,
    get_peft_model_state_dict,
)
from torch import Tensor

from harness.models.local.engine import LocalEngine
from harness.tuning import flat_batches, trainer
from harness.tuning.flat_batches import Encoded, flat_batch, padded_batch
from harness.tuning.method import Curve
from harness.tuning.trainer import train_weights
from harness.tuning.trainer_rows import GroupedByLength
from tests.conftest import lora, plan

STOP = 2
Collate = Callable[[Sequence[Encoded]], dict[str, Any]]


def colour(number: int) -> Encoded:
    """Learnable: the word in the question says which of two answers of unlike length is right."""
    word = number % 2
    prompt = [5, 6, 7, 8, 9, *[40 + number % 7] * (1 + number % 3), 20 + word]
    return Encoded(prompt, [30 + word, *[33] * word, STOP])


LESSONS = [colour(n) for n in range(16)]
DEV = [colour(n) for n in range(16, 22)]


def adapted(
    model: LocalEngine,
    *,
    flat: bool = True,
    dropout: float = 0.0,
    config: PeftConfig | None = None,
) -> PeftModel:
    """A fresh copy of the tiny model behind a fresh adapter (of LoRA), always the same one."""
    base = model.fresh(torch.float32)
    if flat:
        flat_batches.register()
        base.set_attn_implementation(flat_batches.NAME)
    torch.manual_seed(0)
    return get_peft_model(base, deepcopy(config) or lora(lora_dropout=dropout))


def fit(
    model: PeftModel,
    folder: Path,
    *,
    lessons: Sequence[Encoded] = LESSONS,
    dev: Sequence[Encoded] = DEV,
    collate: Collate = flat_batch,
    seed: int = 0,
    **changes: object,
) -> Curve:
    return train_weights(
        model,
        lessons,
        dev,
        training=plan(**changes),
        collate=collate,
        stop=[STOP],
        seed=seed,
        folder=folder,
        autocast=False,
    )


def column(curve: Curve, name: str) -> list[float]:
    return [point[name] for point in curve.points if name in point]


def weights(model: PeftModel) -> dict[str, Tensor]:
    return {k: v.clone() for k, v in get_peft_model_state_dict(model).items()}


def plain_loss(model: PeftModel, examples: Sequence[Encoded]) -> float:
    """Cross-entropy per completion token, one example at a time, by torch alone."""
    model.get_base_model().set_attn_implementation("sdpa")
    losses: list[Tensor] = []
    with torch.no_grad():
        for e in examples:
            logits = model(torch.tensor([e.prompt + e.completion])).logits[0]
            scores = logits[len(e.prompt) - 1 : -1]
            wanted = torch.tensor(e.completion)
            losses.append(torch.nn.functional.cross_entropy(scores, wanted, reduction="none"))
    return float(torch.cat(losses).mean())


def interrupted(after: int) -> Collate:
    """Batches that break off after so many, as a killed process would."""
    batches = count()

    def collate(rows: Sequence[Encoded]) -> dict[str, Any]:
        if next(batches) == after:
            raise InterruptedError
        return flat_batch(rows)

    return collate


def last_checkpoint(folder: Path) -> int:
    """The step of the last checkpoint, 0 if there is none."""
    return max((int(p.name.split("-")[1]) for p in folder.glob("checkpoint-*")), default=0)


def test_of_several_gpus_training_uses_the_one_that_has_the_model(
    tiny: LocalEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """transformers would split each batch between all of them, and begin with the first."""
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    model = SimpleNamespace(config=tiny.config, device=torch.device("cuda", 1))
    arguments = trainer._arguments(plan(batch_size=4), 16, 0, tmp_path, model)
    assert (arguments.n_gpu, arguments.train_batch_size) == (1, 4)
    assert arguments.device == arguments.distributed_state.device == model.device


@pytest.mark.parametrize(
    ("width", "rate"), [(576, 1.32e-3), (2000, 5e-4), (4096, 2.86e-4)], ids=["135M", "-", "8B"]
)
def test_the_learning_rate_follows_the_width_of_the_model(width: int, rate: float) -> None:
    assert plan(learning_rate=None).rate(width) == pytest.approx(rate, rel=5e-3)


@pytest.mark.parametrize("said", [None, 3e-4], ids=["by the width", "explicit"])
@pytest.mark.parametrize("scale", [0.5, 2.0])
def test_a_scale_multiplies_the_rate_whether_it_follows_the_width_or_is_said(
    said: float | None, scale: float
) -> None:
    """Else trials of other rates would be one training, tried three times."""
    own = plan(learning_rate=said).rate(576)
    assert plan(learning_rate=said, rate_scale=scale).rate(576) == pytest.approx(scale * own)


def test_an_explicit_rate_is_the_same_for_any_width() -> None:
    assert plan(learning_rate=3e-4).rate(576) == plan(learning_rate=3e-4).rate(4096) == 3e-4


def test_the_model_is_trained_at_the_rate_of_its_width(tiny: LocalEngine, tmp_path: Path) -> None:
    curve = fit(adapted(tiny), tmp_path, epochs=1, learning_rate=None, rate_scale=0.5)
    expected = plan(learning_rate=None, rate_scale=0.5).rate(48)
    assert column(curve, "learning_rate") == pytest.approx([expected] * curve.steps)


def test_loss_is_on_the_completions_only_and_the_stop_token_bears_it(
    tiny: LocalEngine, tmp_path: Path
) -> None:
    model = adapted(tiny)
    curve = fit(model, tmp_path, epochs=1, batch_size=len(LESSONS))
    assert column(curve, "loss")[0] == pytest.approx(plain_loss(adapted(tiny), LESSONS), rel=1e-5)
    assert column(curve, "dev_loss")[-1] == pytest.approx(plain_loss(model, DEV), rel=1e-5)


def test_dev_loss_falls_on_a_task_that_can_be_learned(tiny: LocalEngine, tmp_path: Path) -> None:
    model = adapted(tiny)
    before = plain_loss(model, DEV)
    curve = fit(model, tmp_path, epochs=10, learning_rate=2e-2)
    assert column(curve, "dev_loss")[-1] < before / 50
    assert column(curve, "dev_accuracy")[-1] == 1.0
    assert column(curve, "stop_rate")[-1] == 1.0
    assert column(curve, "stop_rate")[0] < 1.0


@pytest.mark.parametrize("batch_size", [4, 1], ids=["shared prefix", "nothing shared"])
@pytest.mark.parametrize(
    "config",
    [lora(), PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=5)],
    ids=["lora", "learned keys"],
)
def test_flat_batches_have_the_loss_curve_of_padded_batches(
    tiny: LocalEngine, tmp_path: Path, config: PeftConfig, batch_size: int
) -> None:
    sizes = {"batch_size": batch_size, "lessons": LESSONS[: 4 * batch_size]}
    flat = fit(adapted(tiny, config=config), tmp_path / "flat", **sizes)  # type: ignore[arg-type]
    pad = partial(padded_batch, pad=STOP)
    model = adapted(tiny, flat=False, config=config)
    padded = fit(model, tmp_path / "padded", collate=pad, **sizes)  # type: ignore[arg-type]
    for name in ("loss", "grad_norm", "dev_loss"):
        # float32 sums in another order; measured: 5e-6 of the value after 12 steps
        assert column(flat, name) == pytest.approx(column(padded, name), rel=1e-4), name


def test_two_batches_of_four_that_are_accumulated_are_one_batch_of_eight(
    tiny: LocalEngine, tmp_path: Path
) -> None:
    """Completions of unlike length: every token counts the same, whichever batch it is in."""
    small, large = adapted(tiny), adapted(tiny)
    lessons = LESSONS[:8]
    parts = fit(small, tmp_path / "4", lessons=lessons, batch_size=4, accumulate=2)
    whole = fit(large, tmp_path / "8", lessons=lessons, batch_size=8)
    assert parts.steps == whole.steps == 3
    assert column(parts, "loss") == pytest.approx(column(whole, "loss"), rel=1e-5)
    assert column(parts, "grad_norm") == pytest.approx(column(whole, "grad_norm"), rel=1e-4)


def test_the_order_of_examples_depends_on_seed_and_epoch_alone() -> None:
    lengths = [3 + n % 5 for n in range(32)]

    def order(seed: int, epoch: int) -> list[int]:
        sampler = GroupedByLength(lengths, 4, seed)
        sampler.set_epoch(epoch)
        torch.manual_seed(torch.seed() % 1000)
        return list(sampler)

    assert order(0, 0) == order(0, 0)
    assert sorted(order(0, 0)) == list(range(32))
    assert len({tuple(order(seed, epoch)) for seed in range(3) for epoch in range(3)}) == 9


def test_each_epoch_has_an_order_of_its_own(tiny: LocalEngine, tmp_path: Path) -> None:
    seen: list[tuple[int, ...]] = []

    def collate(rows: Sequence[Encoded]) -> dict[str, Any]:
        if len(rows) == 4 and all(row in LESSONS for row in rows):
            seen.append(tuple(LESSONS.index(row) for row in rows))
        return flat_batch(rows)

    fit(adapted(tiny), tmp_path, collate=collate, epochs=2, dev=[colour(22)])
    first, second = seen[:4], seen[4:]
    assert sorted(sum(first, ())) == sorted(sum(second, ())) == list(range(16))
    assert first != second


def test_training_stops_early_and_keeps_the_weights_that_were_best_on_dev(
    tiny: LocalEngine, tmp_path: Path
) -> None:
    """Dev contradicts train in the word but not in the form: its loss falls, then rises."""
    model = adapted(tiny)
    dev = [Encoded(e.prompt, [31 if t == 30 else t for t in e.completion]) for e in DEV]
    curve = fit(model, tmp_path, dev=dev, epochs=20, patience=3)
    looks = column(curve, "dev_loss")
    best = min(range(len(looks)), key=looks.__getitem__)
    assert 0 < best == len(looks) - 4
    assert curve.best_step == 2 * (best + 1)
    assert curve.steps == curve.best_step + 2 * 3 < 20 * 4
    assert plain_loss(model, dev) == pytest.approx(looks[best], rel=1e-5)
    assert looks[-1] > looks[best] * 1.01


@pytest.mark.parametrize(("after", "checkpoint"), [(3, 0), (5, 2), (9, 4), (15, 6), (21, 10)])
def test_interrupted_and_resumed_training_ends_where_uninterrupted_training_does(
    tiny: LocalEngine, tmp_path: Path, after: int, checkpoint: int
) -> None:
    """With dropout, and looks in the middle of an epoch: random numbers and order go on too."""
    straight, broken, resumed = (adapted(tiny, dropout=0.2) for _ in range(3))
    expected = fit(straight, tmp_path / "straight")
    with pytest.raises(InterruptedError):
        fit(broken, tmp_path / "broken", collate=interrupted(after))
    assert last_checkpoint(tmp_path / "broken") == checkpoint
    curve = fit(resumed, tmp_path / "broken")
    assert curve.points == expected.points
    assert curve.best_step == expected.best_step
    torch.testing.assert_close(weights(resumed), weights(straight), atol=0, rtol=0)


def test_resuming_does_not_begin_again(tiny: LocalEngine, tmp_path: Path) -> None:
    batches = count()

    def counted(rows: Sequence[Encoded]) -> dict[str, Any]:
        next(batches)
        return flat_batch(rows)

    with pytest.raises(InterruptedError):
        fit(adapted(tiny), tmp_path, collate=interrupted(15))
    assert last_checkpoint(tmp_path) == 6
    curve = fit(adapted(tiny), tmp_path, collate=counted)
    assert curve.steps == 12
    looks, steps = 3, 6
    skipped = 2  # batches of the epoch in which training broke off are passed over, not computed
    assert next(batches) <= steps + looks * 2 + skipped


@pytest.mark.parametrize("state", [None, '{"epoch": 2.0, "glo'])
def test_a_checkpoint_that_was_cut_off_is_passed_over(
    tiny: LocalEngine, tmp_path: Path, state: str | None
) -> None:
    """A process that is killed while it writes a checkpoint leaves half of one."""
    straight, resumed = adapted(tiny), adapted(tiny)
    expected = fit(straight, tmp_path / "straight")
    with pytest.raises(InterruptedError):
        fit(adapted(tiny), tmp_path / "cut", collate=interrupted(15))
    half = tmp_path / "cut" / "checkpoint-8"
    shutil.copytree(tmp_path / "cut" / "checkpoint-6", half)
    (half / "trainer_state.json").unlink()
    (half / "optimizer.pt").unlink()
    if state:
        (half / "trainer_state.json").write_text(state)
    curve = fit(resumed, tmp_path / "cut")
    assert curve.points == expected.points
    torch.testing.assert_close(weights(resumed), weights(straight), atol=0, rtol=0)


@pytest.mark.parametrize("patience", [1, 99])
def test_training_that_has_ended_goes_no_further_when_it_is_resumed(
    tiny: LocalEngine, tmp_path: Path, patience: int
) -> None:
    """A process can also die between the last step and the writing of the adapter."""
    first, second = adapted(tiny), adapted(tiny)
    dev = [Encoded(e.prompt, [31 if t == 30 else t for t in e.completion]) for e in DEV]
    changes = {"dev": dev, "epochs": 6, "patience": patience}
    expected = fit(first, tmp_path, **changes)  # type: ignore[arg-type]
    curve = fit(second, tmp_path, **changes)  # type: ignore[arg-type]
    assert curve.points == expected.points
    torch.testing.assert_close(weights(second), weights(first), atol=0, rtol=0)


def test_seconds_and_tokens_are_those_of_the_whole_training(
    tiny: LocalEngine, tmp_path: Path
) -> None:
    with pytest.raises(InterruptedError):
        fit(adapted(tiny), tmp_path, collate=interrupted(15))
    path = tmp_path / "checkpoint-6" / "trainer_state.json"
    state = json.loads(path.read_text())
    clock = state["stateful_callbacks"]["Clock"]["attributes"]
    assert 0 < clock["before"] < 60
    clock["before"] += 1000
    path.write_text(json.dumps(state))
    curve = fit(adapted(tiny), tmp_path)
    assert 1000 < curve.seconds < 1060
    assert curve.tokens == 3 * sum(len(e.prompt) + len(e.completion) for e in LESSONS)
