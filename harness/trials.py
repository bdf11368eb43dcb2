"""Settings chosen on dev: every rung tries the same number of candidates, eval judges the best."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from harness.conditions import DEV, Conditions
from harness.files import write_whole
from harness.inert import say
from harness.ladder.rung import Rung
from harness.record import file_types
from harness.record.clock import Clock
from harness.record.results import RunFolder
from harness.searching import SEARCH, fitted

__all__ = ["Candidate", "Trial", "best", "take_over", "try_all"]


CLOCK = "clock.json"
DONE = "trial.json"
"""Written last: a trial without it goes on where it stopped."""


@dataclass(frozen=True)
class Candidate:
    """One way in which a rung may be set."""

    rung: Rung
    settings: Any
    """The rung's part of the configuration, as plain data; it determines the result."""
    words: str
    """What differs from the rung as its YAML has it, as overrides; empty if nothing."""


@dataclass(frozen=True)
class Trial:
    """What one candidate did on dev."""

    settings: str
    """The candidate's `words`."""
    value: float
    """The primary metric."""
    n: int
    """Dev questions."""
    seconds: float
    """Wall seconds of fitting and answering."""
    tokens: float
    """Prompt and answer tokens per question."""

    def record(self) -> dict[str, Any]:
        return asdict(self)


def try_all(candidates: Sequence[Candidate], conditions: Conditions, folder: Path) -> list[Trial]:
    """What each candidate does on dev, in folders of their own; those that were finished are read.

    Trials have the seed 0. Where questions of dev pick prompts, and not the same ones in all
    trials, all trials are valued by those that picked none.
    """
    folders = [RunFolder(folder / str(place)) for place in range(len(candidates))]
    trials = [
        _try(candidate, place, len(candidates), conditions, folders[place])
        for place, candidate in enumerate(candidates)
    ]
    if any(candidate.rung.search for candidate in candidates):
        return _by_common(trials, folders, conditions)
    return trials


def _by_common(
    trials: Sequence[Trial], folders: Sequence[RunFolder], conditions: Conditions
) -> list[Trial]:
    """The trials, valued by the questions that all of them answered."""
    answers = [folder.predictions(DEV) for folder in folders]
    common = set.intersection(*({p.id for p in each} for each in answers))
    if not common or all(len(each) == len(common) for each in answers):
        return list(trials)
    examples = [e for e in conditions.dev if e.id in common]
    worth = [conditions.worth(examples, [p for p in each if p.id in common]) for each in answers]
    return [
        replace(trial, value=one.value, n=one.n, tokens=one.tokens)
        for trial, one in zip(trials, worth, strict=True)
    ]


def best(trials: Sequence[Trial]) -> int:
    """The place of the trial with the highest value; of equal ones that of fewer tokens."""
    return max(range(len(trials)), key=lambda i: (trials[i].value, -trials[i].tokens, -i))


def take_over(trial: Path, run: Path) -> None:
    """Copy the answers on dev, and the search for its prompt, from a trial to the run that it
    won."""
    source, target = trial / DEV, run / DEV
    if source.exists() and not target.exists():
        write_whole(target, source.read_text(encoding="utf-8"))
    if (trial / SEARCH).is_dir() and not (run / SEARCH).exists():
        shutil.copytree(trial / SEARCH, run / SEARCH)


def _try(
    candidate: Candidate, place: int, count: int, conditions: Conditions, folder: RunFolder
) -> Trial:
    if not (folder.path / DONE).exists():
        said = candidate.words or "as its YAML has it"
        say(f"{candidate.rung.name}: trial {place + 1} of {count}, {said}")
        folder.path.mkdir(parents=True, exist_ok=True)
        with Clock(folder.path / CLOCK) as clock:
            dev = conditions.on_dev(fitted(conditions, candidate.rung, 0, folder.path), folder)
        trial = Trial(candidate.words, dev.value, dev.n, clock.total, dev.tokens)
        folder.write(DONE, json.dumps(trial.record(), indent=1))
        clock.forget()
    known = folder.read(DONE, file_types.TRIAL)
    return Trial(**{field.name: known[field.name] for field in fields(Trial)})
