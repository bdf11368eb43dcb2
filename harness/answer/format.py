"""What every answer format offers: all that the rest of harness asks of one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from harness.constraint import Constraint

__all__ = ["Accepting", "Answer", "Parsed", "Scorer", "accepted_by", "as_text", "commonest"]


@dataclass(frozen=True)
class Parsed:
    """A model's text, read.

    >>> Parsed(None, "no JSON object").problem
    'no JSON object'
    """

    value: Any
    """None if nothing could be read."""
    problem: str | None = None
    """Why nothing could be read."""


class Scorer(Protocol):
    """What says how good answers are, each and all; `harness.answer.metric` has one that is also
    an `evaluate.Metric`.

    >>> from harness.answer import Label
    >>> Label(["yes", "no"]).scorer().each("yes.", "yes")
    {'accuracy': 1.0, 'readable': 1.0}
    """

    def each(self, prediction: str, reference: str) -> dict[str, float]:
        """Measures of one answer, 0 to 1; `reference` is a target as `write` gives it, or as
        `accepted` does for a format that has that."""

    def over(self, predictions: Sequence[str], references: Sequence[str]) -> dict[str, float]:
        """Measures that only make sense over a whole set, such as macro-F1."""


@dataclass(frozen=True)
class Field:
    """One property of a JSON answer.

    >>> Field("order_id", "knowledge", "exact").kind
    'knowledge'
    """

    name: str
    kind: str
    """What kind of problem it is: format, behaviour, knowledge or action (`x-kind`)."""
    check: str
    """`exact`: equal to the target's value. `style`: any value that the schema admits."""
    required: bool = True
    """Whether every answer has it."""


class Answer(Protocol):
    """One answer format.

    >>> from harness.answer import Label
    >>> answer: Answer = Label(["yes", "no"])
    >>> answer.majority(["yes", "no", "no"])
    'no'
    """

    @property
    def rules(self) -> Any:
        """What determines how an answer is read and scored, as JSON: part of a task's identity,
        with the name of the class."""

    @property
    def labels(self) -> tuple[str, ...] | None:
        """The labels of which an answer is one, for classifiers; None if it is not a label."""

    @property
    def fields(self) -> tuple[Field, ...]:
        """The properties of an answer that is a JSON object; none of another."""

    @property
    def constraint(self) -> Constraint | None:
        """What decoding may be held to, declared and not compiled; None leaves answers free."""

    @property
    def longest(self) -> int | None:
        """UTF-8 bytes of the longest text that the constraint admits; None without a bound."""

    @property
    def measures(self) -> tuple[str, ...]:
        """Metrics to show beside the primary one, in order, as far as a task has them."""

    def write(self, target: Any) -> str:
        """The text that a model should produce. Raises ValueError with the fix."""

    def parse(self, text: str) -> Parsed:
        """A model's text, read; never raises."""

    def describe(self, instructions: str) -> str:
        """Instructions with what they may ask for filled in: {schema}, {labels}."""

    def fitted(self, targets: Iterable[str]) -> Answer:
        """This format, with what it must know of the train targets (which labels there are)."""

    def majority(self, targets: Sequence[str]) -> str:
        """The text of the commonest answer among written targets: a baseline."""

    def scorer(self) -> Scorer:
        """What says how good answers are; `harness.answer.metric` makes one of functions."""


@runtime_checkable
class Accepting(Protocol):
    """What an answer format offers beside that if its targets say more than the one text that is
    taught: several values may be right.

    >>> from harness.answer import Label, ToolCalls
    >>> isinstance(ToolCalls(), Accepting), isinstance(Label(["yes", "no"]), Accepting)
    (True, False)
    """

    def accepted(self, target: Any) -> str:
        """All that is right, as text: what answers are compared with. Raises ValueError."""


def accepted_by(answer: Answer, target: Any) -> str:
    """All that a format accepts for a target; empty if that is the one text that it writes.

    Raises ValueError for a target that is none.
    """
    return answer.accepted(target) if isinstance(answer, Accepting) else ""


def as_text(target: Any) -> str:
    """A target that is text or a whole number, as text. Raises ValueError for any other.

    >>> as_text(7)
    '7'
    """
    # A float, or true, has several spellings: which is meant would be a guess.
    if isinstance(target, str | int) and not isinstance(target, bool):
        return str(target)
    raise ValueError(f"target is {target!r:.60}; give text, in quotes, or a whole number")


def commonest(values: Iterable[str]) -> str | None:
    """The first of the most frequent values; None if there is none.

    >>> commonest(["no", "yes", "yes"])
    'yes'
    """
    counted = Counter(values).most_common(1)
    return counted[0][0] if counted else None
