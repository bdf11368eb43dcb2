"""Facts that change: a second corpus, and what is right from then on for the same questions.

An update comes as two files (`corpus` and `eval`, whose lines name questions of eval by id) or as
one (`facts`, lines old → new) that is applied to the task's own corpus and targets. It is no
material: whatever learns is done before it is read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.answer import Answer
from harness.answer.format import accepted_by
from harness.corpus import check_sources, name_of, read_corpus, sources_of
from harness.errors import ConfigError, TaskError
from harness.home import located
from harness.sources import Row, check_cells, read_file
from harness.task import Example, Passage, Update

__all__ = ["load_update"]

FORMS = ({"corpus", "eval"}, {"facts"})
COLUMNS = ("id", "target", "sources", "input", "group", "tags")
"""Of a line of the second eval; the last two may stand there and change nothing."""

Examples = Sequence[Example]
Passages = Sequence[Passage]


@dataclass(frozen=True)
class _Fact:
    """A text that gives way to another."""

    old: str
    new: str
    within: tuple[str, ...]
    """Ids of the passages in which it changes, with the questions that they govern; empty: all."""
    where: str

    def holds(self, *passages: str) -> bool:
        """Whether it changes one of these passages, or a question that they govern."""
        return not self.within or any(one in self.within for one in passages)


def load_update(
    files: Mapping[str, str], corpus: Passages, sealed: Examples, answer: Answer, *, drawn: bool
) -> Update:
    """Read and check an update of a task with this corpus and eval.

    `drawn` says that eval is a part of its file, so that other ids than its own are left out.
    Raises ConfigError for other files than an update has, TaskError with file, line and fix.
    """
    if not isinstance(files, Mapping) or set(files) not in FORMS:
        raise ConfigError(
            f"task.update={files}: is no update; give corpus and eval (two files), or facts (one)"
        )
    paths = {name: Path(located(str(file))) for name, file in files.items()}
    for name, path in paths.items():
        if not path.is_file():
            raise TaskError(f"{path}: no such file; write it or fix task.update.{name}")
    passages: Passages
    examples: Examples
    if "facts" in paths:
        passages, examples = _by_facts(paths["facts"], corpus, sealed, answer)
    else:
        passages = read_corpus(paths["corpus"])
        examples = _by_id(paths["eval"], sealed, answer, drawn)
    check_sources(examples, passages)
    if all(new.target == old.target for new, old in zip(examples, sealed, strict=True)):
        last = list(paths.values())[-1]
        raise TaskError(f"{last}: changes no target of eval; fix it, or leave task.update out")
    return Update(tuple(passages), tuple(examples))


def _by_id(path: Path, sealed: Examples, answer: Answer, drawn: bool) -> list[Example]:
    """The questions of eval with the targets of a file, each of them once."""
    known = {e.id: e for e in sealed}
    found: dict[str, Example] = {}
    for row in read_file(path):
        identity = _identity(row)
        if identity in found:
            first = found[identity].where
            raise TaskError(f"{row.where}: id '{identity}' stands at {first} too; delete one")
        if identity in known:
            found[identity] = _renewed(known[identity], row, answer)
        elif not drawn:
            raise TaskError(
                f"{row.where}: id '{identity}' is no question of eval; fix the id or delete the "
                "line"
            )
    for e in sealed:
        if e.id not in found:
            raise TaskError(
                f"{path}: has no line for id '{e.id}' ({e.where}); add it, with its old target if "
                "that stays right"
            )
    return [found[e.id] for e in sealed]


def _identity(row: Row) -> str:
    for column in row.values:
        if column not in COLUMNS:
            raise TaskError(
                f"{row.where}: unknown column '{column}'; known are {', '.join(COLUMNS)}"
            )
    check_cells(row.values, row.where)
    identity = name_of(row.values, "id", row.where)
    if identity is None:
        raise TaskError(f"{row.where}: has no 'id'; add that of the question in eval")
    return identity


def _renewed(example: Example, row: Row, answer: Answer) -> Example:
    """A question with the target and the sources that a line gives it."""
    values = row.values
    if values.get("input", example.input) != example.input:
        raise TaskError(
            f"{row.where}: input is not that of {example.where}; an update asks the same "
            "questions: leave the input out"
        )
    if values.get("target") in ("", None):
        raise TaskError(f"{row.where}: has no 'target'; add it")
    try:
        target = answer.write(values["target"])
        accepted = accepted_by(answer, values["target"])
    except ValueError as error:
        raise TaskError(f"{row.where}: {error}; fix the line or the answer format") from error
    told = values.get("sources") is not None
    sources = sources_of(values["sources"], row.where) if told else example.gold_passages
    renewed = replace(example, target=target, accepted=accepted)
    return replace(renewed, gold_passages=sources, where=row.where)


def _by_facts(
    path: Path, corpus: Passages, sealed: Examples, answer: Answer
) -> tuple[list[Passage], list[Example]]:
    """The corpus and the questions with every fact of a file in the place of the old one."""
    facts = _facts(path)
    for fact in facts:
        _check_found(fact, corpus)
    _check_apart(facts)
    passages = [_passage(p, facts, path) for p in corpus]
    seen: dict[str, Passage] = {}
    for passage in passages:
        if passage.id in seen:
            raise TaskError(f"{path}: makes '{passage.id}' the id of two passages; fix a 'new'")
        seen[passage.id] = passage
    return passages, [_example(e, facts, path, answer) for e in sealed]


def _facts(path: Path) -> list[_Fact]:
    facts = []
    for row in read_file(path):
        for column in row.values:
            if column not in ("old", "new", "in"):
                raise TaskError(f"{row.where}: unknown column '{column}'; known are old, new, in")
        old, new = (name_of(row.values, name, row.where) for name in ("old", "new"))
        if old is None or new is None or old == new:
            raise TaskError(f"{row.where}: a fact needs 'old' and another 'new'; fix the line")
        facts.append(_Fact(old, new, sources_of(row.values.get("in"), row.where, "in"), row.where))
    return facts


def _check_found(fact: _Fact, corpus: Passages) -> None:
    """Raise TaskError for a fact that does not stand where it is to change."""
    ids = {passage.id for passage in corpus}
    for one in fact.within:
        if one not in ids:
            raise TaskError(f"{fact.where}: in '{one}' is not in the corpus; fix the id")
    saying = {p.id for p in corpus if fact.holds(p.id) and _says(p, fact.old)}
    if not saying or not saying >= set(fact.within):
        place = next((one for one in fact.within if one not in saying), "the corpus")
        raise TaskError(f"{fact.where}: old '{fact.old}' does not stand in {place}; fix the line")


def _check_apart(facts: Sequence[_Fact]) -> None:
    """Raise TaskError for two facts that change the same text in the same passage."""
    by_old: dict[str, list[_Fact]] = {}
    for fact in facts:
        for other in by_old.setdefault(fact.old, []):
            if not fact.within or other.holds(*fact.within):
                raise TaskError(
                    f"{fact.where}: old '{fact.old}' stands at {other.where} too; delete one, or "
                    "name other passages under 'in'"
                )
        by_old[fact.old].append(fact)


def _passage(passage: Passage, facts: Sequence[_Fact], path: Path) -> Passage:
    ours = _ours(facts, passage.id)
    return Passage(
        ours.get(passage.id, passage.id),
        _replaced(passage.title, ours),
        _replaced(passage.text, ours),
        f"{passage.where} with {path}",
    )


def _example(example: Example, facts: Sequence[_Fact], path: Path, answer: Answer) -> Example:
    """A question with its facts changed: in the target, and in the ids of its passages."""
    where = f"{example.where} with {path}"
    text = _replaced(example.target, _ours(facts, *example.gold_passages))
    try:
        target = answer.write(text)
    except ValueError as error:
        raise TaskError(f"{where}: {error}; fix the facts or the answer format") from error
    sources = tuple(_ours(facts, one).get(one, one) for one in example.gold_passages)
    return replace(example, target=target, accepted="", gold_passages=sources, where=where)


def _ours(facts: Sequence[_Fact], *passages: str) -> dict[str, str]:
    """Old → new in these passages, and in the questions that they govern."""
    return {fact.old: fact.new for fact in facts if fact.holds(*passages)}


def _says(passage: Passage, text: str) -> bool:
    return passage.id == text or any(
        _replaced(part, {text: ""}) != part for part in (passage.title, passage.text)
    )


def _replaced(text: str, facts: Mapping[str, str]) -> str:
    """A text with each old fact, as a whole word, replaced by the new one; all at once, so that
    two facts may change places."""
    if not any(old in text for old in facts):
        return text
    longest_first = sorted(facts, key=len, reverse=True)
    either = "|".join(map(re.escape, longest_first))
    return re.sub(rf"(?<!\w)(?:{either})(?!\w)", lambda match: facts[match[0]], text)
