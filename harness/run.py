"""One job: one task, one rung, one model, one seed; one result on disk."""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from operator import itemgetter
from pathlib import Path
from typing import Any

from harness import __version__
from harness.errors import ConfigError, HarnessError
from harness.evidence import scoring
from harness.evidence.contrasts import Contrasts
from harness.evidence.cost import Monitor
from harness.evidence.isolation import Certificate, Isolation
from harness.ladder.controls import Control, controls
from harness.ladder.rung import Predictor, Rung
from harness.models.embedder import Embedder
from harness.models.local import LocalModel, ModelSpec, load_model
from harness.models.memory import keep_freed_memory
from harness.progress import Progress, silence_libraries
from harness.record import ledger, provenance
from harness.record.results import PREDICTIONS, RunFolder
from harness.task import Prediction, Question, Task

__all__ = ["Job", "run"]


@dataclass(frozen=True)
class Job:
    """What is to be run; all that the command line decided."""

    task: Task
    rung: Rung
    model: ModelSpec
    embedder: Embedder
    isolation: Isolation
    contrasts: Contrasts
    controls: bool | None
    """Which controls run beside the rung: all, none or (None) those that train nothing."""
    dev_questions: int
    """How many questions of dev an untuned rung answers: the best of them is chosen there."""
    seed: int
    batch_size: int | None
    force: bool
    root: Path
    config: str
    """The resolved configuration as YAML."""
    settings: Any
    """The rung's part of it, as plain data; it determines the result."""
    variant: str
    """What the command line changed beside task, rung, model and seed; for people."""
    sweep: str
    """Which sweep this job belongs to."""
    command: str
    """What to type to get this run again."""
    control: Control | None = None
    """What this job is a control of, if it is one."""

    def beside(self, folder: RunFolder) -> Iterator[Job]:
        """The jobs of the controls that belong beside this one, which has left `folder`.

        They have the first seed, whatever the rung's: they are there to expose, not to estimate.
        """
        scored = folder.read("metrics.json")["all"][self.task.primary]["value"] > 0
        for control in controls(self.rung, self.task, self.controls, scored):
            settings = {"control": control.kind}
            if control.of:
                settings["of"] = self.settings
            yield replace(self, rung=control.rung, settings=settings, seed=0, control=control)


_forced: set[tuple[str, Path]] = set()
"""By sweep: jobs that share a run (a control, a rung without a seed) force it once."""


def run(job: Job) -> RunFolder:
    """Answer and score the sealed eval set; a finished run is not run again.

    An interrupted run goes on where it stopped: training from its last checkpoint, answering from
    its last prediction. Raises HarnessError for what the user can mend.
    """
    task, certificate = job.isolation.seal(job.task)
    fingerprints = task.fingerprints()
    identity = _identity(job, fingerprints)
    folder = RunFolder.of(job.root, task.name, job.rung.name, identity)
    force = job.force and (job.sweep, folder.path) not in _forced
    if folder.complete and not force:
        return folder
    if force:
        _forced.add((job.sweep, folder.path))
    keep_freed_memory()
    silence_libraries()
    folder.start(job.config, force=force)
    folder.keep_eval(fingerprints["eval"], task.eval)
    began = time.perf_counter()
    with Monitor() as monitor:
        model = load_model(job.model)
        _check_budget(task, model)
        predictor = job.rung.fit(task.materials, model, job.embedder, job.seed, folder.path)
        fitted = time.perf_counter() - began
        dev = _on_dev(job, task, folder, predictor)
        predictions = _answer(folder, predictor, job.rung.questions(task.eval), job.batch_size)
    scores = scoring.score(task, predictions)
    metrics = scoring.metrics(task, predictions, scores)
    if predictor.index:
        metrics |= scoring.retrieval(task, predictions)
    manifest = _manifest(job, task, certificate, predictor) | {
        "run": folder.path.relative_to(job.root).as_posix(),
        "identity": identity,
        "fingerprints": fingerprints,
        "seed": identity["seed"],
        "n": len(predictions),
        "dev": dev,
        "seconds": {
            "fit": fitted,
            "answer": sum(p.seconds for p in predictions),
            "total": time.perf_counter() - began,
        },
        "peak_memory_mb": monitor.peak_memory_mb,
    }
    folder.finish(scores, metrics, scoring.slices(task, scores), manifest, monitor.samples)
    ledger.record(folder.path.parents[1], manifest)
    return folder


def _identity(job: Job, fingerprints: dict[str, str]) -> dict[str, Any]:
    """Everything that determines the result."""
    return {
        "harness": __version__,
        "task": fingerprints,
        "model": [job.model.weights.fingerprint(), job.model.dtype],
        "embedder": job.embedder.weights.fingerprint() if job.rung.embeds else None,
        "rung": job.settings,
        "seed": job.seed if job.rung.random else None,
    }


