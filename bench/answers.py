"""Eval's long answers, pasted where no rung should find them: is it noticed?"""

from __future__ import annotations

from dataclasses import replace

from rich.console import Console
from rich.table import Table

from harness.evidence.isolation import Isolation
from harness.evidence.isolation.answers import LONG, TELLING, secrets
from harness.task import Example, Passage, Task

__all__ = ["heading", "planted_row", "show_answers"]

ANSWERS = 100
"""Answers planted one by one at most."""


def heading(first: str, *others: str) -> Table:
    """An empty table with these columns, all but the first of numbers."""
    table = Table()
    table.add_column(first)
    for heading in others:
        table.add_column(heading, justify="right")
    return table


def planted_row(e: Example, text: str, number: int) -> Example:
    """A copy that nothing but its text gives away."""
    name = f"planted-{number}"
    return replace(e, id=name, group=name, input=text, where=f"planted:{number}")


def show_answers(task: Task, isolation: Isolation) -> None:
    """Answers of eval, planted one by one: which are secrets, which are found, and where."""
    table = heading("eval's answers", "planted", "found")
    for name, letters, plant in (
        ("in the instructions", TELLING, _told),
        ("in an input of train", LONG, _in_train),
        ("with the question in a passage", LONG, _in_corpus),
        ("alone in a passage", LONG, _alone_in_corpus),
    ):
        hidden = secrets(task, letters)
        chosen = list(hidden.items())[:ANSWERS]
        found = sum(_noticed(plant(task, e, said), e, isolation) for said, e in chosen)
        table.add_row(name, str(len(chosen)), str(found))
    suspects = replace(isolation, leaks="allow").certify(task)[1].suspects
    own = [leak for leak in suspects if leak.kind == "answer"]
    print(f"{task.name}: {len(task.eval)} eval answers; {len(own)} false alarms")
    for leak in own[:3]:
        print(f"  {leak.pair.where}: {leak.pair.eval_text[:100]!r} of {leak.pair.eval_where}")
    Console(width=120).print(table)


def _noticed(task: Task, e: Example, isolation: Isolation) -> bool:
    suspects = replace(isolation, leaks="allow").certify(replace(task, eval=(e,)))[1].suspects
    return any(leak.kind == "answer" for leak in suspects)


def _told(task: Task, e: Example, said: str) -> Task:
    m = task.materials
    told = {name: f"{text}\nFor example: {said}." for name, text in m.instructions.items()}
    return replace(task, materials=replace(m, instructions=told, train=m.train[:8], corpus=()))


def _in_train(task: Task, e: Example, said: str) -> Task:
    m = task.materials
    row = planted_row(m.train[0], f"{m.train[0].input} {said}", 0)
    return replace(task, materials=replace(m, train=(*m.train[:8], row), corpus=()))


def _in_corpus(task: Task, e: Example, said: str) -> Task:
    return _with_passage(task, f"{e.input} {said}")


def _alone_in_corpus(task: Task, e: Example, said: str) -> Task:
    return _with_passage(task, said)


def _with_passage(task: Task, text: str) -> Task:
    m = task.materials
    passage = Passage("planted", "", f"{m.train[0].input} {text} {m.train[1].input}", "planted:0")
    return replace(task, materials=replace(m, train=m.train[:8], corpus=(passage,)))
