"""Answers that a file has, one on a line: what was answered, and what that took as far as it is
told."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.corpus import name_of
from harness.errors import TaskError
from harness.sources import Row, read_file
from harness.task import COUNTS, Prediction

__all__ = ["AnswerLine", "read_answer_lines"]


@dataclass(frozen=True)
class AnswerLine:
    """One line of the file."""

    where: str
    """`file:line`, for messages."""
    prediction: Prediction


def read_answer_lines(path: Path) -> dict[str, AnswerLine]:
    """The answers of a file (JSONL, CSV, Parquet) by the ids of their questions, in its order.

    A line has `id` and `text`, and if they are known `tokens` (of the prompt and of the answer; or
    `prompt_tokens`, `completion_tokens`), `seconds` and `cost`; what it does not tell is `unknown`.
    Other columns are not read. Raises TaskError with file, line and fix.
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
    seconds = _number(row, "seconds", row.values.get("seconds"))
    found = {"prompt_tokens": prompt, "completion_tokens": completion, "seconds": seconds}
    return Prediction(
        id=name,
        text=text,
        finish="stop",
        prompt_tokens=int(prompt or 0),
        computed_tokens=0,
        completion_tokens=int(completion or 0),
        seconds=seconds or 0.0,
        cost=_number(row, "cost", row.values.get("cost")),
        unknown=tuple(count for count in COUNTS if found.get(count) is None),
    )


def _tokens(row: Row) -> tuple[float | None, float | None]:
    """Of the prompt and of the answer."""
    pair = row.values.get("tokens")
    if isinstance(pair, str):
        pair = pair.strip("[] ").replace(",", " ").split() or None  # CSV has no lists
    if pair is None:
        names = ("prompt_tokens", "completion_tokens")
        prompt, completion = (_number(row, n, row.values.get(n), whole=True) for n in names)
        return prompt, completion
    if not isinstance(pair, list) or len(pair) != 2:
        raise TaskError(
            f"{row.where}: tokens is {row.values['tokens']!r}; give two numbers, those of the "
            "prompt and those of the answer: [120, 14]"
        )
    prompt, completion = (_number(row, "tokens", one, whole=True) for one in pair)
    return prompt, completion


def _number(row: Row, name: str, value: Any, *, whole: bool = False) -> float | None:
    """A number from 0 up; None where the line has none. Raises TaskError."""
    if value is None or value == "":
        return None
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not (0 <= number < math.inf) or (whole and number != int(number)):
        wanted = "whole number" if whole else "number"
        raise TaskError(
            f"{row.where}: {name} is {json.dumps(value, default=str)}; give a {wanted} from 0 up, "
            "or leave it out"
        )
    return number
