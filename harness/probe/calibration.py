"""How probable a rung finds each of the answers that it could give."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from harness.answer import canonical
from harness.answer.schema import validator, violation
from harness.constraint import JsonSchema
from harness.errors import ProbeUnavailableError
from harness.ladder.rung import Rung
from harness.probe.probe import FittedRun, Probe
from harness.progress import Progress
from harness.sampling import sample
from harness.task import Task
from harness.values import AtLeastOne, settings

__all__ = ["Calibration", "Choice", "enumerated", "field_choices", "label_choices"]

SIDE_BY_SIDE = 10
"""Questions whose prompts are put to the engine at once, for what they begin with alike."""
DIGITS = 4
"""Of a log-probability, in nats."""
LABEL = "label"
"""What the choice is called where the whole answer is one."""


@dataclass(frozen=True)
class Choice:
    """Alternatives at one place of one answer."""

    name: str
    """`label`, or the field of a JSON answer."""
    candidates: Sequence[Any]
    texts: Sequence[str]
    """What the model would write for each, from the beginning of the answer."""
    given: Any
    """What the rung has answered; None if that could not be read."""


@settings("probes.calibration")
class Calibration(Probe):
    """ln P of every label behind the real prompt, without the constraint; of the enums of a JSON
    answer likewise, behind the rung's own answer up to that field.

    Labels are cheap; fields of JSON are asked for with `enabled: true`.
    """

    name: ClassVar[str] = "calibration"

    enabled: bool | None
    questions: AtLeastOne
    """Of eval, the same ones for all rungs."""

    def applies(self, rung: Rung, task: Task) -> bool:
        asked_once = rung.dialogue is None  # else the answer stands behind another conversation
        return asked_once and bool(task.materials.answer.labels or enumerated(_schema(task)))

    def cheap(self, rung: Rung, task: Task) -> bool:
        return bool(task.materials.answer.labels)

    def measure(self, run: FittedRun) -> dict[str, Any]:
        """`choices`: for each field (or `label`) its `candidates`, and for each question `id`, the
        place of the answer that was `given` (null: none of them) and ln P of each candidate."""
        engine = run.predictor.engine
        if not engine.capabilities.log_probabilities:
            raise ProbeUnavailableError(f"{engine.name} does not tell how probable answers are")
        questions = sample(run.conditions.task.questions, self.questions)
        answer = run.conditions.task.materials.answer
        labels, schema = answer.labels, _schema(run.conditions.task)
        found: dict[str, dict[str, Any]] = {}
        with Progress(f"{run.predictor.rung.name}: calibration", len(questions)) as progress:
            for start in range(0, len(questions), SIDE_BY_SIDE):
                part = questions[start : start + SIDE_BY_SIDE]
                given = [answer.parse(run.answered[q.id].text).value for q in part]
                choices = [
                    [label_choices(labels, value)] if labels else field_choices(schema, value)
                    for value in given
                ]
                values = engine.log_probabilities(
                    [one.messages for one in run.predictor.render(part)],
                    [[text for choice in asked for text in choice.texts] for asked in choices],
                    ended=bool(labels),
                )
                for question, asked, logs in zip(part, choices, values, strict=True):
                    for choice in asked:
                        own = [round(logs.pop(0), DIGITS) for _ in choice.texts]
                        _note(found, question.id, choice, own)
                progress.advance(len(part))
        return {"choices": found}


def label_choices(labels: Sequence[str], given: Any) -> Choice:
    """The labels of a task, one of which was answered."""
    return Choice(LABEL, labels, labels, given)


def enumerated(schema: Mapping[str, Any]) -> dict[str, list[Any]]:
    """The values of each property of a JSON answer that is one of a list."""
    listed = {name: rules.get("enum", []) for name, rules in schema.get("properties", {}).items()}
    return {name: values for name, values in listed.items() if len(values) > 1}


def field_choices(schema: Mapping[str, Any], given: Any) -> list[Choice]:
    """For each enum that stands in an answer: the answer up to that field, each value in turn, and
    what follows up to the next value, so that tokens end where they do in a whole answer.

    None for an answer that cannot be read or breaks the schema.
    """
    checking = validator(dict(schema))
    if not isinstance(given, dict) or violation(checking, given):
        return []

    def pair(name: str, value: Any) -> str:
        return canonical.text({name: value}, checking)[1:-1]

    whole: dict[str, Any] = json.loads(canonical.text(given, checking))  # in the schema's order
    names = list(whole)
    found = []
    for place, name in enumerate(names):
        candidates = enumerated(schema).get(name)
        if candidates is None:
            continue
        head = "".join(f"{pair(before, whole[before])}," for before in names[:place])
        following = names[place + 1 : place + 2]
        tail = "".join(f",{json.dumps(after, ensure_ascii=False)}:" for after in following) or "}"
        texts = [f"{{{head}{pair(name, value)}{tail}" for value in candidates]
        found.append(Choice(name, candidates, texts, whole[name]))
    return found


def _schema(task: Task) -> Mapping[str, Any]:
    """Of a JSON answer; nothing for other formats."""
    constraint = task.materials.answer.constraint
    return constraint.schema if isinstance(constraint, JsonSchema) else {}


def _note(found: dict[str, dict[str, Any]], name: str, choice: Choice, values: list[float]) -> None:
    told = found.setdefault(choice.name, {"candidates": list(choice.candidates), "questions": []})
    place = choice.candidates.index(choice.given) if choice.given in choice.candidates else None
    told["questions"].append({"id": name, "given": place, "log_probabilities": values})
