"""Long answers of eval where no rung should find them.

An answer may stand where it is to be found: a corpus holds facts, and train says many things that
eval's targets say too. What is suspected is an answer that is long enough to be nobody else's
(never a label, a number, a name), that no target of train or dev says, and that stands in the
instructions; in the input of another example; or in a passage that its example does not name as a
source, together with much of the question.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness.evidence.isolation.certificate import INSTRUCTIONS, Leak, Pair, text_of
from harness.evidence.isolation.features import chunks, grams, lines
from harness.evidence.isolation.letters import normalize
from harness.evidence.isolation.table import NEVER, Table
from harness.task import Example, Passage, Task

__all__ = ["LONG", "in_instructions", "in_rows", "long_texts", "secrets"]

LONG = 40
"""Letters of a text, normalized, from which nobody writes the same by chance."""
TELLING = 20
"""The same in instructions, which are short, and were written by someone who can look."""
WORDS = 4
"""Of such an answer at least."""
NEARLY = 0.9
"""Share of an answer's n-grams that say it."""
ASKED = 0.5
"""Share of a question's n-grams that, with the answer, make a passage one that was written from
eval."""


def long_texts(text: str, letters: int = LONG) -> Iterator[str]:
    """The long texts that an answer says, normalized: itself, or the values of a JSON answer."""
    try:
        value = json.loads(text)
    except ValueError:
        value = text
    for leaf in _leaves(value):
        if len(said := normalize(leaf)) >= letters:
            yield said


def secrets(task: Task, letters: int) -> Mapping[str, Example]:
    """The long texts that targets of eval say, and neither their inputs nor any target of train or
    dev; of label tasks none."""
    m = task.materials
    if m.answer.labels is not None:
        return {}
    common = {said for e in (*m.train, *m.dev) for said in long_texts(e.target, letters)}
    return {
        said: e
        for e in task.eval
        for said in long_texts(e.target, letters)
        if said not in common
        and len(said.split()) >= WORDS
        and f" {said} " not in f" {normalize(e.input)} "
    }


def in_instructions(task: Task) -> list[Leak]:
    """Answers of eval that instructions say: those of TELLING letters and more word by word, those
    of LONG letters nearly."""
    hidden = secrets(task, TELLING)
    if not hidden:
        return []
    said, told = list(hidden), task.materials.instructions
    texts = lines(list(told.values()))
    table = Table(grams, lines(said), NEVER, NEARLY)
    nearly = {
        (i, j)
        for i, j, _, containment in table.matches(texts)
        if containment >= NEARLY and len(said[j]) >= LONG
    }
    return [
        Leak("answer", INSTRUCTIONS, Pair(hidden[text].where, text, told_in(name), whole, 0.0, 1.0))
        for i, (name, whole) in enumerate(told.items())
        for j, text in enumerate(said)
        if (i, j) in nearly or f" {text} ".encode() in b" " + texts[i] + b" "
    ]


def told_in(name: str) -> str:
    """Where a variant of the instructions stands."""
    return f"instructions.{name}.md"


def in_rows(
    hidden: Mapping[str, Example], split: str, rows: Sequence[Example | Passage]
) -> list[Leak]:
    """Answers of eval, by their `secrets`, that inputs or passages say nearly word by word."""
    if not hidden:
        return []
    said = list(hidden)
    table = Table(grams, lines(said), NEVER, NEARLY)
    found = []
    for start, chunk in chunks([text_of(row) for row in rows]):
        for i, j, _, containment in table.matches(chunk):
            row, e = rows[start + i], hidden[said[j]]
            if containment >= NEARLY and (isinstance(row, Example) or _answers(row, e)):
                pair = Pair(e.where, said[j], row.where, text_of(row), 0.0, containment)
                found.append(Leak("answer", split, pair))
    return found


def _answers(passage: Passage, e: Example) -> bool:
    """Whether a passage with the answer is no source of the example and has its question too."""
    if passage.id in e.gold_passages:
        return False
    question, text = ({*grams(lines([text]))[0]} for text in (e.input, passage.text))
    return len(question & text) >= ASKED * len(question)


def _leaves(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            for each in value.values():
                yield from _leaves(each)
        case list():
            for each in value:
                yield from _leaves(each)
