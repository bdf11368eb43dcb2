"""Tools that the model calls before it answers, one at a time."""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from harness.answer import canonical
from harness.answer.json_object import first_object
from harness.answer.schema import validator
from harness.constraint import Constraint, Either, JsonSchema, SchemaOfInput
from harness.errors import ConfigError, RungUnavailableError
from harness.ladder.dialogue import Dialogue, Reply
from harness.models.engine import Completion, Engine, Message
from harness.models.grammar import check_constraint
from harness.progress import say_once
from harness.task import Example, Materials, Question
from harness.tool import Call, Opened, Tool, ToolError, objection
from harness.values import AtLeastOne, Count, Positive, settings

__all__ = ["Tools"]

BEGUN = '{"tool"'
"""How a call begins."""
SAID = (
    "Before you answer you may call tools, one at a time, {times} times at most. A call is one "
    'line of JSON, {{"tool": NAME, "arguments": {{…}}}}, and nothing else; you are then told what '
    "it found. When you know enough, write the answer."
)
CUT = "… (cut)"
UNREADABLE = {"tool": "", "arguments": None}


@settings("rung.dialogue")
class Tools(Dialogue):
    """The task's tools: a text of the model is a call of one of them, or the answer.

    Calls are held to a grammar with the answer; where answers are free by `decoding=free`, so are
    calls, and where answers are free text, calls alone are held. What a tool finds, errors too, is
    told in a `tool` turn where the chat template has one, else in a user turn.
    """

    trainable: ClassVar[bool] = False

    times: AtLeastOne
    """Calls before an answer at most; the text after the last one is held to be the answer."""
    call_tokens: AtLeastOne
    """Tokens that a call may take, where that is more than an answer may."""
    seconds: Positive
    """A call may take."""
    characters: AtLeastOne
    """Of what a tool found that the model is shown."""
    required: Count = 0
    """Calls that must come before an answer, of those that `times` allows, where calls are held to
    the grammar."""

    @property
    def reads(self) -> Collection[str]:
        return ("corpus", "tools")

    @property
    def rounds(self) -> int:
        return self.times

    def check(self, materials: Materials) -> None:
        if not materials.tools:
            raise RungUnavailableError("it calls tools, but the task declares none; add task.tools")
        if isinstance(materials.answer.constraint, Either | SchemaOfInput):
            raise RungUnavailableError(
                "it holds calls and answers to one grammar for all questions, but "
                f"{type(materials.answer).__name__} has one for each; leave tools out"
            )
        if any(field.name == "tool" for field in materials.answer.fields):
            raise ConfigError(
                "the answer's schema has a field 'tool', by which a call is told from an answer; "
                "rename the field"
            )
        opened(materials)
        try:
            check_constraint(_calls(materials.tools))
        except ConfigError as error:
            raise ConfigError(f"task.tools: parameters: {error}") from error

    def introduced(self, instructions: str, materials: Materials) -> str:
        about = [
            f"{name}: {' '.join(tool.description.split())} Arguments: "
            f"{json.dumps(tool.parameters['properties'], ensure_ascii=False)}"
            for name, tool in materials.tools.items()
        ]
        said = SAID.format(times=self.times)
        return "\n\n".join([instructions, said, "Tools:\n" + "\n".join(about)])

    def worked(
        self, examples: Sequence[Example], materials: Materials, engine: Engine
    ) -> Mapping[str, Sequence[Message]]:
        """The calls of each worked example, as many as the model may make, and what they find."""
        caller = self.partner(engine, materials, None)
        calls = validator(dict(_calls(materials.tools).schema))
        turns: dict[str, list[Message]] = {}
        for example in examples:
            for use in example.calls[: self.times]:
                said = canonical.text(use.record(), calls)
                call = caller.call(use.tool, use.arguments)
                if call.failed:
                    say_once(
                        f"warning: {example.where}: its call of {use.tool} fails when it is made "
                        f"again ({call.result}), and is shown like that; fix the line or the tool"
                    )
                told = caller.told(call)
                turns.setdefault(example.id, []).extend(
                    [{"role": "assistant", "content": said}, told]
                )
        return turns

    def partner(
        self, engine: Engine, materials: Materials, constraint: Constraint | None
    ) -> _Caller:
        free = constraint is None and materials.answer.constraint is not None
        held: Either | None = None
        if not free and engine.capabilities.constrainable:
            assert not isinstance(constraint, Either | SchemaOfInput), "refused by `check`"
            held = Either(_calls(materials.tools), constraint)
        return _Caller(self, materials, opened(materials), constraint, held, engine)

    def room(self, materials: Materials) -> int:
        return self.times * (max(materials.max_new_tokens, self.call_tokens) + self.characters)


