"""Seven tasks whose truth is known because they were made that way.

Each has one thing that stands in a small model's way, and only one; what is hard about it is small
enough for 135 million parameters.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

from harness.diagnose.material import COLOURS, THINGS, Files, names, objects, split

__all__ = ["KNOWN", "Known"]

TEXT = {"_target_": "harness.answer.Text"}
LABEL = {"_target_": "harness.answer.Label"}
JSON = {"_target_": "harness.answer.Json"}

TRAIN, DEV, EVAL = 200, 32, 100
HABIT = 100
"""More training examples where there is a habit to learn."""
DESKS = ("harbour", "meadow", "tower", "bridge", "garden")
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday")


@dataclass(frozen=True)
class Known:
    """A task, and what a good adviser would say of it."""

    name: str
    truth: str
    """In words."""
    make: Callable[[random.Random], Files]
    rungs: Sequence[str]
    """Those that run."""
    outcomes: Collection[str]
    """Outcomes of the recommendation that are true."""
    advised: Collection[str] = ()
    """Rungs that may be advised; none: whatever the outcome says."""
    kinds: Collection[str] = ()
    """Kinds of problem that are true; none: it does not matter."""
    leaks: bool = False
    """Whether eval leaks, so that the first attempt must be refused."""
    needs: str = ""
    """A rung without which it cannot be asked."""


def _knowledge(rng: random.Random) -> Files:
    """Who has which badge: of the people that eval asks about only the corpus knows."""
    people = names(rng, TRAIN + DEV + EVAL)
    rows, corpus = [], []
    for i, person in enumerate(people):
        colour = rng.choice(COLOURS)
        corpus.append({"id": f"B-{i:03d}", "text": f"{person} has a {colour} badge."})
        rows.append({"input": person, "target": colour, "sources": [f"B-{i:03d}"]})
    return Files(
        split(rows, DEV, EVAL),
        corpus=corpus,
        full="Name the colour of a person's badge: {labels}. If there is a note about the person, "
        "it says the colour.",
        short="Name the colour of the badge.",
        question="Which colour is the badge of {input}?",
        answer=LABEL,
        primary="accuracy",
    )


def _format(rng: random.Random) -> Files:
    """The thing that was asked for, letter for letter, in a form that is hard to write."""
    # Behind an article a copy has the tokens of the original: behind a quotation mark small models
    # write another word.
    rows = [
        {"input": thing, "target": {"entry": {"item": f"the {thing}"}, "unit": "pc", "form": "2-1"}}
        for thing in objects(rng, TRAIN + DEV + EVAL)
    ]
    words = {"type": "string", "pattern": "^the [a-z]+ [a-z]+$", "maxLength": 28}
    entry = {"type": "object", "properties": {"item": words}, "additionalProperties": False}
    return Files(
        split(rows, DEV, EVAL),
        full="Copy the item, letter for letter, into the entry of form 2-1. The unit is pc.",
        short="Copy the item into form 2-1.",
        question="Item: the {input}",
        answer=JSON,
        primary="exact",
        max_new_tokens=64,
        schema={
            "type": "object",
            "additionalProperties": False,
            "required": ["entry", "unit", "form"],
            "properties": {
                "entry": {**entry, "required": ["item"], "x-kind": "format"},
                "unit": {"enum": ["pc"], "x-kind": "format"},
                "form": {"enum": ["2-1"], "x-kind": "format"},
            },
        },
    )  # fmt: skip


def _behaviour(rng: random.Random) -> Files:
    """Which desk a parcel goes to: the day decides, which no text says, and which a search for
    similar parcels hardly looks at."""
    desk = dict(zip(DAYS, rng.sample(DESKS, len(DAYS)), strict=True))
    count = TRAIN + HABIT + DEV + EVAL
    things, rows = objects(rng, 2 * count), []
    for i in range(count):
        day = rng.choice(DAYS)
        text = f"{things[2 * i]} and {things[2 * i + 1]}, {day}"
        rows.append({"input": text, "target": f"{desk[day]} desk"})
    return Files(
        split(rows, DEV, EVAL),
        full="Say to which desk the parcel goes, as this house does it. Write the desk and nothing "
        "else.",
        short="Say to which desk the parcel goes.",
        question="Parcel: {input}",
        answer=TEXT,
        primary="exact",
        max_new_tokens=8,
    )


def _examples(rng: random.Random) -> Files:
    """A turn of phrase that two examples show as well as two hundred."""
    rows = [
        {"input": thing, "target": f"one {thing}, noted"}
        for thing in objects(rng, TRAIN + DEV + EVAL)
    ]
    return Files(
        split(rows, DEV, EVAL),
        full="Confirm the item in the phrase of this house. Write nothing else.",
        short="Confirm the item.",
        question="Item: {input}",
        answer=TEXT,
        primary="exact",
        max_new_tokens=12,
    )


def _nothing(rng: random.Random) -> Files:
    """Targets that were drawn blindly."""
    rows = [
        {"input": thing, "target": rng.choice(THINGS)}
        for thing in objects(rng, TRAIN + DEV + 3 * EVAL)
    ]
    return Files(
        split(rows, DEV, 3 * EVAL),
        full="Name the partner of the item: {labels}.",
        short="Name the partner of the item.",
        question="Item: {input}",
        answer={**LABEL, "labels": list(THINGS)},
        primary="accuracy",
    )


def _leaked(rng: random.Random) -> Files:
    """What eval asks stands in train, answers and all."""
    files = _behaviour(rng)
    seen = [{**row, "id": f"copy-{i}"} for i, row in enumerate(files.splits["eval"])]
    train = [*files.splits["train"], *seen]
    return replace(files, splits={**files.splits, "train": train})


def _action(rng: random.Random) -> Files:
    """Today's stock, which nobody wrote down: only a look into the store tells."""
    stock = {thing: rng.randrange(1000, 10_000) for thing in objects(rng, TRAIN + DEV + EVAL)}
    rows = [
        {
            "input": thing,
            "target": str(count),
            "calls": [{"tool": "stock", "arguments": {"item": thing}}],
        }
        for thing, count in stock.items()
    ]
    lines = [f"INSERT INTO stock VALUES ('{thing}', {count});" for thing, count in stock.items()]
    item = {"type": "string", "pattern": "^[a-z]+ [a-z]+$", "maxLength": 24}
    tool = {
        "_target_": "harness.toolbox.Sql",
        "description": "How many of an item are in stock now.",
        "database": "{folder}/store.sql",
        "query": "SELECT count FROM stock WHERE item = :item",
        "parameters": {
            "type": "object",
            "properties": {"item": item},
            "required": ["item"],
            "additionalProperties": False,
        },
    }
    return Files(
        split(rows, DEV, EVAL),
        full="Say how many of the item are in stock now. Write the number and nothing else.",
        short="Say how many are in stock.",
        question="Item: {input}",
        answer=TEXT,
        primary="exact",
        max_new_tokens=8,
        sql="\n".join(["CREATE TABLE stock (item TEXT PRIMARY KEY, count INTEGER);", *lines])
        + "\n",
        tools={"stock": tool},
    )


