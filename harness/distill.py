"""Has a rung's teacher answer the inputs of train, before the rung is fitted."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from harness.answer import Answer
from harness.conditions import Conditions
from harness.errors import ConfigError, RungUnavailableError
from harness.evidence import scoring
from harness.evidence.isolation import Certificate, Isolation, Leak
from harness.files import alone, write_whole
from harness.job import Job, identity
from harness.ladder.distillation import ANSWERS, Distilled, Graded, Spent, Teaching
from harness.ladder.rung import Predictor, Rung
from harness.record.results import RunFolder
from harness.recorded_answers import leaks_into, read_answers
from harness.task import Materials, Prediction, Task
from harness.trials import Candidate

__all__ = ["sealed", "taught", "told"]

FOLDER = "taught"
"""Beside the rungs' folders: what teachers answered, shared by rungs and seeds."""
KEPT = "train.jsonl"
"""The answers of one teacher, a line each, appended as they come."""
DONE = "teacher.json"
"""Written last: what fitting the teacher took. Without it answering goes on where it stopped."""
LEAST = 4
"""Examples: fewer are not even a batch."""


def sealed(job: Job, task: Task, certificate: Certificate) -> tuple[Job, Certificate]:
    """The job without recorded answers that hold something of eval, where leaks are dropped, and
    the certificate of its task with what was found in them.

    What is left out is part of a candidate's settings, and so of the identity of a run. Raises
    LeakError if leaks stop a run, ConfigError for a file that cannot be used.
    """
    candidates = []
    for one in job.candidates:
        transform = one.rung.transform
        if not isinstance(transform, Distilled) or transform.answers is None:
            candidates.append(one)
            continue
        predictions, places = read_answers(transform.answers, job.task)
        leaks = leaks_into(task, job.isolation, predictions, places)
        certificate = _widened(certificate, leaks, len(predictions), job.isolation)
        if leaks and job.isolation.leaks == "drop":
            leaking = {leak.pair.where for leak in leaks}
            gone = [name for name, place in places.items() if place in leaking]
            changed = replace(one.rung, transform=replace(transform, leaked=gone))
            settings = {**one.settings, "leaked": gone}
            candidates.append(replace(one, rung=changed, settings=settings))
        else:
            candidates.append(one)
    return replace(job, candidates=candidates), certificate


def taught(job: Job, conditions: Conditions, fingerprints: Mapping[str, str]) -> Job:
    """The job, with what its teachers answered in every transform that distils.

    `fingerprints` are those of the sealed task. Answers of a rung are kept in a folder beside the
    runs and asked for once. Raises RungUnavailableError where too few are kept, ConfigError where
    they cannot be graded.
    """
    candidates = []
    for one in job.candidates:
        transform = one.rung.transform
        if not isinstance(transform, Distilled):
            candidates.append(one)
            continue
        if transform.teacher:
            teaching = _asked(transform.teacher, one, job, conditions, fingerprints)
        else:
            teaching = _recorded(str(transform.answers), job, conditions)
        filled = replace(transform, teaching=teaching)
        _check(filled, teaching, conditions.task)
        candidates.append(replace(one, rung=replace(one.rung, transform=filled)))
    return replace(job, candidates=candidates)


def told(rung: Rung, materials: Materials) -> dict[str, Any] | None:
    """What a manifest says of a rung's teacher; None if it has none."""
    transform = rung.transform
    return transform.told(materials) if isinstance(transform, Distilled) else None


def _widened(
    certificate: Certificate, leaks: Sequence[Leak], lines: int, isolation: Isolation
) -> Certificate:
    """The certificate with recorded answers, and what of eval stands in them."""
    new = tuple(leak for leak in leaks if leak not in certificate.leaks)
    compared = {**certificate.compared, ANSWERS: lines}
    decision = {"drop": "dropped", "allow": "allowed"}[isolation.leaks] if new else None
    return replace(
        certificate,
        compared=compared,
        leaks=(*certificate.leaks, *new),
        decision=decision or certificate.decision,
    )


