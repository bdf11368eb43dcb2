"""Instructions that are searched for: which prompts are tried, and on which questions of dev."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from harness.errors import ConfigError, RungUnavailableError
from harness.models.engine import ModelSource
from harness.slot import Slot
from harness.task import Example, Materials
from harness.values import AtLeastOne, Count, Instance, settings

if TYPE_CHECKING:
    from harness.ladder.rung import Rung

__all__ = ["FOUND", "Found", "Prompt", "Search", "picking", "saying"]

FOUND = "found"
"""Name of the instructions that a search found, among those of the task."""


@dataclass(frozen=True)
class Prompt:
    """One way to ask.

    >>> Prompt("checklist", "First …", "user", 4).label
    'checklist, user, 4 examples'
    """

    name: str
    """Of the variant of the instructions."""
    text: str
    role: Literal["system", "user"]
    """Whose turn the instructions stand in."""
    examples: int
    """Worked examples shown for each question."""

    @property
    def label(self) -> str:
        shown = f", {self.examples} examples" if self.examples else ""
        return f"{self.name}, {self.role}{shown}"

    @property
    def file(self) -> str:
        """Where its answers are kept."""
        return f"{self.name}.{self.role}.{self.examples}.jsonl"

    def record(self) -> dict[str, Any]:
        """As JSON, without the text."""
        return {"prompt": self.label, "name": self.name, "role": self.role, "k": self.examples}


@dataclass(frozen=True)
class Found:
    """What a search came to."""

    prompt: Prompt
    picked: frozenset[str] = frozenset()
    """Ids of the dev questions that picked it: its value on dev is that on the others."""
    record: Mapping[str, Any] | None = None
    """All prompts that were tried, and what that took, as JSON; None while they are tried."""


@settings("rung.search")
class Search(Slot):
    """Instructions chosen on part of dev, out of the task's files and, with a reflector, out of
    what GEPA makes of the best of them (Agrawal et al. 2025, arXiv:2507.19457).

    >>> Search(questions=32, examples=[0, 4]).random
    False
    """

    questions: AtLeastOne
    """Of dev that pick, at most; never more than half of dev."""
    examples: Sequence[Count]
    """Numbers of worked examples with which the instructions are crossed, where the rung has a slot
    of them."""
    reflector: Instance[ModelSource] | str | None = None
    """The model that reads wrong answers and proposes instructions; None searches files alone."""
    metric_calls: AtLeastOne = 256
    """Scored answers that GEPA may use, as it counts them: repeated ones too."""
    minibatch: AtLeastOne = 3
    """Questions that a reflection is shown (GEPA's default)."""
    reflection_tokens: AtLeastOne = 1024
    """That a reflection may write."""
    found: Instance[Found] | None = None
    """What was found: `harness.searching` fills it in before the rung is fitted."""

    def __post_init__(self) -> None:
        if not self.examples:
            raise ConfigError("rung.search.examples=[]: must name a number, for instance [0, 4]")
        if isinstance(self.reflector, str):
            raise ConfigError(
                f"rung.search.reflector={self.reflector}: is no model; fix: "
                f"model@rung.search.reflector={self.reflector}"
            )

    @property
    def reads(self) -> Collection[str]:
        return ("dev", "variants")

    @property
    def random(self) -> bool:
        """GEPA draws; trying every file does not."""
        return self.reflector is not None

    def labelled(self, materials: Materials) -> int:
        """Of dev, those that pick."""
        return len(picking(materials.dev, (), self.questions))

    def check(self, materials: Materials) -> None:
        """Raise RungUnavailableError if dev cannot be split."""
        if not picking(materials.dev, (), self.questions):
            groups = len({e.group for e in materials.dev})
            raise RungUnavailableError(
                "one part of dev picks its prompt and another says what that is worth, but no "
                f"whole group fits into half of dev ({len(materials.dev)} questions in {groups} "
                f"groups) and rung.search.questions={self.questions}; add groups to dev"
            )

    @property
    def picked(self) -> frozenset[str]:
        """Ids of the dev questions that picked; none before the search."""
        return self.found.picked if self.found else frozenset()

    def apply(self, materials: Materials) -> Materials:
        """The materials with what was found among their instructions."""
        if self.found is None:
            return materials
        told = {**materials.instructions, FOUND: self.found.prompt.text}
        return replace(materials, instructions=told)

    def prompts(self, rung: Rung, materials: Materials) -> list[Prompt]:
        """The hand-written ones: every file of the task with every number of examples, and, for a
        task without files beside `full` and `short`, in either role."""
        texts = {**materials.instructions, **materials.variants}
        roles: tuple[Literal["system", "user"], ...] = ("system", "user")
        if materials.variants:
            roles = (rung.role,)
        counts = dict.fromkeys(self.examples) if rung.shots else (0,)
        return [
            Prompt(name, text, role, k)
            for name, text in texts.items()
            for role in roles
            for k in counts
        ]


def saying(rung: Rung, found: Found) -> Rung:
    """The rung with a found prompt: its text, its role and its number of examples."""
    prompt = found.prompt
    shots = replace(rung.shots, k=prompt.examples) if rung.shots and prompt.examples else None
    search = replace(rung.search, found=found) if rung.search else None
    return replace(rung, instructions=FOUND, role=prompt.role, shots=shots, search=search)


def picking(
    dev: Sequence[Example], asked: Sequence[Example], questions: int
) -> tuple[Example, ...]:
    """The examples of dev that pick: whole groups, at most so many questions and half of dev.

    `asked` are those on which rungs are compared. Groups of which none is asked come first, so
    that as many as possible are left to compare on; then the order is that of a hash.
    """
    size = Counter(e.group for e in dev)
    compared = {e.group for e in asked}
    most = min(questions, len(dev) // 2)
    chosen: set[str] = set()
    taken = 0
    for group in sorted(size, key=lambda g: (g in compared, _hash(g))):
        if taken + size[group] <= most and not (compared and compared <= chosen | {group}):
            chosen.add(group)
            taken += size[group]
    return tuple(e for e in dev if e.group in chosen)


def _hash(text: str) -> str:
    return hashlib.sha256(f"picking {text}".encode()).hexdigest()