UNTRAINED = ("prompt", "few_shot")
WITHOUT_CORPUS = (*UNTRAINED, "lora")
LADDER = (*UNTRAINED, "rag", "lora", "rag_lora")

KNOWN = (
    Known("format_only", "the content is given, the layout is hard: the constraint is enough",
          _format, WITHOUT_CORPUS, {"use"}, {"prompt"}, {"format"}),
    Known("examples_suffice", "a few examples show all there is: no tuning",
          _examples, WITHOUT_CORPUS, {"use"}, {"few_shot"}, {"behaviour", "format"}),
    Known("nothing_helps", "the targets are noise", _nothing, WITHOUT_CORPUS, {"nothing"}, (),
          {"none"}),
    Known("leaked", "eval stands in train", _leaked, UNTRAINED, {"inflated"}, leaks=True),
    Known("action_only", "the answer is in no text: a tool is needed", _action,
          (*UNTRAINED, "tools"), {"use"}, {"tools"}, {"action"}, needs="tools"),
    Known("behaviour_only", "a habit that no text explains: examples or tuning", _behaviour,
          WITHOUT_CORPUS, {"use", "tune"}, {"few_shot", "lora"}, {"behaviour"}),
    Known("knowledge_only", "facts that only the corpus has: retrieval", _knowledge, LADDER,
          {"use", "tune"}, {"rag", "rag_lora"}, {"knowledge"}),
)  # fmt: skip
"""Those that take least first."""
