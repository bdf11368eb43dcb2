"""Fields of JSON answers that are copied from the input, and values that are not in it."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence

from harness.answer.format import Answer
from harness.audit.columns import parsed, shown
from harness.audit.finding import Finding, quote
from harness.evidence.isolation import normalize
from harness.task import Example, Materials

__all__ = ["inside", "not_in_input", "strangers"]

CUSTOM = 0.75
"""Share of its values that must stand in their inputs for a field to be one that is copied."""
FEWEST = 10
"""Values that are not null, from which that can be said."""
DIGITS = 3
"""So many digits say the same with or without what stands around them."""


def strangers(materials: Materials, examples: Sequence[Example]) -> dict[str, dict[str, str]]:
    """By field that is copied from the input in train, the values that are not in theirs, by id."""
    if not materials.answer.fields:
        return {}
    fields = _copied(materials.answer, materials.train)
    columns = parsed(materials.answer, examples)
    inputs = {example.id: example.input for example in examples}
    return {name: _missing(columns[name], inputs) for name in fields}


def not_in_input(materials: Materials) -> list[Finding]:
    """Values of train and dev that others copy from the input, and that are not in theirs."""
    examples = [*materials.train, *materials.dev]
    where = {example.id: example for example in examples}
    found = []
    for name, column in strangers(materials, examples).items():
        for i, value in column.items():
            text = f"{name} {shown(value)} is not in {quote(where[i].input, 100)}"
            found.append(Finding("not in input", (where[i].where,), text))
    return found


def inside(value: str, text: str) -> bool:
    """Whether a text holds a value: its words, or at least its digits."""
    digits = "".join(filter(str.isdigit, value))
    return normalize(value) in normalize(text) or (len(digits) >= DIGITS and digits in text)


def _copied(answer: Answer, train: Sequence[Example]) -> Collection[str]:
    """Names of the fields that are copied from the input."""
    inputs = {example.id: example.input for example in train}
    found = []
    for name, column in parsed(answer, train).items():
        texts = [value for value in column.values() if value.startswith('"')]
        missing = _missing(column, inputs)
        if len(texts) >= FEWEST and len(missing) <= (1 - CUSTOM) * len(texts):
            found.append(name)
    return found


def _missing(column: Mapping[str, str], inputs: Mapping[str, str]) -> dict[str, str]:
    """Of a column of JSON values: the texts that are not in their inputs, by id."""
    return {
        i: value
        for i, value in column.items()
        if value.startswith('"') and not inside(json.loads(value), inputs[i])
    }
