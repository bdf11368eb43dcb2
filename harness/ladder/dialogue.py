"""What is said to a model about what it wrote, before an answer counts: retries, calls of tools."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Protocol

from harness.constraint import Constraint
from harness.models.engine import Completion, Conversation, Engine, Message
from harness.slot import Slot
from harness.task import Attempt, Example, Materials, Question
from harness.tool import Call

__all__ = ["Dialogue", "Partner", "Reply"]


@dataclass(frozen=True)
class Reply:
    """What the model is told about a text that is not its answer yet."""

    message: Message
    problem: str | None = None
    """What was wrong with the text."""
    call: Call | None = None
    """The call of a tool that the text was."""


class Partner(Protocol):
    """Whoever reads what a model writes; one for all conversations that are held together."""

    def budget(self, *, last: bool) -> int:
        """Tokens that the next text may take; the last one is the answer, whatever it says."""

    def held(self, turn: int, *, last: bool) -> Constraint | None:
        """What the next text is held to; `turn` counts those before it."""

    def reply(self, done: Completion, question: Question) -> Reply | None:
        """What is said to a text; None if it counts as the answer. Sees no question's target."""


class Dialogue(Slot, ABC):
    """A slot that may say more than one thing to the model before an answer counts.

    All open conversations are asked together, round by round, so that they share batches and
    prefixes. What is said to one never depends on another.
    """

    trainable: ClassVar[bool] = True
    """Whether it suits a model that was tuned on conversations of one answer."""

    @property
    @abstractmethod
    def rounds(self) -> int:
        """Replies to a conversation at most; the text after the last one counts as it is."""

    @abstractmethod
    def partner(
        self, engine: Engine, materials: Materials, constraint: Constraint | None
    ) -> Partner:
        """Whoever replies; `constraint` is what answers are held to."""

    @abstractmethod
    def room(self, materials: Materials) -> int:
        """Tokens at most that stand between the prompt and the last answer; of texts that no model
        wrote, each character counts as one."""

    def introduced(self, instructions: str, materials: Materials) -> str:
        """The instructions with what the model must know of this."""
        return instructions

    def worked(
        self, examples: Sequence[Example], materials: Materials, engine: Engine
    ) -> Mapping[str, Sequence[Message]]:
        """By the id of a worked example, the turns between its question and its answer."""
        return {}

    def hold(
        self,
        engine: Engine,
        questions: Sequence[Question],
        conversations: Sequence[Conversation],
        materials: Materials,
        constraint: Constraint | None,
    ) -> Iterator[tuple[Completion, Sequence[Attempt]]]:
        """The answer that counts to each question, put as its conversation, and what was written
        before it."""
        partner = self.partner(engine, materials, constraint)
        talks = {place: _Talk(tuple(said), ()) for place, said in enumerate(conversations)}
        for turn in range(self.rounds + 1):
            last, places, going = turn == self.rounds, list(talks), dict[int, _Talk]()
            asked = [talks[place].messages for place in places]
            budget, held = partner.budget(last=last), partner.held(turn, last=last)
            for done in engine.answer(asked, budget, held) if asked else ():
                place = places[done.index]
                reply = None if last else partner.reply(done, questions[place])
                if reply is None:
                    yield replace(done, index=place), talks[place].attempts
                else:
                    going[place] = talks[place].after(done, reply)
            talks = dict(sorted(going.items()))  # in whatever order they were done


@dataclass(frozen=True)
class _Talk:
    """One conversation, as far as it went."""

    messages: tuple[Message, ...]
    attempts: tuple[Attempt, ...]

    def after(self, done: Completion, reply: Reply) -> _Talk:
        said: Message = {"role": "assistant", "content": done.text}
        attempt = Attempt(
            text=done.text,
            finish=done.finish,
            prompt_tokens=done.usage.prompt_tokens,
            completion_tokens=done.usage.completion_tokens,
            seconds=done.usage.seconds + (reply.call.seconds if reply.call else 0.0),
            problem=reply.problem,
            computed_tokens=done.usage.computed_tokens,
            call=reply.call,
        )
        return _Talk((*self.messages, said, reply.message), (*self.attempts, attempt))