def _asked(
    teacher: Rung,
    candidate: Candidate,
    job: Job,
    conditions: Conditions,
    fingerprints: Mapping[str, str],
) -> Teaching:
    """What a rung answers, under the same conditions as all rungs; no example is shown itself."""
    task = conditions.task
    asked = replace(conditions, task=replace(task, eval=task.materials.train, metrics=()))
    determining = _identity(teacher, candidate, job, fingerprints)
    folder = RunFolder.of(job.root, task.name, FOLDER, determining)
    with alone(folder.path, "answers"):
        if conditions.trainings.again(folder.path):
            shutil.rmtree(folder.path, ignore_errors=True)
        folder.path.mkdir(exist_ok=True)
        write_whole(folder.path / "identity.json", json.dumps(determining, indent=1))
        if not (folder.path / DONE).exists():
            predictor = asked.fit(teacher, 0, folder.path)
            asked.answer(predictor, asked.task.questions, folder, KEPT)
            folder.write(DONE, json.dumps({"fitting_seconds": _fitting(predictor)}))
        predictions = folder.predictions(KEPT)
    fitting = float(folder.read(DONE)["fitting_seconds"])
    return Teaching(_graded(predictions, conditions), _spent(predictions, fitting))


def _recorded(path: str, job: Job, conditions: Conditions) -> Teaching:
    """What a file says, of the train that there is: of a share, say."""
    here = {e.id for e in conditions.task.materials.train}
    predictions = [p for p in read_answers(path, job.task)[0] if p.id in here]
    told = [p.cost for p in predictions if p.cost is not None]
    cost = sum(told) if len(told) == len(predictions) else None
    spent = replace(_spent(predictions, 0.0), cost=cost, elsewhere=True)
    return Teaching(_graded(predictions, conditions), spent)


def _identity(
    teacher: Rung, candidate: Candidate, job: Job, fingerprints: Mapping[str, str]
) -> dict[str, Any]:
    """Everything that determines a teacher's answers: neither eval nor how answers are scored, but
    what they are held to."""
    settings = candidate.settings["transform"]["teacher"]
    alone = replace(
        job, candidates=[Candidate(teacher, settings, "")], dev_questions=0, seed=0, control=None
    )
    determining = identity(alone, dict(fingerprints))
    read = {k: v for k, v in determining["task"].items() if k not in ("eval", "scoring")}
    answer = job.task.materials.answer
    return determining | {
        "task": read | {"train": fingerprints["train"]},
        "answer": [type(answer).__name__, answer.rules],
    }


def _graded(predictions: Sequence[Prediction], conditions: Conditions) -> dict[str, Graded]:
    """Each answer as a target, and what it is worth."""
    task = conditions.task
    answered = {p.id: p for p in predictions}
    train = tuple(e for e in task.materials.train if e.id in answered)
    scores = scoring.score(replace(task, eval=train), predictions)
    targets = {i: _target(task.materials.answer, p) for i, p in answered.items()}
    written = list(dict.fromkeys(t for t in targets.values() if t is not None))
    tokens = dict(zip(written, conditions.engine.count_answers(written), strict=True))
    most = task.materials.max_new_tokens
    fitting = {i: t if t is not None and tokens[t] <= most else None for i, t in targets.items()}
    return {s.id: Graded(fitting[s.id], s.values.get(task.primary)) for s in scores}


def _target(answer: Answer, prediction: Prediction) -> str | None:
    """An answer as a target is written; None for one that cannot be one."""
    if prediction.error or prediction.finish != "stop":
        return None
    value = answer.parse(prediction.text).value
    if value in (None, ""):
        return None
    try:
        return answer.write(value)
    except ValueError:
        return None


def _check(transform: Distilled, teaching: Teaching, task: Task) -> None:
    told = transform.told(task.materials)
    unscored = all(answer.score is None for answer in teaching.answers.values())
    if transform.min_score is not None and teaching.answers and unscored:
        raise ConfigError(
            f"rung.transform.min_score={transform.min_score}: {task.primary} has no value for a "
            "single answer; set rung.transform.min_score=null, or another task.primary"
        )
    if told["kept"] < LEAST:
        counts = ", ".join(f"{told[name]} {name}" for name in ("unparsed", "below", "leaked"))
        raise RungUnavailableError(
            f"of {told['answered']} answers of its teacher {transform.name} {told['kept']} are "
            f"left to learn from ({counts}); lower rung.transform.min_score="
            f"{transform.min_score}, or name a better rung.transform.teacher"
        )


def _fitting(predictor: Predictor) -> float:
    """Seconds of a teacher's index and training."""
    curve = predictor.training.curve if predictor.training else None
    index = predictor.index.seconds if predictor.index else 0.0
    return index + (curve.seconds if curve else 0.0)


def _spent(predictions: Sequence[Prediction], fitting: float) -> Spent:
    unknown = {name for p in predictions for name in p.unknown}

    def total(name: str) -> int | None:
        return None if name in unknown else sum(getattr(p, name) for p in predictions)

    seconds = None if "seconds" in unknown else sum(p.seconds for p in predictions) + fitting
    return Spent(
        total("prompt_tokens"), total("computed_tokens"), total("completion_tokens"), seconds
    )
