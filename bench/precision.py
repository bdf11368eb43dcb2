"""Precision: what bfloat16 (mixed: its products alone) and int8 buy, and which answers they change.

    python -m bench precision --ours 128

The few_shot requests of support_json, each precision in two batch sizes: an answer should not
depend on what was asked beside it. int8 is PyTorch's dynamic quantization of all linear layers.
"""

from __future__ import annotations

import copy
import time
import warnings
from argparse import Namespace
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal, get_args

import torch
from torch import nn

from bench.experiment import Experiment, experiment
from bench.table import Row
from harness.evidence import scoring
from harness.ladder.rung import Predictor
from harness.models.local.engine import LocalEngine

__all__ = ["rows"]

SMALL = 32
"""Sequences side by side in the second round; in the first as many as fit."""
Precision = Literal["float32", "mixed", "bfloat16"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)


def rows(arguments: Namespace) -> Iterator[Row]:
    """The precision lines: each against float32."""
    asked = experiment(["+task=support_json", "rung=few_shot", *arguments.overrides])
    asked = replace(asked, task=asked.task.limited(arguments.ours))
    models = {str(name): _in(asked.model, name) for name in PRECISIONS}
    models["int8"] = _quantized(asked.model)
    measured = {name: _answered(replace(asked, model=model)) for name, model in models.items()}
    single = measured["float32"]
    for name, found in measured.items():
        count = len(found.texts)
        output = (
            f"{_changed(found.texts, single.texts)} of {count} texts changed, {asked.task.primary} "
            f"{100 * found.score:.1f}; {_changed(found.beside_fewer, found.texts)} depend on the "
            "batch size"
        )
        what = f"support_json few_shot ({count}) in {name}"
        yield Row(what, "questions/s", found.rate, "float32", single.rate, output=output)


@dataclass(frozen=True)
class _Answered:
    rate: float
    texts: dict[str, str]
    score: float
    """The task's primary metric."""
    beside_fewer: dict[str, str]
    """The texts when answered in small batches."""


def _answered(asked: Experiment) -> _Answered:
    predictor, questions = asked.predictor(), asked.task.questions
    list(predictor(questions[:2]))  # nobody pays for what is only set up once
    began = time.perf_counter()
    predictions = list(predictor(questions))
    rate = len(questions) / (time.perf_counter() - began)
    texts = {p.id: p.text for p in predictions}
    scores = scoring.score(asked.task, predictions)
    score = scoring.metrics(asked.task, predictions, scores)[asked.task.primary].value
    beside_fewer = {p.id: p.text for p in _in_small_batches(predictor)(questions)}
    return _Answered(rate, texts, score, beside_fewer)


def _in_small_batches(predictor: Predictor) -> Predictor:
    engine = copy.copy(predictor.engine)
    assert isinstance(engine, LocalEngine)
    engine.spec = replace(engine.spec, batch_size=SMALL)
    return replace(predictor, engine=engine)


def _in(model: LocalEngine, dtype: Precision) -> LocalEngine:
    return LocalEngine(replace(model.spec, dtype=dtype), model.folder, model.fingerprint)


def _quantized(model: LocalEngine) -> LocalEngine:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its successor, torchao, would be one more dependency
        weights = torch.ao.quantization.quantize_dynamic(  # type: ignore[no-untyped-call]
            model.fresh(torch.float32), {nn.Linear}, dtype=torch.qint8
        )
    return model.with_weights(weights, f"{model.fingerprint} in int8")


def _changed(texts: dict[str, str], expected: dict[str, str]) -> int:
    return sum(texts[i] != text for i, text in expected.items())
