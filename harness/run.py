"""One job: one task, one rung, one model, one seed; one result on disk."""

from __future__ import annotations

import json
import shutil
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from harness import __version__
from harness.answer import Text
from harness.errors import ConfigError, HarnessError
from harness.evidence import scoring
from harness.evidence.contrasts import Contrasts, Side, compare
from harness.evidence.cost import Monitor
from harness.evidence.isolation import Certificate, Isolation
from harness.ladder.budget import budget
from harness.ladder.constraint import Constrain
from harness.ladder.controls import Control, controls
from harness.ladder.grammar import check_grammar, check_targets
from harness.ladder.room import fitting, within_data
from harness.ladder.rung import Predictor, Rung
from harness.models.decode import Constraint
from harness.models.embedder import Embedder
from harness.models.local import LocalModel, ModelSpec, load_model
from harness.models.memory import keep_freed_memory
from harness.progress import Progress, silence_libraries
from harness.record import ledger, provenance
from harness.record.results import PREDICTIONS, RunFolder
from harness.task import Example, Prediction, Question, Task
from harness.trials import Candidate, Trial, best

__all__ = ["Job", "run"]


DEV = "dev_predictions.jsonl"
"""Answers to dev questions under the ladder's decoding."""
DEV_FREE = "dev_free_predictions.jsonl"
"""Answers to the same questions without the constraint."""
SAMPLE = 16
"""Of dev, for the bare prompt without the constraint."""
WHAT = {PREDICTIONS: "", DEV: " dev", DEV_FREE: " dev without constraint"}
TRIALS = "trials"
"""Folder beside the rungs' folders: what candidates did on dev, shared by the seeds of a rung."""


@dataclass(frozen=True)
class Job:
    """What is to be run; all that the command line decided."""

    task: Task
    candidates: Sequence[Candidate]
    """Ways to set the rung; of several the one that is best on dev answers eval."""
    decoding: str
    """`constrained` (where the answer format has a grammar) or `free`."""
    model: ModelSpec
    embedder: Embedder
    isolation: Isolation
    contrasts: Contrasts
    controls: bool | None
    """Which controls run beside the rung: all, none or (None) those without a language model."""
    dev_questions: int
    """How many questions of dev a rung answers: settings and the best untuned rung are chosen
    there."""
    seed: int
    batch_size: int | None
    force: bool
    root: Path
    config: str
    """The resolved configuration as YAML."""
    variant: str
    """What the command line changed beside task, rung, model and seed; for people."""
    sweep: str
    """Which sweep this job belongs to."""
    command: str
    """What to type to get this run again."""
    control: Control | None = None
    """What this job is a control of, if it is one."""

    def __post_init__(self) -> None:
        if self.decoding not in ("constrained", "free"):
            raise ConfigError(f"decoding={self.decoding}: is not one of constrained, free")
        if len(self.candidates) > 1 and not (self.dev_questions and self.task.materials.dev):
            raise ConfigError("trials: settings are chosen on dev; set dev_questions above 0")

    @property
    def rung(self) -> Rung:
        """The rung as its first candidate has it."""
        return self.candidates[0].rung

    @property
    def constrained(self) -> bool:
        """Whether answers are decoded under a grammar: free text and baselines have none."""
        text = isinstance(self.task.materials.answer, Text)
        return self.decoding == "constrained" and not text and self.rung.stand_in is None

    def beside(self, folder: RunFolder) -> Iterator[Job]:
        """The jobs of the controls that belong beside this one, which has left `folder`.

        They have the first seed, whatever the rung's: they are there to expose, not to estimate.
        """
        chosen = self.candidates[folder.read("manifest.json")["chosen"]]
        for control in controls(chosen.rung, self.task, self.controls):
            settings = {"control": control.kind}
            if control.of:
                settings["of"] = chosen.settings
            candidate = Candidate(control.rung, settings, "")
            yield replace(self, candidates=(candidate,), seed=0, control=control)


