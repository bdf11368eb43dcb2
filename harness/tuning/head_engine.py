"""What answers with a classification head: the most probable label, and no text of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt
from safetensors import safe_open
from safetensors.numpy import save_file

from harness.constraint import Choices, Constraint
from harness.errors import ConfigError, ProbeUnavailableError
from harness.models.engine import Capabilities, Completion, Conversation, Usage
from harness.models.local.engine import LocalEngine
from harness.tuning.last_states import Vectors, last_states

__all__ = ["Head", "HeadEngine", "best_temperature", "cross_entropy"]

WEIGHTS = "head.safetensors"
STEEPEST = 3.0
"""Natural logarithm of the largest temperature, and minus that of the smallest."""

Places = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Head:
    """A linear layer from a hidden state to one logit for each label."""

    labels: tuple[str, ...]
    weight: Vectors
    """[labels, hidden]"""
    bias: Vectors
    """[labels]"""
    temperature: float = 1.0
    """Logits are divided by it before they are probabilities."""

    def logits(self, states: Vectors) -> Vectors:
        """States [n, hidden] to logits [n, labels], before the temperature."""
        found: Vectors = states @ self.weight.T + self.bias
        return found

    def log_probabilities(self, states: Vectors) -> Vectors:
        """States [n, hidden] to ln P [n, labels], in nats."""
        return _log_softmax(self.logits(states) / self.temperature)

    def save(self, folder: Path) -> Path:
        """Write it down as safetensors; its labels and its temperature stand in the header."""
        folder.mkdir(parents=True, exist_ok=True)
        about = {"labels": json.dumps(self.labels), "temperature": repr(self.temperature)}
        # safetensors writes the memory as it lies, whatever the order of the array's axes.
        tensors = {
            "weight": np.ascontiguousarray(self.weight),
            "bias": np.ascontiguousarray(self.bias),
        }
        save_file(tensors, folder / WEIGHTS, metadata=about)
        return folder / WEIGHTS

    @classmethod
    def load(cls, folder: Path) -> Head:
        """The reverse of `save`."""
        with safe_open(folder / WEIGHTS, framework="numpy") as file:
            about: Mapping[str, str] = file.metadata()
            weight, bias = file.get_tensor("weight"), file.get_tensor("bias")
        labels = tuple(json.loads(about["labels"]))
        return cls(labels, weight, bias, float(about["temperature"]))


@dataclass(frozen=True)
class HeadEngine:
    """A head on the last hidden state of a language model's prompt.

    One forward pass over the prompt answers a question, and nothing is generated.
    """

    body: LocalEngine
    """What reads the prompts; its own output layer takes no part."""
    head: Head
    fingerprint: str

    capabilities = Capabilities(tunable=False, constrainable=True, log_probabilities=True)
    deterministic = True

    @property
    def name(self) -> str:
        return self.body.name

    @property
    def context(self) -> int | None:
        return self.body.context

    def record(self) -> dict[str, Any]:
        return self.body.record() | {"weights": self.fingerprint}

    def count(self, conversations: Sequence[Conversation]) -> list[int]:
        return self.body.count(conversations)

    def count_answers(self, texts: Sequence[str]) -> list[int]:
        return self.body.count_answers(texts)

    def answer(
        self,
        conversations: Sequence[Conversation],
        max_tokens: int,
        constraint: Constraint | Sequence[Constraint] | None = None,
    ) -> Iterator[Completion]:
        """The most probable label of each conversation; no completion token is generated.

        Raises ConfigError for a constraint that does not admit every label.
        """
        if constraint is not None and not _admits(constraint, self.head.labels):
            raise ConfigError(
                "a classification head answers with the labels of train, which the answer format "
                "does not admit"
            )
        prompts = [self.body.encode(conversation) for conversation in conversations]
        for state in last_states(self.body, prompts):
            label = self.head.labels[int(self.head.logits(state.vector[None])[0].argmax())]
            usage = Usage(
                prompt_tokens=len(prompts[state.index]),
                computed_tokens=state.computed,
                completion_tokens=0,
                seconds=state.seconds,
                batch=state.batch,
            )
            yield Completion(state.index, label, "stop", usage)

    def log_probabilities(
        self,
        conversations: Sequence[Conversation],
        answers: Sequence[Sequence[str]],
        *,
        ended: bool = True,
    ) -> list[list[float]]:
        """ln P of each answer under the head, at its temperature: minus infinity for a text that
        is none of its labels."""
        prompts = [self.body.encode(conversation) for conversation in conversations]
        found: list[list[float]] = [[] for _ in prompts]
        for state in last_states(self.body, prompts):
            values = self.head.log_probabilities(state.vector[None])[0].tolist()
            known = dict(zip(self.head.labels, values, strict=True))
            found[state.index] = [known.get(text, -np.inf) for text in answers[state.index]]
        return found

    def text_log_probabilities(self, texts: Sequence[str], max_tokens: int) -> NoReturn:
        raise ProbeUnavailableError(f"{self.name} has a classification head and writes no text")

    def distributions(self, conversation: Conversation, answer: str) -> NoReturn:
        raise ProbeUnavailableError(f"{self.name} has a classification head and writes no text")


def best_temperature(logits: Vectors, truth: Places) -> float:
    """The temperature at which logits [n, labels] find the right labels [n] most probable; 1 if
    there are none.

    One parameter, which changes no answer (Guo et al. 2017, arXiv:1706.04599).
    """
    from scipy.optimize import minimize_scalar

    if not len(truth):
        return 1.0

    def loss(logarithm: float) -> float:
        return cross_entropy(logits / np.exp(logarithm), truth)

    best = minimize_scalar(loss, bounds=(-STEEPEST, STEEPEST), method="bounded")
    return float(np.exp(best.x))


def cross_entropy(logits: Vectors, truth: Places) -> float:
    """Mean over logits [n, labels] and right labels [n], in nats."""
    return float(-_log_softmax(logits)[np.arange(len(truth)), truth].mean())


def _log_softmax(logits: Vectors) -> Vectors:
    from scipy.special import log_softmax

    found: Vectors = log_softmax(logits.astype(np.float64), axis=1)
    return found


def _admits(constraint: Constraint | Sequence[Constraint], labels: Sequence[str]) -> bool:
    return isinstance(constraint, Choices) and set(labels) <= set(constraint.texts)
