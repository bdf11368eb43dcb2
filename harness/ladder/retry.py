"""Asking again: what the parser or the validator refuses is shown to the model with the reason."""

from __future__ import annotations

from dataclasses import dataclass

from harness.answer import Answer
from harness.answer.schema import validator, violation
from harness.constraint import Constraint, SchemaOfInput
from harness.errors import RungUnavailableError
from harness.ladder.dialogue import Dialogue, Reply
from harness.models.engine import Completion, Engine
from harness.task import Materials, Question
from harness.values import AtLeastOne, settings

__all__ = ["Retry", "verdict"]

LONGEST = 200
"""Characters of a verdict: validators quote whole answers."""
SAID = (
    "Your answer cannot be used: {problem}. Write the corrected answer to the same question and "
    "nothing else."
)


@settings("rung.dialogue")
class Retry(Dialogue):
    """An answer that cannot be read, or that the answer format refuses, is asked for again.

    It answers freely: under the constraint there would be nothing to repair. It knows the answer
    format and never a target, so that a valid wrong answer counts as it is.

    >>> Retry(times=2).free
    True
    """

    times: AtLeastOne
    """How often at most."""

    @property
    def free(self) -> bool:
        return True

    @property
    def rounds(self) -> int:
        return self.times

    def check(self, materials: Materials) -> None:
        if materials.answer.constraint is None:
            raise RungUnavailableError(
                "it validates answers, but free text leaves nothing to validate; leave retry out, "
                "or give the task a schema or labels"
            )

    def partner(
        self, engine: Engine, materials: Materials, constraint: Constraint | None
    ) -> _Validator:
        return _Validator(materials.answer, materials.max_new_tokens)

    def room(self, materials: Materials) -> int:
        return self.times * (materials.max_new_tokens + LONGEST + len(SAID))


def verdict(answer: Answer, text: str, question: str = "") -> str | None:
    """Why a text is no answer of this format to a question, with the place as far as it is known;
    None if it is one. The question counts where it declares what its answer may be.

    >>> from harness.answer import Label
    >>> verdict(Label(["yes", "no"]), "maybe")
    'not a label'
    """
    parsed = answer.parse(text)
    if parsed.value is None:
        return _short(parsed.problem or "it cannot be read")
    try:
        answer.write(parsed.value)
    except ValueError as error:
        return _short(str(error).removeprefix("target "))
    if isinstance(answer.constraint, SchemaOfInput):
        declared = validator(dict(answer.constraint.of(question).schema))
        if problem := violation(declared, parsed.value):
            return _short(f"breaks what the question declares: {problem}")
    return None


@dataclass(frozen=True)
class _Validator:
    """Whoever reads answers for their form alone."""

    answer: Answer
    tokens: int

    def budget(self, *, last: bool) -> int:
        return self.tokens

    def held(self, turn: int, *, last: bool) -> None:
        return None

    def reply(self, done: Completion, question: Question) -> Reply | None:
        problem = verdict(self.answer, done.text, question.input)
        if problem is None:
            return None
        if done.finish == "length":
            problem += f"; it was cut off after {self.tokens} tokens"
        return Reply({"role": "user", "content": SAID.format(problem=problem)}, problem)


def _short(problem: str) -> str:
    line = " ".join(problem.split()).rstrip(".")
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 3]}..."
