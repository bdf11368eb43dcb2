"""Prompts that evolve: GEPA (Agrawal et al. 2025, arXiv:2507.19457) as the package `gepa` has it,
with our answers and scores, and any engine as the one that reflects."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from harness.files import write_whole
from harness.models.engine import Engine, ModelSource
from harness.task import Example

__all__ = ["Answered", "Reflection", "Reflector", "evolve"]

P = ParamSpec("P")
T = TypeVar("T")

COMPONENT = "instructions"
"""What GEPA calls the one text that it changes."""


@dataclass(frozen=True)
class Answered:
    """One answer under some instructions."""

    text: str
    score: float
    """From 0 to 1."""
    problem: str | None
    """Why it could not be read."""


Ask = Callable[[str, Sequence[Example]], Sequence[Answered]]
"""Instructions and questions in, answers out, in the order of the questions."""


@dataclass(frozen=True)
class Reflection:
    """One call of the reflector."""

    key: str
    """SHA-256 of what it was told."""
    text: str
    prompt_tokens: int
    computed_tokens: int
    completion_tokens: int
    seconds: float


class Reflector:
    """A model that reads what went wrong and proposes; calls are kept and never made twice."""

    def __init__(self, source: ModelSource, path: Path, max_tokens: int) -> None:
        self._source, self._path, self._max_tokens = source, path, max_tokens
        self._engine: Engine | None = None
        lines = path.read_text(encoding="utf-8").split("\n")[:-1] if path.exists() else []
        self._kept = {one.key: one for one in (Reflection(**json.loads(line)) for line in lines)}

    @property
    def name(self) -> str | None:
        """As reports call the model."""
        return self._source.name

    @property
    def calls(self) -> list[Reflection]:
        """All that were made, the oldest first."""
        return list(self._kept.values())

    def __call__(self, prompt: str | list[dict[str, Any]]) -> str:
        """What it writes to a prompt; nothing if the prompt leaves no room in its context."""
        said = prompt if isinstance(prompt, str) else str(prompt[-1]["content"])
        key = hashlib.sha256(said.encode()).hexdigest()
        if key not in self._kept:
            self._keep(self._reflect(said, key))
        return self._kept[key].text

    def _keep(self, made: Reflection) -> None:
        # Not appended: behind the half-written line of a killed run the next one would be lost.
        lines = [json.dumps(asdict(one)) + "\n" for one in (*self.calls, made)]
        write_whole(self._path, "".join(lines))
        self._kept[made.key] = made

    def _reflect(self, said: str, key: str) -> Reflection:
        if self._engine is None:
            self._engine = self._source.load()
        conversation = [{"role": "user", "content": said}]
        room, context = self._max_tokens, self._engine.context
        if context is not None:
            room = min(room, context - self._engine.count([conversation])[0])
        if room < 1:
            return Reflection(key, "", 0, 0, 0, 0.0)
        done = next(iter(self._engine.answer([conversation], room)))
        used = done.usage
        counted = (used.prompt_tokens, used.computed_tokens, used.completion_tokens, used.seconds)
        return Reflection(key, done.text, *counted)


def evolve(
    start: str,
    examples: Sequence[Example],
    ask: Ask,
    reflect: Callable[[str | list[dict[str, Any]]], str],
    *,
    calls: int,
    minibatch: int,
    seed: int,
) -> list[str]:
    """The instructions that GEPA took into its pool, the first one first.

    The same examples give feedback and say what is kept. It ends after `calls` scored answers.
    Nothing of its own state is kept: a search that was killed is gone through again with the same
    seed, out of what `ask` and `reflect` remember. Raises whatever they raise.
    """
    from gepa.api import optimize

    adapter: Any = _Adapter(_stopping(ask))
    reflection_lm: Any = _stopping(reflect)
    try:
        found: Any = optimize(
            seed_candidate={COMPONENT: start},
            trainset=list(examples),
            valset=list(examples),
            adapter=adapter,
            reflection_lm=reflection_lm,
            reflection_minibatch_size=min(minibatch, len(examples)),
            max_metric_calls=calls,
            logger=_Silent(),
            track_best_outputs=False,
            seed=seed,
        )
    except _Failed as failed:
        raise failed.fault from None
    return list(dict.fromkeys(candidate[COMPONENT] for candidate in found.candidates))


class _Failed(BaseException):
    """A fault of ours on its way through GEPA, which would catch an Exception and go on without
    the reflection: the search would end, complete, with nothing found."""

    def __init__(self, fault: Exception) -> None:
        super().__init__(str(fault))
        self.fault = fault


def _stopping(call: Callable[P, T]) -> Callable[P, T]:
    """The same call, whose faults end the search."""

    def called(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return call(*args, **kwargs)
        except Exception as fault:
            raise _Failed(fault) from fault

    return called


class _Silent:
    """Our own progress bars say what happens."""

    def log(self, message: str) -> None:
        """Say nothing."""


class _Adapter:
    """How GEPA asks us: instructions and examples in, scores and what to learn from them out."""

    propose_new_texts = None

    def __init__(self, ask: Ask) -> None:
        self.ask = ask

    def evaluate(
        self, batch: list[Example], candidate: dict[str, str], capture_traces: bool = False
    ) -> Any:
        from gepa.core.adapter import EvaluationBatch

        answers = list(self.ask(candidate[COMPONENT], batch))
        return EvaluationBatch(
            outputs=answers,
            scores=[one.score for one in answers],
            trajectories=list(zip(batch, answers, strict=True)) if capture_traces else None,
        )

    def make_reflective_dataset(
        self, candidate: dict[str, str], eval_batch: Any, components_to_update: list[str]
    ) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        told = [
            {
                "Inputs": example.input,
                "Generated Outputs": answer.text,
                "Feedback": _feedback(example, answer),
            }
            for example, answer in eval_batch.trajectories
        ]
        return dict.fromkeys(components_to_update, told)


def _feedback(example: Example, answer: Answered) -> str:
    if answer.score >= 1:
        return "Right."
    read = f" It could not be read: {answer.problem}." if answer.problem else ""
    return f"Scored {answer.score:.2f} of 1.{read} The right answer is: {example.target}"
