"""Inputs that are cut or rewritten: suspected where eval's own texts are less alike."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from bench.edits import EDITS, Source
from harness.evidence.isolation import inputs
from harness.evidence.isolation.inputs import LOWEST, LOWEST_SHORT, UNKNOWN, Rewritten, Sealed
from harness.task import Example, Task
from tests.evidence.isolation.planting import OTHERS, STOP, TICKET, planted

NOUNS = [
    "tent",
    "zip",
    "stove",
    "boot",
    "pole",
    "lamp",
    "jacket",
    "rope",
    "mat",
    "flask",
    "cord",
    "pan",
]
VERBS = ["broke", "leaked", "vanished", "snapped", "arrived", "faded", "shrank", "stank"]
PLACES = ["Leeds", "York", "Hull", "Bath", "Ely", "Wick", "Ayr", "Oban", "Looe", "Bude"]


def tickets(task: Task, count: int, mould: bool, words: int = 26) -> list[Example]:
    """Different texts: of one mould, or of words in any order."""
    rng = Random(0)
    found = []
    for n in range(count):
        noun, verb, place = rng.choice(NOUNS), rng.choice(VERBS), rng.choice(PLACES)
        text = f"what was the name of the town near {place} where the {noun} that we bought {verb}"
        if words > 24:
            text += f" before anyone could say to {rng.choice(PLACES)} what it was for"
        if not mould:
            text = " ".join(rng.choice((*NOUNS, *VERBS, *PLACES)) + str(n) for _ in range(words))
        found.append(replace(task.eval[0], id=f"e{n}", group=f"e{n}", input=text, where=f"e:{n}"))
    return found


@pytest.mark.parametrize(
    "kind",
    [
        "first half alone", "second half alone", "every other pair transposed",
        "20% of words replaced", "30% of words replaced", "every other word replaced",
        "every other word left out", "a word inserted behind every word", "first half embedded",
    ],
)  # fmt: skip
def test_a_text_that_is_cut_or_rewritten_is_suspected(task: Task, kind: str) -> None:
    others = tickets(task, 60, mould=False)
    copy = EDITS[kind](TICKET, Random(0), Source(tuple(" ".join(OTHERS).split()), OTHERS))
    assert copy
    leaky = planted(task, copy, victim=TICKET)
    allowing = replace(STOP, leaks="allow")
    _, certificate = allowing.certify(replace(leaky, eval=(*leaky.eval, *others)))
    assert certificate.decision == "sealed" or kind == "20% of words replaced"
    found = [*certificate.leaks, *certificate.suspects]
    assert [(x.pair.eval_where, x.pair.where) for x in found] == [("eval.jsonl:1", "train.jsonl:1")]


def test_questions_from_one_mould_are_not_suspected(task: Task) -> None:
    eval, train = (tickets(task, count, mould=True) for count in (80, 120))
    own = [replace(e, id=f"t{n}", group=f"t{n}", where=f"t:{n}") for n, e in enumerate(train[80:])]
    found = inputs.compare(Sealed(eval, 0.99, 0.999, rewritten=True), "train", own)
    assert found.suspects == []


def rewritten(examples: list[Example]) -> Rewritten:
    found = Sealed(examples, 0.6, 0.9, rewritten=True).rewritten
    assert found is not None
    return found


def test_how_alike_is_too_much_is_read_from_eval(task: Task) -> None:
    def alike(examples: list[Example]) -> float:
        return rewritten(examples).alike[True]

    assert alike(tickets(task, 60, mould=False)) == LOWEST
    assert alike(tickets(task, 60, mould=True)) > UNKNOWN
    one = [replace(e, group="one") for e in tickets(task, 60, mould=True)]
    assert alike(one) == LOWEST, "of one group texts may be alike"
    assert alike(tickets(task, 10, mould=False)) == UNKNOWN, "too few to say"


def test_short_questions_need_more_in_common_and_very_short_ones_are_not_looked_for(
    task: Task,
) -> None:
    short = rewritten(tickets(task, 60, mould=False, words=14))
    assert short.alike[False] == LOWEST_SHORT
    assert len(short.places) == 60
    assert rewritten(tickets(task, 60, mould=False, words=11)).places == []
