"""Recorded answers to train inputs, of a model that is not here: read, and held against eval."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from harness.errors import ConfigError, LeakError
from harness.evidence.isolation import Isolation, Leak, Pair, long_texts
from harness.ladder.distillation import ANSWERS
from harness.sources import Row, read_file
from harness.task import Passage, Prediction, Task

__all__ = ["leaks_into", "read_answers"]

COUNTS = ("prompt_tokens", "completion_tokens", "seconds")
"""What a line may say of its cost; what it does not say counts as nothing."""


def read_answers(path: str, task: Task) -> tuple[list[Prediction], dict[str, str]]:
    """The answers of a JSONL, CSV or Parquet file with `id` and `text`, and perhaps
    `prompt_tokens`, `completion_tokens` and `seconds`; and by id its `file:line`.

    Raises ConfigError for an id that is unknown, doubled or of eval.
    """
    m = task.materials
    train, sealed = {e.id for e in m.train}, {e.id for e in task.eval}
    places: dict[str, str] = {}
    predictions = []
    for row in read_file(Path(path)):
        prediction = _prediction(row)
        if prediction.id in sealed:
            raise ConfigError(
                f"{row.where}: id '{prediction.id}' is a question of eval; a teacher answers train "
                "alone: take the line out"
            )
        if prediction.id in places:
            raise ConfigError(
                f"{row.where}: id '{prediction.id}' stands at {places[prediction.id]} too; take "
                "one out"
            )
        if prediction.id not in train and not m.left_out:
            raise ConfigError(
                f"{row.where}: id '{prediction.id}' is not in train; fix the id or take the line "
                "out"
            )
        places[prediction.id] = row.where
        predictions.append(prediction)
    return predictions, places


def leaks_into(
    task: Task, isolation: Isolation, answers: Sequence[Prediction], places: Mapping[str, str]
) -> list[Leak]:
    """What of eval stands in answers: its inputs, by the measures of the isolation check, and long
    texts of its targets that no target of train or dev says.

    Raises LeakError if leaks stop a run.
    """
    texts = [Passage(places[p.id], "", p.text, places[p.id]) for p in answers]
    leaks = [*isolation.found_in(task, ANSWERS, texts), *_targets(task, texts)]
    if leaks and isolation.leaks == "stop":
        pair = leaks[0].pair
        more = f", and {len(leaks) - 1} more" if len(leaks) > 1 else ""
        raise LeakError(
            f"{pair.where} holds what {pair.eval_where} is sealed for: {pair.eval_text[:60]!r} / "
            f"{pair.text[:60]!r}{more}; take the line out, or set isolation.leaks=drop to leave "
            "such answers out"
        )
    return leaks


def _targets(task: Task, texts: Sequence[Passage]) -> Iterator[Leak]:
    """Answers that say a long text of a target of eval."""
    m = task.materials
    common = {said for e in (*m.train, *m.dev) for said in long_texts(e.target)}
    sealed = {said: e for e in task.eval for said in long_texts(e.target) if said not in common}
    for text in texts:
        for said in long_texts(text.text):
            if said in sealed:
                e = sealed[said]
                yield Leak(
                    "text", ANSWERS, Pair(e.where, e.target, text.where, text.text, 1.0, 1.0)
                )
                break


def _prediction(row: Row) -> Prediction:
    for name in ("id", "text"):
        if not isinstance(row.values.get(name), str | int) or row.values[name] == "":
            raise ConfigError(f"{row.where}: has no '{name}'; each line needs an id and a text")
    spent = {name: _number(row, name) for name in COUNTS}
    prompt = int(spent["prompt_tokens"])
    answered = int(spent["completion_tokens"])
    return Prediction(
        str(row.values["id"]), str(row.values["text"]), "stop", prompt, prompt, answered,
        spent["seconds"],
    )  # fmt: skip


def _number(row: Row, name: str) -> float:
    try:
        number = float(row.values.get(name) or 0)
    except (TypeError, ValueError):
        number = -1.0
    if not 0 <= number < float("inf"):
        raise ConfigError(
            f"{row.where}: {name} is {row.values[name]!r}; it must be a number from 0 up"
        )
    return number
