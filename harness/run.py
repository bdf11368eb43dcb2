"""One job: one task, one rung, one model, one seed; one result on disk."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

from harness.audit.dropping import with_suspects
from harness.conditions import DEV_FREE, Conditions
from harness.distill import sealed, taught, told
from harness.evidence import scoring
from harness.evidence.contrasts import Side, compare
from harness.evidence.cost import Monitor
from harness.evidence.isolation import Certificate, Isolation, suspects_message
from harness.files import DEV_SCORES, alone
from harness.job import Job, identity
from harness.ladder.budget import budget
from harness.ladder.rung import Predictor
from harness.preflight import check, check_written
from harness.probe.measure import available, measure, unmeasured, wanted
from harness.probe.probe import FittedRun
from harness.progress import Progress, say_once, silence_libraries
from harness.record import ledger, provenance
from harness.record.clock import Clock
from harness.record.declaration import declaration_path, declare, told_apart
from harness.record.results import RunFolder
from harness.sampling import sample
from harness.searching import fitted
from harness.task import Task
from harness.trials import Trial, best, take_over, try_all
from harness.tuning.method import keep
from harness.tuning.trainings import Trainings

__all__ = ["Shared", "run"]


SAMPLE = 16
"""Of dev, for the bare prompt without the constraint."""
CLOCK = "clock.json"
"""Seconds spent so far; gone when a run is finished."""
TRIALS = "trials"
"""Folder beside the rungs' folders: what candidates did on dev, shared by the seeds of a rung."""
TRAINED = "trained"
"""Another: what was trained, shared by rungs that train alike."""


class Shared:
    """What the jobs of one sweep share: each task is certified once, and what several jobs use (a
    control, a rung without a seed, trials, a training) is made again once."""

    def __init__(self) -> None:
        self._certified: dict[tuple[Isolation, int], tuple[Task, Certificate]] = {}
        self._made_again: set[Path] = set()

    def certify(self, job: Job) -> tuple[Task, Certificate]:
        """The sealed task and its certificate; what is suspected is said. Raises LeakError."""
        isolation, task = job.isolation, job.task
        key = (isolation, id(task))  # a task lives as long as the sweep that loaded it
        if key not in self._certified:
            encoder = job.embedder if isolation.paraphrase else None
            with Progress("comparing with eval"):
                self._certified[key] = isolation.certify(task, encoder)
            if suspects := self._certified[key][1].suspects:
                say_once(f"{task.name}: {suspects_message(suspects)}")
        return self._certified[key]

    def make_again(self, job: Job, path: Path) -> bool:
        """Whether what stands in a folder is to be made again, by the first job that asks."""
        if not job.force or path in self._made_again:
            return False
        self._made_again.add(path)
        return True


def run(job: Job, shared: Shared | None = None) -> RunFolder:
    """Answer and score the sealed eval set; a finished run is not run again.

    An interrupted run goes on where it stopped: training from its last checkpoint, answering from
    its last prediction. A finished run that lacks a probe is fitted again for that alone. Raises
    HarnessError for what the user can fix: RungUnavailableError if the task lacks what the rung
    needs.
    """
    check(job)
    shared = shared or Shared()
    task, certificate = shared.certify(job)
    job, certificate = sealed(job, task, certificate)
    fingerprints = task.fingerprints()
    determining = identity(job, fingerprints)
    folder = RunFolder.of(job.root, task.name, job.rung.name, determining)
    force = shared.make_again(job, folder.path)
    with folder.alone():
        probes = wanted(job.probes, job.rung, task)
        probes = available(probes if force else unmeasured(probes, folder), task)
        if job.control is None:
            _declare(job, folder.path.parents[1], fingerprints["eval"])
        fitted = None
        folder.keep_eval(fingerprints["eval"], task.eval)
        if folder.complete and not force:
            # A process that was killed in between has finished the run, and told no ledger.
            ledger.record(folder.path.parents[1], folder.manifest())
        else:
            if not job.rung.recorded:
                silence_libraries()
            job = with_suspects(job, task, fingerprints)
            folder.start(job.config, force=force)
            fitted = _finish(job, shared, task, certificate, determining, folder)
        if probes:
            measure(probes, fitted or _fitted_again(job, shared, task, folder))
    return folder


