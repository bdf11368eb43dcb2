"""What tuning breaks: general text and general instructions, before and after.

Cross-entropy on text that has nothing to do with the task shows what an adapter has overwritten
(compare Luo et al. 2023, "An Empirical Study of Catastrophic Forgetting in Large Language Models
During Continual Fine-tuning", arXiv:2308.08747); the divergence from the base model on the task's
own prompts shows how far tuning has moved what it was meant to move.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any, ClassVar

import numpy as np

from harness.errors import ProbeUnavailableError
from harness.files import file_sha256, write_whole
from harness.ladder.rung import Rung
from harness.models.engine import Engine
from harness.models.weights import Weights
from harness.probe.passages import instructions, own_file, passages
from harness.probe.probe import FittedRun, Probe
from harness.progress import Progress
from harness.sampling import sample
from harness.task import Task
from harness.values import AtLeastOne, Count, Positive, settings

__all__ = ["Forgetting"]

SIDE_BY_SIDE = 10
"""Passages between two steps of the progress bar."""


@settings("probes.forgetting")
class Forgetting(Probe):
    """Cross-entropy per token on general passages, divergence on the task's prompts, and answers
    to general instructions: of a tuned rung and of the base that was tuned (in four bits where that
    answers under the adapter: what four bits cost is not forgetting).

    The gate: cross-entropy may rise by `max_increase` at most.
    """

    name: ClassVar[str] = "forgetting"
    gate: ClassVar[tuple[str, ...]] = ("max_increase",)

    enabled: bool | None
    passages: str | Weights
    """A file of general text: rows with a `field`, or paragraphs; or one in a package."""
    field: str
    """Where rows have their text."""
    count: AtLeastOne
    """Passages."""
    tokens: AtLeastOne
    """Of each passage, its first ones."""
    prompts: Count
    """Eval questions on which the divergence is measured, along the answers that were given."""
    instructions: str | None
    """A YAML list of general instructions; null: harness's own."""
    answer_tokens: AtLeastOne
    """Of the answer to each instruction."""
    max_increase: Positive
    """Of cross-entropy, in nats per token; 0.1 raises perplexity by 10.5%."""
    content: str = ""
    """SHA-256 of the files of one's own that are named above; `of` fills it in."""

    def applies(self, rung: Rung, task: Task) -> bool:
        return rung.tuning is not None and rung.tuning.writes

    def cheap(self, rung: Rung, task: Task) -> bool:
        return True

    def of(self, task: Task) -> Probe:
        named = [own_file(self.passages, "passages")] if isinstance(self.passages, str) else []
        if self.instructions is not None:
            named.append(own_file(self.instructions, "instructions"))
        return replace(self, content=" ".join(map(file_sha256, named)))

    def check(self, task: Task) -> None:
        self._passages(task)
        instructions(self.instructions)

    def measure(self, run: FittedRun) -> dict[str, Any]:
        """`passages`: tokens and cross-entropy per token `before` and `after`; `divergence`: of
        each question KL(tuned ‖ base) per token of its answer; `instructions`: both answers, and
        whether they are in the task's format."""
        tuned, base = run.predictor.engine, _base(run)
        if not base.capabilities.log_probabilities:
            raise ProbeUnavailableError(f"{base.name} does not tell how probable texts are")
        texts = self._passages(run.conditions.task)
        asked = instructions(self.instructions)
        what = f"{run.predictor.rung.name}: forgetting"
        with Progress(what, 2 * len(texts) + self.prompts, unit="text") as progress:
            before = self._before(base, texts, asked, run.shared, progress)
            after = self._measured(tuned, texts, asked, progress)
            divergence = self._divergence(run, base, progress)
        answer = run.conditions.task.materials.answer
        held = answer.constraint is not None

        def in_format(text: str) -> bool | None:
            return answer.parse(text).value is not None if held else None

        return {
            "passages": [
                {"tokens": n, "before": old, "after": new}
                for n, old, new in zip(
                    before["tokens"], before["entropy"], after["entropy"], strict=True
                )
            ],
            "divergence": divergence,
            "instructions": [
                {
                    "instruction": said,
                    "before": old,
                    "after": new,
                    "before_in_format": in_format(old),
                    "after_in_format": in_format(new),
                }
                for said, old, new in zip(asked, before["answers"], after["answers"], strict=True)
            ],
        }

    def _passages(self, task: Task) -> list[str]:
        shown = [passage.text for passage in task.materials.corpus]
        return passages(self.passages, self.field, self.count, shown)

    def _before(
        self,
        engine: Engine,
        texts: Sequence[str],
        asked: Sequence[str],
        shared: Path,
        progress: Progress,
    ) -> dict[str, Any]:
        """The untuned model's part, which all tuned rungs have in common: kept beside the runs."""
        about = [engine.record(), self.tokens, self.answer_tokens, list(texts), list(asked)]
        key = hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:12]
        path = shared / f"base-{key}.json"
        if not path.exists():
            found = self._measured(engine, texts, asked, progress)
            shared.mkdir(parents=True, exist_ok=True)
            write_whole(path, json.dumps(found, indent=1, ensure_ascii=False))
        else:
            progress.advance(len(texts))
        kept: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return kept

    def _measured(
        self, engine: Engine, texts: Sequence[str], asked: Sequence[str], progress: Progress
    ) -> dict[str, Any]:
        """`tokens` and `entropy` per token of each passage; `answers` to the instructions."""
        values: list[list[float]] = []
        for start in range(0, len(texts), SIDE_BY_SIDE):
            part = texts[start : start + SIDE_BY_SIDE]
            values += engine.text_log_probabilities(part, self.tokens)
            progress.advance(len(part))
        conversations = [[{"role": "user", "content": said}] for said in asked]
        done = {c.index: c.text for c in engine.answer(conversations, self.answer_tokens)}
        return {
            "tokens": [len(one) for one in values],
            "entropy": [-fmean(one) if one else 0.0 for one in values],
            "answers": [done[i] for i in range(len(asked))],
        }

    def _divergence(self, run: FittedRun, base: Engine, progress: Progress) -> list[dict[str, Any]]:
        """KL(tuned ‖ base) of the next token, averaged over the tokens of the rung's own answer.

        Exact over the whole vocabulary, without the constraint, behind the same prompt.
        """
        answered = [q for q in run.conditions.task.questions if run.answered[q.id].text]
        questions = sample(answered, self.prompts)
        found = []
        for question, one in zip(questions, run.predictor.render(questions), strict=True):
            text = run.answered[question.id].text
            ours = run.predictor.engine.distributions(one.messages, text)
            theirs = base.distributions(one.messages, text)
            each = (np.exp(ours) * (ours - theirs)).sum(-1, dtype=np.float64)
            found.append({"id": question.id, "tokens": len(each), "kl": float(each.mean())})
            progress.advance()
        return found


def _base(run: FittedRun) -> Engine:
    """What the rung tuned, untuned."""
    tuning, engine = run.predictor.rung.tuning, run.conditions.engine
    base: Engine = tuning.base(engine) if tuning else engine
    return base