@dataclass(frozen=True)
class _Conditions:
    """What is the same for all candidates and rungs: model, parser, budget, decoding."""

    job: Job
    task: Task
    """With the token budget that this model needs."""
    model: LocalModel
    constraint: Callable[[], Constraint] | None

    def fit(self, candidate: Candidate, seed: int, folder: Path) -> Predictor:
        """The candidate, ready to answer; it shows no more than there is, and than fits into the
        model's context with every question that it is asked."""
        m, rung = self.task.materials, candidate.rung
        rest = (m, self.model, self.job.embedder, seed, folder)
        parts = [self.task.eval, m.dev, *([m.train] if rung.adapter else [])]
        rung, lowered = fitting(rung, m, lambda r: replace(r, adapter=None).fit(*rest), parts)
        for line in lowered:
            _say_once(f"{self.task.name} / {rung.name}: {line}")
        return replace(rung.fit(*rest, self.constraint), lowered=lowered)

    @property
    def dev(self) -> tuple[Example, ...]:
        """The questions of dev that every rung answers."""
        return self.task.materials.dev[: self.job.dev_questions]

    def on_dev(
        self, predictor: Predictor, folder: RunFolder, kept: str = DEV, count: int | None = None
    ) -> tuple[float, dict[str, float], list[Prediction]]:
        """The primary metric over the first `count` questions of dev, its value for each of them,
        and the answers."""
        examples = self.dev[:count]
        asked = predictor.rung.questions(examples)
        predictions = _answer(folder, predictor, asked, self.job.batch_size, kept)
        task = replace(self.task, eval=examples, metrics=())
        scores = scoring.score(task, predictions)
        value = scoring.metrics(task, predictions, scores)[task.primary].value
        return (
            value,
            {s.id: s.values[task.primary] for s in scores if task.primary in s.values},
            predictions,
        )


_forced: set[tuple[str, Path]] = set()
"""By sweep: jobs that share a run (a control, a rung without a seed) force it once."""


