"""What generated tasks are made of: words, invented names, and the files of a task."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import yaml

from harness.files import write_whole

__all__ = ["COLOURS", "Files", "Row", "names", "objects", "split"]

COLOURS = ("red", "blue", "green", "black", "white", "yellow", "brown", "pink")
MADE_OF = (
    "copper", "wooden", "silver", "paper", "cotton", "leather", "marble", "plastic", "bamboo",
    "velvet", "granite", "rubber", "linen", "bronze", "ceramic", "woollen", "glass", "iron",
    "golden", "rusty", "broken", "little", "heavy", "square", "hollow", "narrow", "ancient",
    "painted", "striped", "folded",
)  # fmt: skip
THINGS = (
    "lamp", "table", "bucket", "ladder", "kettle", "mirror", "basket", "candle", "pillow",
    "hammer", "bottle", "carpet", "drawer", "wheel", "brush", "clock", "spoon", "shelf", "violin",
    "helmet", "anchor", "button", "curtain", "fence", "jacket", "needle", "oven", "pencil",
    "saddle", "trumpet",
)  # fmt: skip
SYLLABLES = (
    "ta", "vri", "mol", "den", "kes", "lu", "bra", "nor", "fi", "gan", "hel", "pro", "sim", "ru",
    "dov", "cal", "wen", "jo", "zar", "mi", "thu", "ost", "ber", "lin",
)  # fmt: skip

Row = dict[str, Any]


@dataclass(frozen=True)
class Files:
    """A task as a user would bring it."""

    splits: Mapping[str, Sequence[Row]]
    """`train`, `dev` and `eval`."""
    full: str
    """What an untuned model is told."""
    short: str
    """What a tuned model is told."""
    answer: Mapping[str, Any]
    """Of the task's YAML: the answer format."""
    primary: str
    question: str = "{input}"
    max_new_tokens: int = 16
    corpus: Sequence[Row] = ()
    schema: Mapping[str, Any] = field(default_factory=dict)
    """Of JSON answers; without one there is no schema file."""
    sql: str = ""
    """Statements that make a database, `store.sql`; {folder} in `tools` is where it lies."""
    tools: Mapping[str, Any] = field(default_factory=dict)
    """Of the task's YAML."""

    def write(self, name: str, root: Path) -> None:
        """`tasks/<name>/` and `conf/task/<name>.yaml` below a folder."""
        folder, conf = root / "tasks" / name, root / "conf" / "task" / f"{name}.yaml"
        folder.mkdir(parents=True, exist_ok=True)
        conf.parent.mkdir(parents=True, exist_ok=True)
        for part, rows in {**self.splits, "corpus": self.corpus}.items():
            if rows:
                lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in rows]
                write_whole(folder / f"{part}.jsonl", "".join(lines))
        write_whole(folder / "instructions.full.md", self.full + "\n")
        write_whole(folder / "instructions.short.md", self.short + "\n")
        answer = dict(self.answer)
        if self.schema:
            write_whole(folder / "schema.json", json.dumps(self.schema, indent=1))
            answer["schema"] = str(folder / "schema.json")
        about: dict[str, Any] = {
            "_target_": "harness.load.load_task",
            "name": name,
            "folder": str(folder),
            "question": self.question,
            "answer": answer,
            "max_new_tokens": self.max_new_tokens,
            "primary": self.primary,
            "licence": "CC0-1.0",
        }
        if self.sql:
            write_whole(folder / "store.sql", self.sql)
            tools = json.dumps(self.tools).replace("{folder}", str(folder))
            about["tools"] = json.loads(tools)
        write_whole(conf, yaml.safe_dump(about, sort_keys=False))


def objects(rng: random.Random, count: int) -> list[str]:
    """So many different things of two words, in a random order."""
    every = [" ".join(pair) for pair in product(MADE_OF, THINGS)]
    return rng.sample(every, count)


def names(rng: random.Random, count: int) -> list[str]:
    """So many invented names of people; no two share their first or their last name."""
    every = ["".join(parts).capitalize() for parts in product(SYLLABLES, repeat=3)]
    drawn = rng.sample(every, 2 * count)
    return [" ".join(pair) for pair in zip(drawn[:count], drawn[count:], strict=True)]


def split(rows: Sequence[Row], dev: int, sealed: int) -> dict[str, list[Row]]:
    """Rows dealt into eval, dev and, with what is left, train; numbered within each."""
    parts = {
        "eval": rows[:sealed],
        "dev": rows[sealed : sealed + dev],
        "train": rows[sealed + dev :],
    }
    return {
        name: [{"id": f"{name}-{i}", **row} for i, row in enumerate(part)]
        for name, part in parts.items()
    }