def _finish(
    job: Job,
    shared: Shared,
    task: Task,
    certificate: Certificate,
    determining: dict[str, Any],
    folder: RunFolder,
) -> FittedRun:
    """Fit, answer, score, and write down that the run is complete."""
    with Monitor() as monitor, Clock(folder.path / CLOCK) as clock:
        conditions = _conditions(job, shared, task, folder)
        with clock.phase("teacher"):
            job = taught(job, conditions, task.fingerprints())
        chosen, trials = _choose(job, shared, conditions, determining, folder)
        with clock.phase("fit"):
            predictor = fitted(conditions, job.candidates[chosen].rung, job.seed, folder.path)
        if predictor.training:
            keep(folder.path, predictor.training)
        dev = _dev(job, conditions, predictor, folder)
        predictions = conditions.answer(predictor, task.questions, folder)
    clock.forget()
    scores = scoring.score(task, predictions)
    metrics = scoring.metrics(task, predictions, scores)
    if predictor.index:
        metrics |= scoring.retrieval(task, predictions)
    manifest = _manifest(job, conditions, certificate, predictor) | {
        "run": folder.path.relative_to(job.root).as_posix(),
        "identity": determining,
        "fingerprints": task.fingerprints(),
        "seed": determining["seed"],
        "n": len(predictions),
        **dev,
        "settings": job.candidates[chosen].words,
        # Before its search: a found prompt without worked examples was chosen among some with them.
        "labelled": job.candidates[chosen].rung.labelled(task.materials),
        "chosen": chosen,
        "trials": [trial.record() for trial in trials],
        "seconds": {
            "trials": sum(trial.seconds for trial in trials),
            "fit": clock.phases["fit"],
            "answer": sum(p.seconds for p in predictions),
            "total": clock.total,
        },
        "peak_memory_mb": monitor.peak_memory_mb,
    }
    if job.rung.baseline:
        manifest |= job.rung.baseline.record(manifest, predictions)
    folder.finish(scores, metrics, scoring.slices(task, scores), manifest, monitor.samples)
    ledger.record(folder.path.parents[1], manifest)
    return FittedRun(predictor, conditions, predictions, folder, job.seed)


def _fitted_again(job: Job, shared: Shared, task: Task, folder: RunFolder) -> FittedRun:
    """A finished run as it was when it answered: what training left is taken up."""
    silence_libraries()
    job = with_suspects(job, task, task.fingerprints())
    conditions = _conditions(job, shared, task, folder)
    job = taught(job, conditions, task.fingerprints())
    rung = job.candidates[folder.manifest()["chosen"]].rung
    predictor = fitted(conditions, rung, job.seed, folder.path)
    return FittedRun(predictor, conditions, folder.predictions(), folder, job.seed)


def _declare(job: Job, task_folder: Path, sealed: str) -> None:
    """Write down what is to be compared before anything is answered; say if that was changed."""
    known = ledger.judged(ledger.ledger_path(task_folder, sealed))
    path = declaration_path(task_folder, sealed)
    if changed := declare(path, asdict(job.contrasts), after=known):
        differ, back = told_apart(changed.contrasts, asdict(job.contrasts))
        say_once(
            f"{job.task.name}: other contrasts were declared on {changed.made} ({differ}); reports "
            f"now test these, and say that {known} configurations had been judged by then; to keep "
            f"what was declared before, say: {back}"
        )


def _conditions(job: Job, shared: Shared, task: Task, folder: RunFolder) -> Conditions:
    """Raises TaskError for a target that the constraint would not let a model write."""
    m, constraint = task.materials, job.constraint
    free_text = m.answer.constraint is None and not job.rung.recorded
    if job.decoding == "constrained" and free_text:
        say_once(f"{task.name}: free text has no grammar, so that it is decoded freely")
    check_written(constraint, task)
    engine = job.model.load()
    tokens, raised = budget(m, engine, job.ladder_constraint)
    if raised:
        say_once(f"{task.name}: {raised}")
    task = replace(task, materials=replace(m, max_new_tokens=tokens))
    dev = sample(m.dev, job.dev_questions)
    again = partial(shared.make_again, job)
    trainings = Trainings(folder.path.parents[1] / TRAINED, job.model.identity(), again)
    return Conditions(task, dev, engine, job.embedder, constraint, trainings, job.isolation)