def run(job: Job) -> RunFolder:
    """Answer and score the sealed eval set; a finished run is not run again.

    An interrupted run goes on where it stopped: training from its last checkpoint, answering from
    its last prediction. Raises HarnessError for what the user can fix, of it
    RungUnavailableError if
    the task lacks what the rung needs.
    """
    for candidate in job.candidates:
        rung, _ = within_data(candidate.rung, job.task.materials)
        rung.check(job.task.materials)
    scoring.check(job.task)
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
    if job.decoding == "constrained" and isinstance(task.materials.answer, Text):
        _say_once(f"{task.name}: free text has no grammar, so that it is decoded freely")
    folder.start(job.config, force=force)
    folder.keep_eval(fingerprints["eval"], task.eval)
    began = time.perf_counter()
    with Monitor() as monitor:
        conditions = _conditions(job, task)
        chosen, trials = _choose(conditions, identity, folder)
        fitting = time.perf_counter()
        predictor = conditions.fit(job.candidates[chosen], job.seed, folder.path)
        fitted = time.perf_counter() - fitting
        dev = _dev(conditions, predictor, folder)
        asked = predictor.rung.questions(task.eval)
        predictions = _answer(folder, predictor, asked, job.batch_size)
    task = conditions.task
    scores = scoring.score(task, predictions)
    metrics = scoring.metrics(task, predictions, scores)
    if predictor.index:
        metrics |= scoring.retrieval(task, predictions)
    manifest = _manifest(job, conditions, certificate, predictor) | {
        "run": folder.path.relative_to(job.root).as_posix(),
        "identity": identity,
        "fingerprints": fingerprints,
        "seed": identity["seed"],
        "n": len(predictions),
        **dev,
        "chosen": chosen,
        "trials": [trial.record() for trial in trials],
        "seconds": {
            "trials": sum(trial.seconds for trial in trials),
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
    several = [candidate.settings for candidate in job.candidates]
    return {
        "harness": __version__,
        "task": fingerprints,
        "model": [job.model.weights.fingerprint(), job.model.dtype],
        "embedder": job.embedder.weights.fingerprint()
        if any(candidate.rung.embeds for candidate in job.candidates)
        else None,
        "rung": several[0],
        "decoding": "constrained" if job.constrained else "free",
        "seed": job.seed if any(candidate.rung.random for candidate in job.candidates) else None,
    } | ({"trials": several, "dev_questions": job.dev_questions} if len(several) > 1 else {})


def _conditions(job: Job, task: Task) -> _Conditions:
    """Raises TaskError for a target that the constraint would not let a model write."""
    m = task.materials
    if job.constrained:
        check_grammar(m.answer)
        check_targets(m.answer, (*m.train, *m.dev, *task.eval))
    model = load_model(job.model)
    tokens, raised = budget(m, model, job.constrained)
    if raised:
        _say_once(f"{task.name}: {raised}")
    task = replace(task, materials=replace(m, max_new_tokens=tokens))
    constraint = Constrain(jump_forward=True).compile(m.answer, model) if job.constrained else None
    return _Conditions(job, task, model, constraint)


@lru_cache
def _say_once(line: str) -> None:
    """The same for all rungs of a sweep."""
    print(line, file=sys.stderr)


def _choose(
    conditions: _Conditions, identity: dict[str, Any], folder: RunFolder
) -> tuple[int, list[Trial]]:
    """The place of the candidate to run, and what each of several did on dev.

    Trials have the first seed and are shared by all seeds of a rung. What training left of the
    chosen candidate is taken over by the run of that seed.
    """
    job = conditions.job
    if len(job.candidates) == 1:
        return 0, []
    root = RunFolder.of(
        job.root / job.task.name, TRIALS, job.rung.name, identity | {"seed": None}
    ).path
    folders = [RunFolder(root / str(place)) for place in range(len(job.candidates))]
    chosen, trials = best(job.candidates, lambda place: _try(conditions, place, folders[place]))
    if identity["seed"] in (0, None):
        for kept in ("training.json", "adapter", DEV):
            _take_over(folders[chosen].path / kept, folder.path / kept)
    return chosen, trials


def _try(conditions: _Conditions, place: int, folder: RunFolder) -> Trial:
    """One candidate on dev; what was finished is read from disk."""
    done = folder.path / "trial.json"
    if not done.exists():
        candidate = conditions.job.candidates[place]
        print(
            f"{candidate.rung.name}: trial {place + 1} of {len(conditions.job.candidates)}"
            f"  {candidate.words}",
            file=sys.stderr,
        )
        folder.path.mkdir(parents=True, exist_ok=True)
        began = time.perf_counter()
        predictor = conditions.fit(candidate, 0, folder.path)
        value, _, predictions = conditions.on_dev(predictor, folder)
        trial = Trial.of(candidate, value, predictions, time.perf_counter() - began)
        scratch = done.with_suffix(".part")
        scratch.write_text(json.dumps(trial.record(), indent=1))
        scratch.replace(done)
    return Trial(**json.loads(done.read_text()))


def _take_over(source: Path, target: Path) -> None:
    """Copy a file or folder of a trial, whole or not at all."""
    if not source.exists() or target.exists():
        return
    scratch = target.with_name(target.name + ".part")
    if source.is_dir():
        shutil.rmtree(scratch, ignore_errors=True)
        shutil.copytree(source, scratch)
    else:
        shutil.copy(source, scratch)
    scratch.replace(target)


def _dev(conditions: _Conditions, predictor: Predictor, folder: RunFolder) -> dict[str, Any]:
    """`dev`: the primary metric on the first questions of dev; `dev_free`: the same without the
    constraint, of the bare prompt and of tuned rungs, which shows whether format comes from the
    grammar or from tuning."""
    job = conditions.job
    if job.control or not conditions.dev:
        return {"dev": None, "dev_free": None}
    n = len(conditions.dev)
    value, each, _ = conditions.on_dev(predictor, folder)
    dev = {"n": n, "value": value}
    rung = predictor.rung
    bare = not (rung.shots or rung.retrieval)
    if predictor.constraint is None or not (rung.adapter or bare):
        return {"dev": dev, "dev_free": None}
    # A bare prompt that is decoded freely often ends none of its answers: a sample shows that.
    count = n if rung.adapter else min(n, SAMPLE)
    free = replace(predictor, constraint=None)
    value, each_free, _ = conditions.on_dev(free, folder, DEV_FREE, count)
    found: dict[str, Any] = {"n": count, "value": value}
    if each_free:
        sampled = conditions.dev[:count]
        ours = Side(rung.name, [{e.id: each[e.id] for e in sampled}], False)
        theirs = Side("free", [each_free], False)
        groups = {e.id: e.group for e in sampled}
        contrast = compare(ours, theirs, conditions.task.primary, groups)
        found |= {"difference": asdict(contrast.delta), "p": contrast.p}
    return {"dev": dev, "dev_free": found}


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
    what = f"{predictor.rung.name}: answering{WHAT[kept]}"
    with Progress(what, len(questions), unit="question") as progress:
        progress.update(len(done))
        for prediction in folder.append(_surely(predictor, rest, batch_size, bool(done)), kept):
            done.append(prediction)
            progress.advance()
    return done


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


def _manifest(
    job: Job, conditions: _Conditions, certificate: Certificate, predictor: Predictor
) -> dict[str, Any]:
    """What the run was, where everything in it comes from, and what fitting took."""
    task = conditions.task
    adapted, index, model = predictor.adapted, predictor.index, predictor.model
    embedder = job.embedder if predictor.rung.embeds else None
    return {
        "task": task.name,
        "rung": job.rung.name,
        "control": job.control.record() if job.control else None,
        "model": job.model.name,
        "variant": job.variant,
        "sweep": job.sweep,
        "command": job.command,
        "primary": task.primary,
        "decoding": "free" if predictor.constraint is None else "constrained",
        "max_new_tokens": task.materials.max_new_tokens,
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
        "labelled": predictor.rung.labelled(task.materials),
        "lowered": list(predictor.lowered),
        "training": adapted.report.record() if adapted else None,
        "index": {"seconds": index.seconds, "megabytes": index.megabytes} if index else None,
        "versions": provenance.versions(),
        "git": provenance.git_commit(),
        "machine": provenance.machine() | {"device": str(model.device)},
    }
