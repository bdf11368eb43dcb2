"""Fills in whom a rung leaves out: the audit of its own train, before it is fitted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from harness.audit.classifier import label_suspects
from harness.audit.losses import loss_suspects
from harness.errors import ConfigError, RungUnavailableError
from harness.files import EXAMPLE_LOSSES
from harness.job import Job, identity
from harness.ladder.transform import Suspects, WithoutSuspects
from harness.record.results import RunFolder
from harness.task import Task
from harness.trials import Candidate

__all__ = ["with_suspects"]


def with_suspects(job: Job, task: Task, fingerprints: Mapping[str, str]) -> Job:
    """The job, with what its audits found in every transform that leaves out suspects.

    `task` is the sealed one, `fingerprints` are its own. What is planted the audit does not know.
    Raises RungUnavailableError where it cannot be made, ConfigError with several trials.
    """
    if not any(isinstance(one.rung.transform, WithoutSuspects) for one in job.candidates):
        return job
    if len(job.candidates) > 1:
        raise ConfigError(
            f"trials={len(job.candidates)}: a rung that leaves out suspects has one setting; "
            "fix: trials=1"
        )
    return replace(
        job, candidates=[_filled(one, job, task, dict(fingerprints)) for one in job.candidates]
    )


def _filled(candidate: Candidate, job: Job, task: Task, fingerprints: dict[str, str]) -> Candidate:
    transform = candidate.rung.transform
    if not isinstance(transform, WithoutSuspects):
        return candidate
    if transform.without == "losses":
        suspects = _by_losses(candidate, transform, job, fingerprints, task.name)
    else:
        suspects = _by_classifier(transform, job, task)
    filled = replace(transform, suspects=suspects)
    return replace(candidate, rung=replace(candidate.rung, transform=filled))


def _by_classifier(transform: WithoutSuspects, job: Job, task: Task) -> Suspects:
    found = label_suspects(transform.audited(task.materials, job.seed), job.embedder)
    if found is None:
        raise RungUnavailableError(
            "no column of its targets can be classified; say rung.transform.without=losses "
            "rung.transform.dropped=0.1 for a tuned rung"
        )
    return found


def _by_losses(
    candidate: Candidate,
    transform: WithoutSuspects,
    job: Job,
    fingerprints: dict[str, str],
    task: str,
) -> Suspects:
    """What the same rung lost when it trained on all of this very train, which must be finished."""
    own = candidate.settings.get("transform") or {}
    settings = {**candidate.settings, "transform": {**own, "without": None}}
    rung = replace(candidate.rung, transform=transform.planted)
    whole = replace(candidate, rung=rung, settings=settings)
    before = replace(job, candidates=[whole])
    folder = RunFolder.of(job.root, task, job.rung.name, identity(before, fingerprints))
    if not folder.complete or not (folder.path / EXAMPLE_LOSSES).is_file():
        raise RungUnavailableError(
            "the losses of its training on all examples are not there; first run the same with "
            "rung.transform.without=null (only a tuned rung has losses)"
        )
    return loss_suspects([folder])
