"""The nouns of a task: examples in three splits, a corpus, and how an answer must look."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from harness.answer import Answer
from harness.errors import ConfigError
from harness.foreign import foreign
from harness.sampling import sample
from harness.tool import Call, Tool, ToolUse

__all__ = [
    "COUNTS",
    "Attempt",
    "Example",
    "Materials",
    "Passage",
    "Prediction",
    "Question",
    "Score",
    "Task",
    "Update",
]


@dataclass(frozen=True)
class Question:
    """An example without its target: all that whatever answers ever receives.

    >>> Question("t1", "Where is my order?").input
    'Where is my order?'
    """

    id: str
    input: str
    where: str = ""
    """`file:line`, for messages."""


@dataclass(frozen=True)
class Example:
    """An input with its target."""

    id: str
    input: str
    target: str
    """What a model should write, letter for letter."""
    group: str
    """Examples that share a scenario; no group stands in two splits."""
    gold_passages: tuple[str, ...]
    """Ids of the passages that hold the answer."""
    tags: Mapping[str, str]
    where: str
    """`file:line`, for messages."""
    accepted: str = ""
    """All that is right, where that is more than the target: by a format that is `Accepting`."""
    calls: tuple[ToolUse, ...] = ()
    """Of tools, in order: what an example of train looks up before it answers."""

    @property
    def question(self) -> Question:
        return Question(self.id, self.input, self.where)

    @property
    def reference(self) -> str:
        """What answers are compared with."""
        return self.accepted or self.target

    def record(self) -> dict[str, Any]:
        """Its content as JSON, by the names that a task's files have for it."""
        apart = ("where", "gold_passages", "calls", *([] if self.accepted else ["accepted"]))
        content = {k: v for k, v in vars(self).items() if k not in apart}
        content |= {"sources": self.gold_passages, "tags": dict(self.tags)}
        calls = [use.record() for use in self.calls]
        return content | ({"calls": calls} if calls else {})


@dataclass(frozen=True)
class Passage:
    """One piece of the corpus."""

    id: str
    title: str
    text: str
    where: str

    def record(self) -> dict[str, Any]:
        """Its content as JSON."""
        return {k: v for k, v in vars(self).items() if k != "where"}

    def __str__(self) -> str:
        """As a model sees it: with its id and title, or only the text if it has no title."""
        return f"[{self.id}] {self.title}\n{self.text}" if self.title else self.text


@dataclass(frozen=True)
class Materials:
    """What a rung may learn from: everything but eval."""

    train: tuple[Example, ...]
    dev: tuple[Example, ...]
    corpus: tuple[Passage, ...]
    instructions: Mapping[str, str]
    """By variant: `full` and `short`."""
    question: str
    """How an input is put to the model, with {input} in its place."""
    answer: Answer
    max_new_tokens: int
    left_out: tuple[str, ...] = ()
    """Targets of the train examples that `train_share` left out. No rung reads them; the token
    budget has room for them, so that it is the same at every share."""
    variants: Mapping[str, str] = field(default_factory=dict)
    """Further instructions by name, for a search among prompts; no other rung reads them."""
    tools: Mapping[str, Tool] = field(default_factory=dict)
    """What a model may call, by name."""
    train_sought: str = ""
    """Where train was looked for, for messages where there is none."""

    @property
    def no_train(self) -> str:
        """That there is no train, for messages, and where it was looked for."""
        sought = f" (looked for {self.train_sought})" if self.train_sought else ""
        return f"the task has no train{sought}; add examples"


COUNTS = ("prompt_tokens", "computed_tokens", "completion_tokens", "seconds")
"""What an answer takes, as far as it is known."""


@dataclass(frozen=True)
class Attempt:
    """One of several answers that the model gave before the last: a retry, a call of a tool."""

    text: str
    finish: str
    prompt_tokens: int
    completion_tokens: int
    seconds: float
    problem: str | None = None
    """What was wrong with it, as the model was told."""
    computed_tokens: int = 0
    call: Call | None = None
    """The call of a tool that it was, with what came of it; its seconds are in those above."""