@dataclass(frozen=True)
class _Caller:
    """Whoever makes the calls that a model asks for."""

    limits: Tools
    materials: Materials
    ready: Mapping[str, Opened]
    constraint: Constraint | None
    either: Either | None
    engine: Engine

    def budget(self, *, last: bool) -> int:
        most = self.materials.max_new_tokens
        return most if last else max(most, self.limits.call_tokens)

    def held(self, turn: int, *, last: bool) -> Constraint | None:
        if last:
            return self.constraint
        if self.either and turn < self.limits.required:
            return self.either.object
        return self.either

    def reply(self, done: Completion, question: Question) -> Reply | None:
        use = first_object(done.text).value
        if not (isinstance(use, dict) and "tool" in use):
            if not done.text.lstrip().startswith(BEGUN):
                return None
            use = UNREADABLE  # a call that was cut off, or is no JSON
        elif not _is_unicode(use):
            use = UNREADABLE
        call = self.call(use["tool"], use.get("arguments"))
        return Reply(self.told(call), call.result if call.failed else None, call)

    def call(self, name: Any, arguments: Any) -> Call:
        """Make one call; whatever goes wrong is its result."""
        began = time.perf_counter()
        try:
            result, failed = self._find(name, arguments), False
        except ToolError as error:
            result, failed = f"error: {error}", True
        most = self.limits.characters
        if len(result) > most:
            result = result[: max(0, most - len(CUT))] + CUT
        result = result.encode(errors="replace").decode()  # a function may return what is no text
        return Call(str(name), arguments, result, failed, time.perf_counter() - began)

    def told(self, call: Call) -> Message:
        if self.engine.capabilities.tool_turns:
            return {"role": "tool", "content": call.result}
        return {"role": "user", "content": f"{call.tool or 'tool'}: {call.result}"}

    def _find(self, name: Any, arguments: Any) -> str:
        """Raises ToolError."""
        if not name:
            raise ToolError("this is no call; write one line of JSON")
        if name not in self.ready:
            raise ToolError(f"there is no tool {name!r}; there are {', '.join(self.ready)}")
        if problem := objection(self.materials.tools[name], arguments):
            raise ToolError(problem)
        return self.ready[name](arguments, self.limits.seconds)


def opened(materials: Materials) -> dict[str, Opened]:
    """The tools, ready to be called. Raises ConfigError for one that the task cannot have."""
    passages = [str(passage) for passage in materials.corpus]
    return {name: tool.opened(passages) for name, tool in materials.tools.items()}


def _is_unicode(value: Any) -> bool:
    """Whether a JSON value can be written down: escapes may stand for half a character."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _calls(tools: Mapping[str, Tool]) -> JsonSchema:
    """What a call may be."""
    return JsonSchema(
        {
            "anyOf": [
                {
                    "type": "object",
                    "properties": {"tool": {"const": name}, "arguments": dict(tool.parameters)},
                    "required": ["tool", "arguments"],
                    "additionalProperties": False,
                }
                for name, tool in tools.items()
            ]
        }
    )
