"""Recorded answers to train inputs, of a model that is not here: read, and held against eval."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from harness.answer_lines import read_answer_lines
from harness.errors import ConfigError, LeakError
from harness.evidence.isolation import Isolation, Leak, Pair, long_texts
from harness.ladder.distillation import ANSWERS
from harness.task import Passage, Prediction, Task

__all__ = ["leaks_into", "read_answers"]


def read_answers(path: str, task: Task) -> tuple[list[Prediction], dict[str, str]]:
    """The answers of a file, and by id its `file:line`. A count that a line does not tell is 0.

    Raises TaskError for a line that is no answer, ConfigError for an id that is unknown or of eval.
    """
    m = task.materials
    train, sealed = {e.id for e in m.train}, {e.id for e in task.eval}
    lines = read_answer_lines(Path(path))
    for name, line in lines.items():
        if name in sealed:
            raise ConfigError(
                f"{line.where}: id '{name}' is a question of eval; a teacher answers train alone: "
                "take the line out"
            )
        if name not in train and not m.left_out:
            raise ConfigError(
                f"{line.where}: id '{name}' is not in train; fix the id or take the line out"
            )
    # Nothing is known of prefixes that were computed once: as if every prompt was computed whole.
    predictions = [
        replace(one.prediction, computed_tokens=one.prediction.prompt_tokens)
        for one in lines.values()
    ]
    return predictions, {name: line.where for name, line in lines.items()}


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
