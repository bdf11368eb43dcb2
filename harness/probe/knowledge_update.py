"""When facts change: what a fitted rung answers when it is asked again with the new corpus."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from harness.answer import Scorer
from harness.errors import ProbeUnavailableError, RungUnavailableError
from harness.evidence import scoring
from harness.ladder.retrieval import Index
from harness.ladder.room import fitting
from harness.ladder.rung import Predictor, Rung
from harness.models.grammar import check_targets
from harness.probe.probe import FittedRun, Probe
from harness.task import Example, Prediction, Task, Update
from harness.values import settings

__all__ = ["KnowledgeUpdate"]

FIELD = "field/"
"""Measures of single fields, where answers have some."""


@settings("probes.knowledge_update")
class KnowledgeUpdate(Probe):
    """The questions of eval once more, without training again, on the day that facts changed.

    The new corpus is indexed; tuned weights stay what they are, and so do worked examples: their
    answers state old facts, and their passages are looked up anew. A rung that reads no corpus
    answers as before, so that it is not asked.
    """

    name: ClassVar[str] = "knowledge_update"
    enabled: bool | None
    update: str = ""
    """SHA-256 of what changed; the task says it."""

    def applies(self, rung: Rung, task: Task) -> bool:
        return True

    def check(self, task: Task) -> None:
        if task.update is None:
            raise ProbeUnavailableError(
                f"task {task.name} brings no facts that change; add task.update: {{facts: FILE}}"
            )

    def of(self, task: Task) -> Probe:
        return replace(self, update=task.update.fingerprint) if task.update else self

    def measure(self, run: FittedRun) -> dict[str, Any]:
        """Raises TaskError for a new target that the constraint would not let a model write."""
        conditions, update = run.conditions, run.conditions.task.update
        assert update is not None, "check() leaves the probe out without one"
        if conditions.constraint:
            check_targets(conditions.constraint, update.eval)
        again = _looks_up(run.predictor.rung)
        predictor, predictions = run.predictor, run.predictions
        if again:
            predictor = _renewed(run, update)
            questions, kept = conditions.task.questions, self.answers("answers")
            predictions = conditions.answer(predictor, questions, run.folder, kept)
        measure, facts, told = _told(run, update, predictions, again)
        restated, ahead = _train(conditions.task, update, facts)
        return {
            "update": update.fingerprint,
            "leaks": update.leaks,
            "asked_again": again,
            "index_seconds": _seconds(predictor.index) if again else None,
            "lowered": list(predictor.lowered) if again else [],
            "restated": restated,
            "ahead": ahead,
            "measure": measure,
            "questions": told,
        }


def _renewed(run: FittedRun, update: Update) -> Predictor:
    """The fitted rung with the new corpus, indexed; it shows no more than fits, as ever."""
    materials = replace(run.predictor.materials, corpus=update.corpus)

    def prepare(rung: Rung) -> Predictor:
        embedder = run.predictor.embedder  # a rung may read the corpus by its tools alone
        index = rung.retrieval.index(update.corpus, embedder) if rung.retrieval else None
        return replace(run.predictor, rung=rung, materials=materials, index=index)

    questions = run.conditions.task.questions
    try:
        rung, lowered = fitting(run.predictor.rung, materials, prepare, [questions])
    except RungUnavailableError as error:  # the run itself stands
        raise ProbeUnavailableError(f"{run.predictor.rung.name}: {error}") from error
    return replace(prepare(rung), lowered=lowered)


def _told(
    run: FittedRun, update: Update, predictions: Sequence[Prediction], again: bool
) -> tuple[str, dict[str, list[str]], list[dict[str, Any]]]:
    """The measure; by question the facts that changed; and what each question's answers are worth
    before and after."""
    old_task = run.conditions.task
    new_task = replace(old_task, eval=update.eval)
    scorer = old_task.materials.answer.scorer()
    before = _values(old_task, run.predictions)
    by_old, by_new = _values(old_task, predictions), _values(new_task, predictions)
    shown = {p.id: p.passages for p in predictions}
    first = next(iter(before.values()))
    measure = old_task.primary if old_task.primary in first else next(iter(first))
    facts = {
        old.id: _facts(scorer, old, new, measure)
        for old, new in zip(old_task.eval, update.eval, strict=True)
    }
    told = [
        {
            "id": e.id,
            "group": e.group,
            "before": before[e.id][measure],
            "after": by_new[e.id][measure],
            "found": _found(e, shown[e.id]) if again and e.gold_passages else None,
            "facts": {
                fact.removeprefix(FIELD): {
                    "before": before[e.id].get(fact, 0.0),
                    "new": by_new[e.id].get(fact, 0.0),
                    "old": by_old[e.id].get(fact, 0.0),
                }
                for fact in facts[e.id]
            },
        }
        for e in update.eval
    ]
    return measure, facts, told


def _values(task: Task, predictions: Sequence[Prediction]) -> dict[str, Mapping[str, float]]:
    return {one.id: one.values for one in scoring.score(task, predictions)}


def _facts(scorer: Scorer, old: Example, new: Example, measure: str) -> list[str]:
    """The measures by which the old answer is no longer right: of its fields, where it has some."""
    values = scorer.each(old.target, new.reference)
    names = [name for name in values if name.startswith(FIELD)] or [measure]
    return [name for name in names if values[name] < 1.0]


def _found(example: Example, passages: Sequence[str]) -> float:
    """The share of the passages that hold the answer which were shown."""
    return len(set(example.gold_passages) & set(passages)) / len(example.gold_passages)


def _train(
    task: Task, update: Update, facts: Mapping[str, Sequence[str]]
) -> tuple[int | None, int | None]:
    """How many training examples rest on passages whose facts changed, so that their answers must
    be written anew; and how many of them state a new fact already, which a rung could have learned.

    None where train names no sources.
    """
    train = task.materials.train
    if not any(e.gold_passages for e in train):
        return None, None
    changed: dict[str, list[Example]] = {}
    for old, new in zip(task.eval, update.eval, strict=True):
        for source in old.gold_passages if facts[old.id] else ():
            changed.setdefault(source, []).append(new)
    scorer = task.materials.answer.scorer()

    def knows(example: Example) -> bool:
        return any(
            scorer.each(example.target, new.reference).get(fact, 0.0) == 1.0
            for source in example.gold_passages
            for new in changed.get(source, ())
            for fact in facts[new.id]
        )

    restated = [e for e in train if any(source in changed for source in e.gold_passages)]
    return len(restated), sum(map(knows, restated))


def _looks_up(rung: Rung) -> bool:
    """Whether it reads the corpus when it answers: by its own search, or by a tool. What a student
    learned of a teacher that does is in its weights."""
    return rung.retrieval is not None or (
        rung.dialogue is not None and "corpus" in rung.dialogue.reads
    )


def _seconds(index: Index | None) -> float:
    """Of indexing; a tool searches without an index that is made before."""
    return index.seconds if index else 0.0