def _answer(
    folder: RunFolder,
    predictor: Predictor,
    questions: Sequence[Question],
    batch_size: int | None,
    kept: str = PREDICTIONS,
) -> list[Prediction]:
    """All predictions: those an interrupted run left, and the rest."""
    done = folder.predictions(kept)
    answered = {p.id for p in done}
    rest = [q for q in questions if q.id not in answered]
    what = f"{predictor.rung.name}: answering{'' if kept == PREDICTIONS else ' dev'}"
    with Progress(what, len(questions), unit="question") as progress:
        progress.update(len(done))
        for prediction in folder.append(_surely(predictor, rest, batch_size, bool(done)), kept):
            done.append(prediction)
            progress.advance()
    return done


def _on_dev(job: Job, task: Task, folder: RunFolder, predictor: Predictor) -> dict[str, Any] | None:
    """The primary metric on the first questions of dev: there the best untuned rung is chosen.

    None for tuned rungs, which have seen dev, and for controls.
    """
    examples = task.materials.dev[: job.dev_questions]
    if not (examples and job.contrasts.best_untuned) or job.control or job.rung.adapter:
        return None
    asked = job.rung.questions(examples)
    predictions = _answer(folder, predictor, asked, job.batch_size, "dev_predictions.jsonl")
    dev = replace(task, eval=examples, metrics=())
    value = scoring.metrics(dev, predictions, scoring.score(dev, predictions))[dev.primary].value
    return {"n": len(examples), "value": value}


def _surely(
    predictor: Predictor, questions: Sequence[Question], batch_size: int | None, answered: bool
) -> Iterator[Prediction]:
    """Predictions for all questions; one that cannot be answered becomes a failed prediction.

    If not a single question could be answered, now or before an interruption (`answered`), it is
    our fault, and the exception stands.
    """
    if not questions:
        return
    left = {q.id: q for q in questions}
    try:
        for prediction in predictor(questions, batch_size):
            del left[prediction.id]
            yield prediction
        return
    except HarnessError:
        raise  # the user's to mend, and the same for every question
    except Exception as error:  # noqa: BLE001 - whatever it is must not lose the other questions
        fault = error
        traceback.print_exc()  # it may be ours, even if every question can be answered alone
        print(f"answering failed ({error!r}); trying one question at a time", file=sys.stderr)
    failed: list[Prediction] = []
    answered = answered or len(left) < len(questions)
    for question in left.values():
        try:
            yield from predictor([question], 1)
            answered = True
        except HarnessError:
            raise
        except Exception as error:  # noqa: BLE001 - the question counts as failed, never dropped
            failed.append(Prediction(question.id, "", "error", 0, 0, 0, 0.0, (), repr(error)))
    if not answered:
        raise fault
    yield from failed


def _check_budget(task: Task, model: LocalModel) -> None:
    """No rung can write a target, and stop, that is longer than the token budget."""
    examples = task.materials.train + task.materials.dev
    budget = task.materials.max_new_tokens
    encoded = model.tokenizer([e.target for e in examples], add_special_tokens=False).input_ids
    tokens, longest = max(zip(map(len, encoded), examples, strict=True), key=itemgetter(0))
    if tokens + 1 > budget:
        raise ConfigError(
            f"{longest.where}: the target has {tokens} tokens and a stop token, but "
            f"task.max_new_tokens is {budget}; raise it"
        )


def _manifest(
    job: Job, task: Task, certificate: Certificate, predictor: Predictor
) -> dict[str, Any]:
    """What the run was, where everything in it comes from, and what fitting took."""
    adapted, index, model = predictor.adapted, predictor.index, predictor.model
    embedder = job.embedder if job.rung.embeds else None
    return {
        "task": task.name,
        "rung": job.rung.name,
        "control": job.control.record() if job.control else None,
        "model": job.model.name,
        "variant": job.variant,
        "sweep": job.sweep,
        "command": job.command,
        "primary": task.primary,
        "limit": task.limit,
        "contrasts": asdict(job.contrasts),
        "isolation": certificate.record(),
        "weights": model.fingerprint,
        "dtype": job.model.dtype,
        "embedder": embedder.weights.fingerprint() if embedder else None,
        "licences": {"task": task.licence, "model": job.model.licence}
        | ({"embedder": embedder.licence} if embedder else {}),
        "gated": job.model.gated,
        "template": None if job.rung.stand_in else model.template,
        "parameters": 0 if job.rung.stand_in else model.parameters,
        "labelled": job.rung.labelled(task.materials),
        "training": adapted.report.record() if adapted else None,
        "index": {"seconds": index.seconds, "megabytes": index.megabytes} if index else None,
        "versions": provenance.versions(),
        "git": provenance.git_commit(),
        "machine": provenance.machine() | {"device": str(model.device)},
    }
