"""What a search among prompts came to: on the questions that picked, and on those that did not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from harness.analysis.rungs import RungResult

__all__ = ["PromptSearch", "TriedPrompt", "prompt_searches"]

WRITTEN = "full"
"""The instructions that an untuned rung says without a search."""


@dataclass(frozen=True)
class TriedPrompt:
    """One prompt on the dev questions that pick."""

    prompt: str
    """Name of the instructions, whose turn they stand in, how many examples are shown."""
    name: str
    k: int
    """Worked examples."""
    value: float
    """The primary metric."""
    tokens: float
    """Prompt and answer tokens per question."""
    seconds: float
    """Of answering them all."""


@dataclass(frozen=True)
class PromptSearch:
    """One run's search."""

    rung: str
    """Its key."""
    seed: int | None
    n: int
    """Dev questions that picked."""
    chosen: TriedPrompt
    tried: Sequence[TriedPrompt]
    dropped: Sequence[Mapping[str, str]]
    """Prompts that were left out, and why: `prompt`, `why`."""
    held_out: float | None
    """The chosen prompt's primary metric on dev questions that did not pick; None if none were
    asked."""
    held_out_n: int
    reflector: str | None
    """The model that proposed prompts; None if only files were tried."""
    proposed: int
    """Different prompts that it proposed."""
    asked: int
    """Dev questions answered, all prompts together."""
    reflections: int
    tokens: int
    """Prompt and answer tokens of all of that."""
    seconds: float

    @property
    def written(self) -> TriedPrompt | None:
        """The task's ordinary instructions with the chosen number of examples, if tried."""
        alike = (t for t in self.tried if t.name == WRITTEN and t.k == self.chosen.k)
        return max(alike, key=lambda one: one.value, default=None)

    @property
    def middle(self) -> float:
        """The median of what all prompts scored on the questions that picked."""
        return float(median(one.value for one in self.tried))


def prompt_searches(rungs: Sequence[RungResult]) -> list[PromptSearch]:
    """The searches of all runs of a ladder; none where no rung searches."""
    return [
        _search(rung.key, run.manifest, told)
        for rung in rungs
        for run in rung.runs
        if (told := run.manifest.get("search"))
    ]


def _search(key: str, manifest: Mapping[str, Any], told: Mapping[str, Any]) -> PromptSearch:
    dev = manifest["dev"]
    return PromptSearch(
        rung=key,
        seed=manifest["seed"],
        n=told["n"],
        chosen=_tried(told["chosen"]),
        tried=[_tried(one) for one in told["tried"]],
        dropped=told["dropped"],
        held_out=dev["value"] if dev else None,
        held_out_n=dev["n"] if dev else 0,
        reflector=told["reflector"],
        proposed=told["proposed"],
        asked=told["asked"],
        reflections=told["reflections"],
        tokens=told["prompt_tokens"] + told["completion_tokens"],
        seconds=told["seconds"],
    )


def _tried(one: Mapping[str, Any]) -> TriedPrompt:
    names = ("prompt", "name", "k", "value", "tokens", "seconds")
    return TriedPrompt(**{name: one[name] for name in names})
