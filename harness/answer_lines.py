"""Answers that a file has, one on a line: what was answered, and what that took as far as it is
told."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from harness.corpus import name_of
from harness.errors import TaskError
from harness.sources import Row, read_file
from harness.task import COUNTS, Prediction
from harness.values import MOST

__all__ = ["AnswerLine", "read_answer_lines"]

NUMBER = re.compile(r"[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?")
"""As CSV has it: neither 1_000 nor other digits, which Python would take too."""


@dataclass(frozen=True)
class AnswerLine:
    """One line of the file."""

    where: str
    """`file:line`, for messages."""
    prediction: Prediction


def read_answer_lines(path: Path) -> dict[str, AnswerLine]:
    """The answers of a file (JSONL, CSV, Parquet) by the ids of their questions, in its order.

    A line has `id` and `text`, and if they are known `tokens` (of the prompt and of the answer; or
    `prompt_tokens`, `completion_tokens`), `seconds` and `cost`, each from 0 to MOST; what it
    does not tell is `unknown`. Other columns are not read. Raises TaskError with file, line and
    fix.
    """
    found: dict[str, AnswerLine] = {}
    for row in read_file(path):
        line = AnswerLine(row.where, _prediction(row))
        first = found.setdefault(line.prediction.id, line)
        if first is not line:
            raise TaskError(
                f"{row.where}: id '{first.prediction.id}' stands at {first.where} too; keep one of "
                "the two"
            )
    return found


def _prediction(row: Row) -> Prediction:
    """Raises TaskError for a line that is no answer."""
    name = name_of(row.values, "id", row.where)
    if name is None:
        raise TaskError(f"{row.where}: has no 'id'; add the id of the question that it answers")
    text = row.values.get("text")
    if text is None:
        raise TaskError(f"{row.where}: has no 'text'; add the answer to '{name}', as it was given")
    if not isinstance(text, str):
        raise TaskError(
            f"{row.where}: text is {text!r}; it must be text: the answer as it was given"
        )
    prompt, completion = _tokens(row)
    seconds = _amount(row, "seconds")
    found = {"prompt_tokens": prompt, "completion_tokens": completion, "seconds": seconds}
    return Prediction(
        id=name,
        text=text,
        finish="stop",
        prompt_tokens=prompt or 0,
        computed_tokens=0,
        completion_tokens=completion or 0,
        seconds=seconds or 0.0,
        cost=_amount(row, "cost"),
        unknown=tuple(count for count in COUNTS if found.get(count) is None),
    )


def _tokens(row: Row) -> tuple[int | None, int | None]:
    """Of the prompt and of the answer."""
    pair = row.values.get("tokens")
    if isinstance(pair, str):
        pair = pair.strip("[] ").replace(",", " ").split() or None  # CSV has no lists
    if pair is None:
        names = ("prompt_tokens", "completion_tokens")
        prompt, completion = (_count(row, name, row.values.get(name)) for name in names)
        return prompt, completion
    if not isinstance(pair, list) or len(pair) != 2:
        raise TaskError(
            f"{row.where}: tokens is {row.values['tokens']!r}; give two numbers, those of the "
            "prompt and those of the answer: [120, 14]"
        )
    prompt, completion = (_count(row, "tokens", one) for one in pair)
    return prompt, completion


def _count(row: Row, name: str, value: Any) -> int | None:
    """A whole number from 0 up; None where the line has none. Raises TaskError."""
    number = _number(row, name, value, "whole number")
    return None if number is None else int(number)


def _amount(row: Row, name: str) -> float | None:
    """A number from 0 up; None where the line has none. Raises TaskError."""
    number = _number(row, name, row.values.get(name), "number")
    return None if number is None else float(number)


def _number(row: Row, name: str, value: Any, wanted: str) -> Decimal | None:
    if value is None or value == "":
        return None
    number = _exact(value)
    if number is None or (wanted == "whole number" and number != number.to_integral_value()):
        raise TaskError(
            f"{row.where}: {name} is {json.dumps(value, default=str):.60}; give a {wanted} from 0 "
            f"to {MOST}, or leave it out"
        )
    return number


def _exact(value: Any) -> Decimal | None:
    """A number without loss of digits; None for what is none from 0 to MOST."""
    match value:
        case bool():
            return None
        case int() | float() | Decimal():
            number = Decimal(value)
        case str() if NUMBER.fullmatch(value):
            number = Decimal(value)
        case _:
            return None
    return number if number.is_finite() and 0 <= number <= MOST else None