def _choose(
    job: Job, shared: Shared, conditions: Conditions, determining: dict[str, Any], folder: RunFolder
) -> tuple[int, list[Trial]]:
    """The place of the candidate to run, and what each of several did on dev.

    Trials are shared by all seeds of a rung; the run of the first takes over what they left.
    """
    if len(job.candidates) == 1:
        return 0, []
    root = folder.path.parents[1]
    tried = RunFolder.of(root, TRIALS, job.rung.name, determining | {"seed": None}).path
    with alone(tried, "tries"):
        if shared.make_again(job, tried):
            shutil.rmtree(tried, ignore_errors=True)
        trials = try_all(job.candidates, conditions, tried)
    chosen = best(trials)
    if determining["seed"] in (0, None):
        take_over(tried / str(chosen), folder.path)
    return chosen, trials


def _dev(
    job: Job, conditions: Conditions, predictor: Predictor, folder: RunFolder
) -> dict[str, Any]:
    """`dev`: the primary metric on the first questions of dev; `dev_free`: the same without the
    constraint, of the bare prompt and of tuned rungs, which shows whether format comes from the
    grammar or from tuning."""
    judged = conditions.judged(predictor.rung)
    if not (job.dev_answered and judged):
        return {"dev": None, "dev_free": None}
    ours = conditions.on_dev(predictor, folder)
    groups = {e.id: e.group for e in judged}
    lines = [{"id": i, "group": groups[i], "value": value} for i, value in ours.each.items()]
    folder.write(DEV_SCORES, "".join(json.dumps(line) + "\n" for line in lines))
    dev = {"n": ours.n, "value": ours.value}
    rung = predictor.rung
    bare = not (rung.shots or rung.retrieval or rung.dialogue)
    asked = rung.tuning.writes if rung.tuning else bare
    if predictor.constraint is None or not asked:
        return {"dev": dev, "dev_free": None}
    # A bare prompt that is decoded freely often ends none of its answers: a sample shows that.
    count = ours.n if rung.tuning else min(ours.n, SAMPLE)
    free = conditions.on_dev(replace(predictor, constraint=None), folder, DEV_FREE, count)
    found: dict[str, Any] = {"n": free.n, "value": free.value}
    if free.each:
        groups = {e.id: e.group for e in judged if e.id in free.each}
        constrained = Side(rung.name, [{i: ours.each[i] for i in groups}], False)
        contrast = compare(
            constrained, Side("free", [free.each], False), conditions.task.primary, groups
        )
        found |= {"difference": asdict(contrast.delta), "p": contrast.p}
    return {"dev": dev, "dev_free": found}


def _manifest(
    job: Job, conditions: Conditions, certificate: Certificate, predictor: Predictor
) -> dict[str, Any]:
    """What the run was, where everything in it comes from, and what fitting took."""
    task = conditions.task
    training, index, search = predictor.training, predictor.index, predictor.rung.search
    engine, baseline = predictor.engine.record(), job.rung.baseline
    embedder = job.embedder if predictor.rung.embeds else None
    return {
        "task": task.name,
        "rung": job.rung.name,
        "control": job.control.record() if job.control else None,
        "external": None,
        "model": job.model.name,
        "variant": job.variant,
        "sweep": job.sweep,
        "command": job.command,
        "primary": task.primary,
        "measures": list(task.materials.answer.measures),
        "place": job.rung.place,
        "decoding": "free" if predictor.constraint is None else "constrained",
        "declared_free": job.rung.free,
        "max_new_tokens": task.materials.max_new_tokens,
        "limit": task.limit,
        "contrasts": asdict(job.contrasts),
        "isolation": certificate.concerning(job.reads).record(),
        "weights": engine["weights"],
        "dtype": engine["dtype"],
        "embedder": embedder.weights.fingerprint() if embedder else None,
        "licences": {"task": task.licence}
        | ({"model": job.model.licence} if job.model.licence else {})
        | ({"embedder": embedder.licence} if embedder else {}),
        "gated": job.model.gated,
        "template": None if baseline else engine["template"],
        "parameters": 0 if baseline else engine["parameters"],
        "train_size": len(task.materials.train) if "train" in job.reads else None,
        "lowered": list(predictor.lowered),
        "teacher": told(predictor.rung, task.materials),
        "training": training.record() if training else None,
        "trained": predictor.trained.relative_to(job.root).as_posix()
        if predictor.trained
        else None,
        "search": search.found.record if search and search.found else None,
        "index": {"seconds": index.seconds, "megabytes": index.megabytes} if index else None,
        "versions": provenance.versions(),
        "git": provenance.git_commit(),
        "machine": provenance.machine() | {"device": engine["device"]},
    }
