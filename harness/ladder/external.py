"""Answers that were made elsewhere: read from a file, scored like any rung's."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from harness.answer_lines import AnswerLine, read_answer_lines
from harness.errors import ConfigError, TaskError
from harness.files import file_sha256
from harness.ladder.baselines import Baseline
from harness.ladder.rung import Rung
from harness.models.embedder import Embedder
from harness.progress import say_once
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


@settings("rung")
class External(Baseline):
    """Answers of whatever answered elsewhere. No model is loaded, and none is part of the run."""

    kind: ClassVar[str] = "external"
    shows: ClassVar[str] = "answers that were made elsewhere"
    recorded: ClassVar[bool] = True

    predictions: str
    """JSONL or CSV, a line for each question, as `read_answer_lines` has them."""

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
        return file_sha256(self._readable)

    @cached_property
    def lines(self) -> Mapping[str, AnswerLine]:
        """The file by the ids of its questions. Raises TaskError with file, line and fix."""
        found = read_answer_lines(self._readable)
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
