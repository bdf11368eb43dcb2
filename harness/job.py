"""One job: what is to be run, and what of it determines the result."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Literal

from harness import __version__
from harness.constraint import Constraint
from harness.errors import ConfigError
from harness.evidence.contrasts import Contrasts
from harness.evidence.isolation import Isolation
from harness.foreign import foreign
from harness.ladder.budget import longest_target
from harness.ladder.controls import KINDS, Control, OraclePassages, Wanted, controls
from harness.ladder.rung import Rung
from harness.models.embedder import Embedder
from harness.models.engine import ModelSource
from harness.probe.probe import Probe
from harness.record.results import RunFolder
from harness.searching import with_found
from harness.secrets import redacted
from harness.task import Task
from harness.trials import Candidate
from harness.values import Count, Instance, Seed, settings

__all__ = ["Job", "identity"]


@settings("")
class Job:
    """What is to be run; all that the command line decided."""

    task: Instance[Task]
    candidates: Sequence[Instance[Candidate]]
    """Ways to set the rung; of several the one that is best on dev answers eval."""
    decoding: Literal["constrained", "free"]
    """`constrained` (where the answer format has a grammar) or `free`."""
    model: Instance[ModelSource]
    embedder: Instance[Embedder]
    isolation: Instance[Isolation]
    contrasts: Instance[Contrasts]
    controls: Wanted
    """Which controls run beside the rung."""
    dev_questions: Count
    """How many questions of dev a rung answers: settings and the best untuned rung are chosen
    there."""
    seed: Seed
    force: bool
    root: Instance[Path]
    config: str
    """The resolved configuration as YAML."""
    variant: str
    """What the command line changed beside task, rung, model and seed; for people."""
    sweep: str
    """Which sweep this job belongs to."""
    command: str
    """What to type to get this run again."""
    control: Instance[Control] | None = None
    """What this job is a control of, if it is one."""
    probes: Sequence[Instance[Probe]] = ()
    """What the fitted rung is asked beside the task; they determine no result."""

    def __post_init__(self) -> None:
        if len(self.candidates) > 1 and not (self.dev_questions and self.task.materials.dev):
            raise ConfigError("trials: settings are chosen on dev; set dev_questions above 0")
        for name in self.controls if isinstance(self.controls, Sequence) else ():
            if name not in KINDS and not name.endswith(tuple(f"_{kind}" for kind in KINDS)):
                raise ConfigError(
                    f"controls: '{name}' is no control; there are {', '.join(KINDS)}, and "
                    "RUNG_KIND for that of one rung"
                )

    @property
    def rung(self) -> Rung:
        """The rung as its first candidate has it."""
        return self.candidates[0].rung

    @property
    def constraint(self) -> Constraint | None:
        """What answers are held to; None for free decoding, free text, baselines, and rungs that
        answer freely by declaration."""
        return None if self.rung.free else self.ladder_constraint

    @property
    def ladder_constraint(self) -> Constraint | None:
        """What the other rungs are held to: the token budget has room for all that it admits, so
        that it is the same for a rung that answers freely by declaration."""
        free = self.decoding == "free" or self.rung.baseline is not None
        return None if free else self.task.materials.answer.constraint

    @property
    def dev_answered(self) -> int:
        """How many dev questions are answered; controls, and what answered elsewhere, answer
        none."""
        return 0 if self.control or self.rung.recorded else self.dev_questions

    def control_jobs(self, folder: RunFolder) -> Iterator[Job]:
        """The jobs of the controls that belong beside this one, which has left `folder`.

        They have the first seed, whatever the rung's: they are there to expose, not to estimate.
        Beside what was answered elsewhere there are none.
        """
        if self.rung.recorded:
            return
        chosen = self.candidates[folder.manifest()["chosen"]]
        rung = with_found(chosen.rung, folder.path)
        for control in controls(rung, self.task, self.controls):
            if control.free and self.constraint is None:
                continue  # it would be the same run
            settings: dict[str, Any] = {"control": control.kind}
            if control.of:
                settings["of"] = chosen.settings
                if rung.search and rung.search.found:
                    settings["found"] = asdict(rung.search.found.prompt)
                if isinstance(control.rung.retrieval, OraclePassages) and rung.tuning:
                    # Apart from runs of earlier versions, which were trained without passages.
                    settings["in_training"] = control.rung.retrieval.in_training
            candidate = Candidate(control.rung, settings, "")
            decoding = "free" if control.free else self.decoding
            here = replace(self, decoding=decoding, seed=0, control=control, probes=())
            yield replace(here, candidates=(candidate,))

    @property
    def dev_drawn(self) -> bool:
        """Whether they are a sample of dev, and not all of it."""
        return 0 < self.dev_answered < len(self.task.materials.dev)

    @property
    def reads(self) -> set[str]:
        """Which materials determine the result, as the slots of its rungs name them."""
        reads = {part for candidate in self.candidates for part in candidate.rung.reads}
        return reads | {"dev"} if self.dev_answered else reads


def identity(job: Job, fingerprints: dict[str, str]) -> dict[str, Any]:
    """Everything that determines the result: of the task only what the rung reads, so that a
    prompt stays the same run when train grows. A secret determines none, and is not in it."""
    return redacted(_identity(job, fingerprints))


def _identity(job: Job, fingerprints: dict[str, str]) -> dict[str, Any]:
    if job.rung.recorded:
        return _recorded(job, fingerprints)
    several = [_settled(candidate) for candidate in job.candidates]
    rungs = [candidate.rung for candidate in job.candidates]
    read = {"eval", "prompt", "scoring", *job.reads}
    sources = [rung.search.reflector for rung in rungs if rung.search]
    code = foreign(slot for rung in rungs for slot in rung.slots)
    reflectors = [source.identity() for source in sources if isinstance(source, ModelSource)]
    return {
        "harness": __version__,
        "task": {name: value for name, value in fingerprints.items() if name in read},
        "model": job.model.identity(),
        "embedder": job.embedder.weights.fingerprint()
        if any(rung.embeds for rung in rungs)
        else None,
        "rung": several[0],
        "decoding": "constrained" if job.constraint else "free",
        "budget": longest_target(job.task.materials, job.ladder_constraint),
        "dev_questions": job.dev_answered,
        # Apart from runs of earlier versions, which were asked the first lines of dev.
        **({"dev_drawn": True} if job.dev_drawn else {}),
        "seed": job.seed if any(rung.random for rung in rungs) else None,
        **({"trials": several} if len(several) > 1 else {}),
        **({"reflectors": reflectors} if reflectors else {}),
        **({"code": code} if code else {}),
    }


def _recorded(job: Job, fingerprints: dict[str, str]) -> dict[str, Any]:
    """Of answers that were made elsewhere: what they are, wherever the file lies, and what they
    are held against."""
    content = job.rung.baseline.content if job.rung.baseline else None
    return {
        "harness": __version__,
        "task": {name: fingerprints[name] for name in ("eval", "scoring")},
        "model": None,
        "embedder": None,
        "rung": _settled(job.candidates[0]) | {"predictions": content},
        "decoding": None,
        "budget": None,
        "dev_questions": 0,
        "seed": None,
    }


def _settled(candidate: Candidate) -> Any:
    """A candidate's settings without those of a transform that does nothing."""
    settings = _determining(candidate.settings)
    if candidate.rung.transform is None and isinstance(settings, dict):
        settings.pop("transform", None)
    return settings


def _determining(settings: Any) -> Any:
    """Settings without what changes no answer: where classes are kept, and a rung's place."""
    match settings:
        case dict():
            kept = {k: _determining(v) for k, v in settings.items() if k != "place"}
            if "_target_" in kept:
                kept["_target_"] = str(kept["_target_"]).rpartition(".")[2]
            return kept
        case list():
            return [_determining(v) for v in settings]
    return settings
