"""Tasks with a copy of an eval input somewhere."""

from __future__ import annotations

from dataclasses import replace

from harness.evidence.isolation import Isolation
from harness.task import Example, Task

STOP = Isolation(near_duplicate=0.6, contained=0.9, leaks="stop")
LONG = (
    "The zip of my winter sleeping bag broke on the second night and I am still cold, please help."
)
TICKET = (
    "Hello there. I bought the green three-man tent from your shop in Keswick at Easter, order "
    "LF-20417, and the zip of the inner door has split along its lower half. We pitched it four "
    "times in all. Would you mend it or send another before our walk in June? Kind regards, Maud"
)
OTHERS = (
    "My points are missing although the order went through in March and was paid by card.",
    "Where is the blue jacket? The courier says it was left with a neighbour, but nobody has it.",
)


def planted(task: Task, text: str, into: str = "train", victim: str = LONG, **changes: str) -> Task:
    """The task with `victim` in eval and a copy of it, changed to `text`, in another split."""
    sealed = replace(task.eval[0], input=victim, gold_passages=(), where="eval.jsonl:1")
    m = task.materials
    if into == "corpus":
        page = replace(m.corpus[0], text=text, where="corpus.jsonl:1")
        m = replace(m, corpus=(page, *m.corpus[1:]))
    else:
        rows: tuple[Example, ...] = getattr(m, into)
        copy = replace(rows[0], input=text, where=f"{into}.jsonl:1", **changes)  # type: ignore[arg-type]
        m = replace(m, **{into: (copy, *rows[1:])})
    return replace(task, materials=m, eval=(sealed, *task.eval[1:]))
