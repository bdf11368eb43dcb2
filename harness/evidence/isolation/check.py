"""The check of a task before anything runs: what is compared with what, and what then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from harness.errors import ConfigError, LeakError
from harness.evidence.isolation import answers
from harness.evidence.isolation.certificate import (
    INSTRUCTIONS,
    TOOLS,
    UPDATED,
    Certificate,
    Leak,
    leak_message,
)
from harness.evidence.isolation.features import GRAM
from harness.evidence.isolation.inputs import SHORTEST, Found, Sealed, compare
from harness.evidence.isolation.letters import normalize
from harness.evidence.isolation.paraphrases import Encoder, paraphrases
from harness.task import Example, Passage, Task

__all__ = ["Isolation"]

FIXED = {
    TOOLS: "a tool's data cannot be left out by harness",
    INSTRUCTIONS: "instructions cannot be left out by harness",
}
"""What no line can be left out of."""
MOST_RATIO = 10
"""Of cosines; from 2 up next to nothing is found."""


@dataclass(frozen=True)
class Isolation:
    """How near is too near, and what then.

    >>> Isolation(near_duplicate=0.6, contained=0.9, leaks="stop").leaks
    'stop'
    """

    near_duplicate: float
    """Jaccard similarity, above 0 and at most 1, from which two inputs count as the same."""
    contained: float
    """Share of an eval input, above 0 and at most 1, that may not stand in another text."""
    leaks: str
    """stop; drop (take the other line out and go on); allow (go on, and say so everywhere)"""
    suspects: str = "warn"
    """What is done about texts that seem rewritten, and about long answers of eval: warn, leak (as
    about any leak) or ignore (they are not looked for)"""
    paraphrase: float | None = None
    """How many times nearer than the next ones, by cosines of sentence embeddings, an input of
    train or dev is to one of eval that is said to mean the same: above 1, a warning only; None
    embeds nothing."""

    def __post_init__(self) -> None:
        for name in ("near_duplicate", "contained"):
            value = getattr(self, name)
            if not (_number(value) and 0 < value <= 1):  # NaN is in no range
                raise ConfigError(
                    f"isolation.{name}={value}: must be a number above 0 and at most 1; to go on "
                    "in spite of leaks, set isolation.leaks=allow"
                )
        ratio = self.paraphrase
        if ratio is not None and not (_number(ratio) and 1 < ratio <= MOST_RATIO):
            raise ConfigError(
                f"isolation.paraphrase={ratio}: must be a ratio above 1 and at most {MOST_RATIO}, "
                "1.3 for instance, or null, which looks for no paraphrases"
            )
        for name, choices in (
            ("leaks", ("stop", "drop", "allow")),
            ("suspects", ("warn", "leak", "ignore")),
        ):
            if getattr(self, name) not in choices:
                raise ConfigError(
                    f"isolation.{name}={getattr(self, name)}: is not one of {', '.join(choices)}"
                )

    def certify(self, task: Task, encoder: Encoder | None = None) -> tuple[Task, Certificate]:
        """Check a task before anything runs. Raises LeakError that names both lines.

        Without an `encoder` no paraphrases are looked for.
        """
        splits = _splits(task)
        found = self._look(task, splits)
        leaks = [leak for each in found.values() for leak in each.leaks]
        suspects = [leak for each in found.values() for leak in each.suspects]
        if self.suspects == "leak":
            leaks, suspects = [*leaks, *suspects], []
        if leaks and self.leaks == "stop":
            raise LeakError(leak_message(leaks))
        if self.leaks == "drop" and (fixed := [leak for leak in leaks if leak.split in FIXED]):
            raise LeakError(f"{leak_message(fixed)}; {FIXED[fixed[0].split]}")
        decision = "sealed" if not leaks else {"drop": "dropped", "allow": "allowed"}[self.leaks]
        thresholds = {"near_duplicate": self.near_duplicate, "contained": self.contained}
        if self.paraphrase and encoder:
            thresholds["paraphrase"] = self.paraphrase
            suspects += self._paraphrases(task, encoder, [*leaks, *suspects])
        certificate = Certificate(
            method=f"ids, groups, normalized text, character {GRAM}-grams (exact Jaccard)",
            thresholds=thresholds,
            compared={name: len(rows) for name, rows in splits.items()},
            closest={name: each.closest for name, each in found.items() if each.closest},
            leaks=tuple(leaks),
            decision=decision,
            suspects=tuple(suspects),
        )
        if decision == "dropped":
            task = _without(task, leaks)
        elif task.update and leaks:
            allowed = len(certificate.concerning([UPDATED]).leaks)
            task = replace(task, update=replace(task.update, leaks=allowed))
        return task, certificate

    def leaks_of(self, text: str, name: str, task: Task) -> list[Leak]:
        """Where a prompt called `name` says what eval asks, as a whole or in one of its lines, or
        has a long target of eval in it.

        Labels are no secret, and a short target may stand anywhere: neither is looked for.
        """
        rows = _parts(text, name)
        leaks = self._compare(name, task.eval, rows).leaks
        if task.materials.answer.labels is None:
            targets = [replace(e, input=e.target, gold_passages=()) for e in task.eval]
            long = [e for e in targets if len(normalize(e.input)) >= SHORTEST + GRAM]
            leaks += self._compare(name, long, rows).leaks if long else []
        return leaks

    def found_in(self, task: Task, what: str, texts: Sequence[Passage]) -> list[Leak]:
        """What of eval's inputs stands in texts that are no part of the task, called `what`."""
        return self._compare(what, task.eval, texts).leaks

    def _look(
        self, task: Task, splits: Mapping[str, Sequence[Example | Passage]]
    ) -> dict[str, Found]:
        """What was found in each split."""
        looking = self.suspects != "ignore"
        sealed = Sealed(task.eval, self.near_duplicate, self.contained, rewritten=looking)
        hidden = answers.secrets(task, answers.LONG) if looking else {}
        found: dict[str, Found] = {}
        for name, rows in splits.items():
            if name == UPDATED and task.update:
                later = replace(task, eval=task.update.eval)
                sealed = Sealed(later.eval, self.near_duplicate, self.contained, rewritten=looking)
                hidden = answers.secrets(later, answers.LONG) if looking else {}
            found[name] = compare(sealed, name, rows)
            if name == INSTRUCTIONS:
                found[name].suspects += answers.in_instructions(task) if looking else []
            elif name != TOOLS:
                found[name].suspects += answers.in_rows(hidden, name, rows)
        return found

    def _compare(
        self, split: str, sealed: Sequence[Example], rows: Sequence[Example | Passage]
    ) -> Found:
        table = Sealed(sealed, self.near_duplicate, self.contained, rewritten=False)
        return compare(table, split, rows)

    def _paraphrases(self, task: Task, encoder: Encoder, found: Sequence[Leak]) -> list[Leak]:
        assert self.paraphrase is not None
        known = {(leak.pair.eval_where, leak.pair.where) for leak in found}
        m = task.materials
        rows = [(split, e) for split in ("train", "dev") for e in getattr(m, split)]
        return paraphrases(encoder, task.eval, rows, self.paraphrase, known)


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _splits(task: Task) -> dict[str, Sequence[Example | Passage]]:
    """What eval is compared with, by name."""
    m = task.materials
    splits: dict[str, Sequence[Example | Passage]] = {
        "train": m.train, "dev": m.dev, "corpus": m.corpus
    }  # fmt: skip
    told = [
        part
        for name, text in m.instructions.items()
        for part in _parts(text, answers.told_in(name))
    ]
    if told:
        splits[INSTRUCTIONS] = told
    found_by_tools = tuple(
        Passage(where, "", text, where) for tool in m.tools.values() for where, text in tool.texts()
    )
    if found_by_tools:
        splits[TOOLS] = found_by_tools
    if task.update:  # what it looks up must not hold its questions either
        splits[UPDATED] = task.update.corpus
    return splits


def _parts(text: str, where: str) -> list[Passage]:
    """A prompt as a whole, and line by line."""
    parts = [part for part in dict.fromkeys([text, *text.splitlines()]) if normalize(part)]
    return [Passage("", "", part, where) for part in parts]


def _without(task: Task, leaks: Sequence[Leak]) -> Task:
    """The task without the lines that leak; eval stays what it is."""
    gone = {leak.pair.where for leak in leaks}
    m = task.materials
    kept = replace(
        m,
        train=tuple(e for e in m.train if e.where not in gone),
        dev=tuple(e for e in m.dev if e.where not in gone),
        corpus=tuple(p for p in m.corpus if p.where not in gone),
    )
    update = task.update
    if update:
        update = replace(update, corpus=tuple(p for p in update.corpus if p.where not in gone))
    if not kept.train or not kept.dev:
        raise LeakError(
            f"all of {'train' if not kept.train else 'dev'} leaks into eval; make new splits"
        )
    return replace(task, materials=kept, update=update)
