"""Answers that were made elsewhere: read from a file, scored like any rung's."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from harness.corpus import name_of
from harness.errors import ConfigError, TaskError
from harness.ladder.baselines import Baseline
from harness.ladder.rung import Rung
from harness.models.embedder import Embedder
from harness.progress import say_once
from harness.sources import Row, read_file
from harness.task import COUNTS, Materials, Prediction, Question
from harness.values import settings

__all__ = ["External", "answered_elsewhere"]

SUFFIXES = (".jsonl", ".csv")


def answered_elsewhere(name: str, predictions: str | None, place: int) -> Rung:
    """The rung of one file of answers. Raises ConfigError if no file is named."""
    if predictions is None:
        raise ConfigError(
            "rung.predictions=null: which answers? fix: rung.predictions=FILE, JSONL or CSV with "
            "id and text; `python -m harness.questions` writes the questions"
        )
    return Rung(name, "full", place, baseline=External(predictions))


@dataclass(frozen=True)
class Line:
    """One line of the file."""

    where: str
    """`file:line`, for messages."""
    prediction: Prediction


@settings("rung")
class External(Baseline):
    """Answers of whatever answered elsewhere. No model is loaded, and none is part of the run."""

    kind: ClassVar[str] = "external"
    shows: ClassVar[str] = "answers that were made elsewhere"
    recorded: ClassVar[bool] = True

    predictions: str
    """JSONL or CSV, a line for each question: `id`, `text`; if they are known `tokens` (of prompt
    and of answer; or `prompt_tokens`, `completion_tokens`), `seconds`, `cost`. Other columns are
    not read."""

    @property
    def reads(self) -> Collection[str]:
        return ()

    def labelled(self, materials: Materials) -> int:
        """None here; what was used elsewhere is not known, and the manifest says so."""
        return 0

    def check(self, materials: Materials) -> None:
        """Raise TaskError or ConfigError for a file that cannot be read."""
        _ = self.lines

    @cached_property
    def content(self) -> str:
        """SHA-256 of the file."""
        return hashlib.sha256(self._readable.read_bytes()).hexdigest()

    @cached_property
    def lines(self) -> Mapping[str, Line]:
        """The file by the ids of its questions. Raises TaskError with file, line and fix."""
        found: dict[str, Line] = {}
        for row in read_file(self._readable):
            line = Line(row.where, _prediction(row))
            known = found.setdefault(line.prediction.id, line)
            if known is not line:
                raise TaskError(
                    f"{row.where}: id '{known.prediction.id}' stands at {known.where} too; keep "
                    "one of the two"
                )
        if not found:
            raise TaskError(f"{self.predictions}: holds no answer; write one line a question")
        return found

    @cached_property
    def _readable(self) -> Path:
        path = Path(self.predictions)
        if path.suffix not in SUFFIXES:
            raise ConfigError(
                f"rung.predictions={path}: cannot be read; fix: a file that ends in "
                f"{' or '.join(SUFFIXES)}"
            )
        try:
            path.open("rb").close()
        except OSError as error:
            raise ConfigError(
                f"rung.predictions={path}: cannot be read ({error.strerror}); fix the path"
            ) from error
        return path

    def check_questions(self, asked: Sequence[Question], beyond: Collection[str]) -> None:
        """Raise TaskError for an answer to no question; say how many questions have no answer."""
        ids = [question.id for question in asked]
        expected = {*ids, *beyond}
        for name, line in self.lines.items():
            if name not in expected:
                raise TaskError(
                    f"{line.where}: id '{name}' is none of the {len(expected)} eval questions; fix "
                    "the id or take the line out (`python -m harness.questions` writes them)"
                )
        missing = [name for name in ids if name not in self.lines]
        if missing:
            say_once(
                f"{self.predictions}: has no answer to {len(missing)} of {len(ids)} questions, "
                f"first '{missing[0]}'; they count as wrong"
            )

    def answers(
        self, materials: Materials, questions: Sequence[Question], embedder: Embedder
    ) -> list[str]:
        return [p.text for p in self.predict(materials, questions, embedder)]

    def predict(
        self, materials: Materials, questions: Sequence[Question], embedder: Embedder
    ) -> Iterator[Prediction]:
        """What the file has; a question without a line gets a failed prediction."""
        for question in questions:
            line = self.lines.get(question.id)
            yield line.prediction if line else self._none(question)

    def record(
        self, manifest: Mapping[str, Any], predictions: Sequence[Prediction]
    ) -> dict[str, Any]:
        """What is known of a run that happened elsewhere: hardly anything."""
        missing = sum(p.error is not None for p in predictions)
        seconds = [p.seconds for p in predictions if not p.error and "seconds" not in p.unknown]
        told = len(seconds) == len(predictions) - missing
        return {
            "external": {
                "file": self.predictions,
                "sha256": self.content,
                "answers": len(predictions) - missing,
                "missing": missing,
            },
            "isolation": {**manifest["isolation"], "decision": "unknown"},
            "seconds": {**manifest["seconds"], "answer": sum(seconds) if told else None},
            **dict.fromkeys(
                ("decoding", "max_new_tokens", "labelled", "parameters", "peak_memory_mb")
            ),
        }

    def _none(self, question: Question) -> Prediction:
        why = f"no answer in {self.predictions}"
        return Prediction(question.id, "", "error", 0, 0, 0, 0.0, error=why, unknown=COUNTS)


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
    except (TypeError, ValueError):
        number = math.nan
    if not (0 <= number < math.inf) or (whole and number != int(number)):
        wanted = "whole number" if whole else "number"
        raise TaskError(
            f"{row.where}: {name} is {json.dumps(value)}; give a {wanted} from 0 up, or leave it "
            "out"
        )
    return number
