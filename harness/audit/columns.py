"""Targets as columns: the label of each, or each field of a JSON answer."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence

from harness.answer.format import Answer
from harness.task import Example, Materials

__all__ = ["classes", "parsed", "shown", "texts"]

FEWEST = 5
"""Examples that a value must have for a classifier to learn it."""
COVERED = 0.5
"""Share of the examples whose values are that frequent, from which a field is a class."""


def parsed(answer: Answer, examples: Sequence[Example]) -> dict[str, dict[str, str]]:
    """By field, the value of each example that has it, by id; values as JSON text.

    A label is one field called `label`; free text has no field.
    """
    if answer.labels is not None:
        return {"label": {example.id: example.target for example in examples}}
    if not answer.fields:
        return {}
    columns: dict[str, dict[str, str]] = {field.name: {} for field in answer.fields}
    for example in examples:
        for name, value in json.loads(example.target).items():
            if name in columns:
                columns[name][example.id] = json.dumps(value, ensure_ascii=False)
    return columns


def classes(materials: Materials) -> dict[str, dict[str, str]]:
    """The columns of train whose values are classes: they repeat, and there are several."""
    columns = parsed(materials.answer, materials.train)
    if materials.answer.fields:
        free = {field.name for field in materials.answer.fields if field.check == "style"}
        columns = {name: column for name, column in columns.items() if name not in free}
    return {name: column for name, column in columns.items() if _repeats(column)}


def texts(materials: Materials, examples: Sequence[Example]) -> dict[str, dict[str, str]]:
    """The columns that are free text, by id: whole targets, or the strings of a JSON field whose
    values are no classes. Labels have none."""
    if materials.answer.labels is not None:
        return {}
    if not materials.answer.fields:
        return {"target": {example.id: example.target for example in examples}}
    known = classes(materials)
    columns = parsed(materials.answer, examples)
    return {
        name: {i: text for i, value in column.items() if isinstance(text := json.loads(value), str)}
        for name, column in columns.items()
        if name not in known
    }


def shown(value: str) -> str:
    """A value as a reader writes it: JSON text of a string without its quotes."""
    return value[1:-1] if value[:1] == value[-1:] == '"' and len(value) > 1 else value


def _repeats(column: Mapping[str, str]) -> bool:
    counts = Counter(column.values())
    frequent = [count for count in counts.values() if count >= FEWEST]
    return len(frequent) >= 2 and sum(frequent) >= COVERED * len(column)