@dataclass(frozen=True)
class Prediction:
    """What a rung answered to one question; a failed one is a record too."""

    id: str
    text: str
    finish: str
    """`stop`, `length` (cut off at the token budget) or `error`."""
    prompt_tokens: int
    """As sent."""
    computed_tokens: int
    """Prompt tokens that had to be computed, after sharing prefixes."""
    completion_tokens: int
    seconds: float
    """This question's share of the answering time."""
    passages: tuple[str, ...] = ()
    """Ids of what was retrieved for it, best first."""
    error: str | None = None
    batch: int = 1
    """How many sequences there was room for side by side; memory decides, never the text."""
    attempts: tuple[Attempt, ...] = ()
    """Earlier answers to the same question; tokens and seconds above are the sum of all."""
    cost: float | None = None
    """Money, if whatever answered elsewhere told it."""
    unknown: tuple[str, ...] = ()
    """Which of `COUNTS` are not known, as it was answered elsewhere: 0 here, null as JSON."""

    def record(self) -> dict[str, Any]:
        """As JSON."""
        record = asdict(self)
        if not self.attempts:
            del record["attempts"]
        if self.cost is None:
            del record["cost"]
        del record["unknown"]
        return record | dict.fromkeys(self.unknown)

    @classmethod
    def of_record(cls, record: Mapping[str, Any]) -> Prediction:
        """The reverse of `record`. Raises KeyError, TypeError for what is none."""
        attempts = tuple(_attempt(one) for one in record.get("attempts", ()))
        passages = tuple(record["passages"])
        unknown = tuple(name for name in COUNTS if record[name] is None)
        known = {**record, **dict.fromkeys(unknown, 0), "unknown": unknown}
        return cls(**{**known, "passages": passages, "attempts": attempts})

    def after(self, attempts: Sequence[Attempt]) -> Prediction:
        """The same answer, given after others: what all of them took."""
        return replace(
            self,
            prompt_tokens=self.prompt_tokens + sum(a.prompt_tokens for a in attempts),
            computed_tokens=self.computed_tokens + sum(a.computed_tokens for a in attempts),
            completion_tokens=self.completion_tokens + sum(a.completion_tokens for a in attempts),
            seconds=self.seconds + sum(a.seconds for a in attempts),
            attempts=(*attempts, *self.attempts),
        )


@dataclass(frozen=True)
class Score:
    """What one answer is worth, measure by measure, each from 0 to 1."""

    id: str
    group: str
    values: Mapping[str, float]


@dataclass(frozen=True)
class Update:
    """Facts that change after everything was learned: what is looked up, and what is right, from
    then on. It is no material of any rung."""

    corpus: tuple[Passage, ...]
    eval: tuple[Example, ...]
    """The questions of eval, in its order, with the targets and sources that hold now."""
    leaks: int = 0
    """Questions that stand in the new corpus all the same, where that is allowed."""

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the new corpus and the new targets."""
        return _sha256([*self.corpus, *self.eval])


@dataclass(frozen=True)
class Task:
    """One task. `eval` is read by evidence/ alone; rungs get `materials` and `questions`."""

    name: str
    materials: Materials
    eval: tuple[Example, ...]
    primary: str
    """The metric that a comparison is about."""
    metrics: tuple[str, ...]
    """Further metrics of the hub, computed over the whole set."""
    licence: str
    limit: int | None
    """If set, eval is only a sample of so many examples, and every output says so."""
    update: Update | None = None
    """Facts that change, if the task brings some."""
    beyond: tuple[str, ...] = ()
    """Ids of the eval examples that `limit` leaves out."""

    @property
    def questions(self) -> tuple[Question, ...]:
        return tuple(example.question for example in self.eval)

    def limited(self, limit: int | None) -> Task:
        """The task with only a sample of `limit` eval examples."""
        if limit is None:
            return self
        if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
            raise ConfigError(
                f"limit={limit}: must be a whole number from 1 up, or null for the whole eval set"
            )
        kept = sample(self.eval, limit)
        update = self.update and replace(self.update, eval=sample(self.update.eval, limit))
        asked = {example.id for example in kept}
        beyond = tuple(example.id for example in self.eval if example.id not in asked)
        return replace(self, eval=kept, limit=len(kept), update=update, beyond=beyond)

    def fingerprints(self) -> dict[str, str]:
        """SHA-256 of each split and of the corpus, by content and order; of what is asked; of how
        answers are scored; and of the tools, if there are some."""
        m = self.materials
        parts: dict[str, Sequence[Example | Passage]] = {
            "train": m.train, "dev": m.dev, "eval": self.eval, "corpus": m.corpus
        }  # fmt: skip
        code = foreign([m.answer, *self.metrics])
        settings: dict[str, list[object]] = {
            "prompt": [dict(m.instructions), m.question, m.max_new_tokens],
            "scoring": [type(m.answer).__name__, m.answer.rules, self.primary, self.metrics, *code],
            "variants": [dict(m.variants)],
        }
        if m.tools:
            settings["tools"] = [[name, tool.fingerprint] for name, tool in m.tools.items()]
        return {name: _sha256(rows) for name, rows in parts.items()} | {
            name: hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
            for name, values in settings.items()
        }


def _attempt(record: Mapping[str, Any]) -> Attempt:
    call = record.get("call")
    return Attempt(**{**record, "call": Call(**call) if call else None})


def _sha256(rows: Sequence[Example | Passage]) -> str:
    digest = hashlib.sha256()
    for row in rows:
        digest.update(json.dumps(row.record(), sort_keys=True, default=list).encode() + b"\n")
    return digest.hexdigest()
