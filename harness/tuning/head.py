"""A linear head on the last hidden state: the model classifies in place of writing a label.

The state is that of the last token of the very prompt that the rung asks with, behind which the
model would begin its answer. transformers' sequence classification reads the last token of the
input as well; a question without its chat template would be something that an instruct model was
never tuned on.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from harness.errors import RungUnavailableError
from harness.models.local.engine import LocalEngine
from harness.models.weights import digest
from harness.progress import Progress, say_once
from harness.task import Materials
from harness.tuning.head_engine import (
    Head,
    HeadEngine,
    Places,
    best_temperature,
    cross_entropy,
)
from harness.tuning.last_states import Vectors, last_states
from harness.tuning.method import Curve, Method, Pair, Report, Tuned, keep, kept
from harness.values import Positive, settings

__all__ = ["ClassifierHead", "Regression", "calibrated", "check_labels", "known_labels",
           "regression", "states_of", "unstandardized"]  # fmt: skip

MOST_ITERATIONS = 1000
"""Of the solver; a fit that took as many has not converged, and a badge says so."""


@settings("rung.tuning")
class ClassifierHead(Method):
    """Logistic regression on the frozen model's standardized last hidden states."""

    C: Positive
    """Inverse strength of the L2 penalty, as scikit-learn has it: smaller is more regular."""

    @property
    def settings(self) -> Any:
        return {"C": self.C}

    @property
    def random(self) -> bool:
        return False

    @property
    def writes(self) -> bool:
        return False

    def check(self, materials: Materials) -> None:
        super().check(materials)
        check_labels(materials)

    def fit(
        self,
        engine: LocalEngine,
        train: Sequence[Pair],
        dev: Sequence[Pair],
        seed: int,
        folder: Path,
    ) -> Tuned:
        """Fit, or take up what an earlier run has fitted.

        `folder` gets `head.safetensors` and `training.json`. Raises RungUnavailableError if train
        has one label alone.
        """
        report = kept(folder)
        if report is None:
            report = self._train(engine, train, dev, folder)
            keep(folder, report)
        identity = f"{engine.fingerprint}+{report.sha256}"
        return Tuned(HeadEngine(engine, Head.load(folder), identity), report, folder)

    def _train(
        self, engine: LocalEngine, train: Sequence[Pair], dev: Sequence[Pair], folder: Path
    ) -> Report:
        labels = known_labels(train)
        began = time.perf_counter()
        prompts = [engine.encode(messages) for messages, _ in train]
        states = states_of(engine, prompts)
        place = {label: index for index, label in enumerate(labels)}
        truth = np.array([place[target] for _, target in train])
        found = regression(len(labels), states, truth, self.C)
        whole = unstandardized(found.mean, found.scale, found.weight, found.bias)
        head, on_dev = calibrated(Head(tuple(labels), *whole), engine, dev)
        seconds = time.perf_counter() - began
        weights = head.save(folder)
        converged = found.iterations < MOST_ITERATIONS
        return Report(
            trainable=head.weight.size + head.bias.size,
            megabytes=weights.stat().st_size / 1e6,
            examples=len(train),
            distinct=len(
                {
                    (*prompt, -1, place)
                    for prompt, place in zip(prompts, truth.tolist(), strict=True)
                }
            ),
            sha256=digest(weights),
            # What the question adds to what the head would say without one.
            effect=float(np.abs((states - states.mean(0)) @ head.weight.T).max()),
            curve=Curve(
                points=[],
                steps=found.iterations,
                best_step=found.iterations,
                seconds=seconds,
                tokens=sum(map(len, prompts)),
            ),
            head={"labels": len(labels), "iterations": found.iterations, "converged": converged}
            | on_dev,
        )


@dataclass(frozen=True)
class Regression:
    """Logistic regression on standardized states."""

    mean: Vectors
    """[hidden]"""
    scale: Vectors
    """[hidden]: the standard deviation, or 1 where a state does not vary."""
    weight: Vectors
    """[labels, hidden]"""
    bias: Vectors
    """[labels]"""
    iterations: int


def regression(labels: int, states: Vectors, truth: Places, C: float) -> Regression:  # noqa: N803
    """Fit states [n, hidden] to the places [n] of their labels, as scikit-learn does with `C`."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler()
    standardized = scaler.fit_transform(states.astype(np.float64))
    model = LogisticRegression(C=C, max_iter=MOST_ITERATIONS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a badge says so
        model.fit(standardized, truth)
    weight, bias = model.coef_, model.intercept_
    if labels == 2:  # of two labels scikit-learn tells the logit of the second alone
        weight, bias = np.vstack([0 * weight, weight]), np.concatenate([0 * bias, bias])
    return Regression(scaler.mean_, scaler.scale_, weight, bias, int(model.n_iter_.max()))


def unstandardized(
    mean: Vectors, scale: Vectors, weight: Vectors, bias: Vectors
) -> tuple[Vectors, Vectors]:
    """The weight and the bias on states as they come, the standardization folded in."""
    weight = weight / scale
    return weight.astype(np.float32), (bias - weight @ mean).astype(np.float32)


def check_labels(materials: Materials) -> None:
    """Raise RungUnavailableError where there is nothing to classify, and say which labels a head
    will not know."""
    labels = materials.answer.labels
    if labels is None:
        raise RungUnavailableError("it classifies, but the task's answers are not labels")
    given = {example.target for example in materials.train}
    if len(given) == 1:
        raise _one_label(next(iter(given)))
    if unknown := [label for label in labels if label not in given]:
        shown = ", ".join(unknown[:3]) + (", …" if len(unknown) > 3 else "")
        say_once(
            f"warning: train has no example of {len(unknown)} of {len(labels)} labels ({shown}): "
            "a classification head can never answer with them"
        )


def known_labels(train: Sequence[Pair]) -> list[str]:
    """The labels of train, sorted. Raises RungUnavailableError for one alone."""
    labels = sorted({target for _, target in train})
    if len(labels) == 1:
        raise _one_label(labels[0])
    return labels


def states_of(engine: LocalEngine, prompts: Sequence[Sequence[int]]) -> Vectors:
    """The last hidden state of each prompt: [prompts, hidden]."""
    found: dict[int, Vectors] = {}
    with Progress("hidden states", len(prompts), unit="prompt") as progress:
        for state in last_states(engine, prompts):
            found[state.index] = state.vector
            progress.advance()
    return np.stack([found[index] for index in range(len(prompts))])


def calibrated(head: Head, engine: LocalEngine, dev: Sequence[Pair]) -> tuple[Head, dict[str, Any]]:
    """The head at the temperature that dev asks for, and what is told of that: `temperature`, and
    the cross-entropy in nats on the `n` examples of dev whose label it knows, `raw` and `scaled`.
    """
    place = {label: index for index, label in enumerate(head.labels)}
    known = [(messages, target) for messages, target in dev if target in place]
    if not known:
        return head, {"temperature": 1.0, "dev": None}
    states = states_of(engine, [engine.encode(messages) for messages, _ in known])
    logits = head.logits(states)
    truth = np.array([place[target] for _, target in known])
    found = best_temperature(logits, truth)
    on_dev = {
        "n": len(known),
        "raw": cross_entropy(logits, truth),
        "scaled": cross_entropy(logits / found, truth),
    }
    return replace(head, temperature=found), {"temperature": found, "dev": on_dev}


def _one_label(label: str) -> RungUnavailableError:
    return RungUnavailableError(
        f"it classifies, but all examples of train have the label {label!r}; add others"
    )
