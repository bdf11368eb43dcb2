"""Questions of the Berkeley Function-Calling Leaderboard, out of its wheel, as rows of a task.

Its files have the questions with their functions, and, apart from them, the acceptable values of
the calls; both are joined by id. Functions become JSON Schema.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from scipy.cluster.hierarchy import DisjointSet

from harness.answer.functions import declaring
from harness.errors import TaskError
from harness.evidence.isolation import similar_pairs
from harness.files import write_whole
from harness.models.weights import Weights, cache_folder, digest
from harness.values import AtLeastOne, Instance, settings

__all__ = ["FILES", "Bfcl", "rows"]

FILES = {
    "simple": "simple_python",
    "multiple": "multiple",
    "parallel": "parallel",
    "irrelevance": "irrelevance",
}
"""Categories by the names of their files; the last one wants no call, and so has no answers."""

TYPES = {"dict": "object", "float": "number", "tuple": "array"}
"""Its names of types that JSON Schema has under another."""


NEARLY_THE_SAME = 0.6
"""Jaccard similarity from which two inputs are near-duplicates, as conf/config.yaml has it for the
isolation check."""


@settings("task.source")
class Bfcl:
    """As many questions of each category, in groups that share no function with another group, nor
    questions that are nearly the same.

    Questions with several functions tie groups together; one that would make a group of more than
    `largest_group` questions is left out, as one group would otherwise hold a third of all.
    """

    data: Instance[Weights]
    """The folder `bfcl_eval/data`."""
    each: AtLeastOne
    """Questions of each category at most."""
    largest_group: AtLeastOne

    def resolve(self) -> Path:
        """A JSONL file of the questions, in the cache. Raises TaskError, WeightsError."""
        chosen = _chosen(list(rows(self.data.resolve())), self.each, self.largest_group)
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in chosen)
        key = hashlib.sha256(text.encode()).hexdigest()[:12]
        path = cache_folder("tasks") / f"bfcl-{key}.jsonl"
        if not path.exists():
            write_whole(path, text)
        return path

    def fingerprint(self) -> str:
        """The SHA-256 of that file."""
        return digest(self.resolve())


def rows(folder: Path) -> Iterator[dict[str, Any]]:
    """All questions of the four categories, without groups. Raises TaskError."""
    for category, name in FILES.items():
        answers = {}
        if category != "irrelevance":
            path = folder / "possible_answer" / f"BFCL_v4_{name}.json"
            answers = {row["id"]: row["ground_truth"] for row in _lines(path)}
        for question in _lines(folder / f"BFCL_v4_{name}.json"):
            yield _row(category, question, answers.get(question["id"], []))


def _lines(path: Path) -> Iterator[Mapping[str, Any]]:
    """The objects of a file that has one on each line, whatever its ending."""
    if not path.is_file():
        raise TaskError(f"{path}: no such file; task.source.data.path must be bfcl_eval/data")
    with path.open(encoding="utf-8") as file:
        yield from (json.loads(line) for line in file if line.strip())


def _row(category: str, question: Mapping[str, Any], truth: Sequence[Any]) -> dict[str, Any]:
    functions = [_function(f) for f in question["function"]]
    [[turn]] = question["question"]
    calls = [_call(name, values, functions) for one in truth for name, values in one.items()]
    return {
        "id": question["id"],
        # The request first: embeddings read the beginning of a text.
        "input": declaring(f"Request: {turn['content'].strip()}", functions),
        "target": {"calls": calls, "functions": functions},
        "tags": {"category": category},
    }


def _function(function: Mapping[str, Any]) -> dict[str, Any]:
    return {**function, "parameters": _schema(function["parameters"])}


def _schema(rules: Mapping[str, Any]) -> dict[str, Any]:
    """JSON Schema of what is one but for the names of types."""
    made = {k: v for k, v in rules.items() if (k, v) != ("type", "any")}
    if "type" in made:
        made["type"] = TYPES.get(made["type"], made["type"])
    if "items" in made:
        made["items"] = _schema(made["items"])
    if "properties" in made:
        made["properties"] = {name: _schema(below) for name, below in made["properties"].items()}
    return made


def _call(
    name: str, values: Mapping[str, Sequence[Any]], functions: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """A call and its acceptable values; a required argument may never be left out."""
    [function] = [f for f in functions if f["name"] == name]
    required = function["parameters"].get("required", [])
    arguments = {
        argument: [v for v in accepted if v != "" or argument not in required] or list(accepted)
        for argument, accepted in values.items()
    }
    return {"name": name, "arguments": arguments}


def _chosen(questions: Sequence[dict[str, Any]], each: int, largest: int) -> list[dict[str, Any]]:
    """The rows that are kept, in their order, with their groups."""
    ties = _ties(questions)
    sets = DisjointSet({tie for several in ties.values() for tie in several})
    size: Counter[str] = Counter()
    taken: Counter[str] = Counter()
    kept = set()
    # What ties nothing together first: it always fits.
    for row in sorted(questions, key=lambda r: (len(ties[r["id"]]) > 1, _hash_order(r["id"]))):
        ours, category = ties[row["id"]], row["tags"]["category"]
        together = sum(size[root] for root in {sets[tie] for tie in ours}) + 1
        if taken[category] == each or together > largest:
            continue
        for one, other in pairwise(ours):
            sets.merge(one, other)
        size[sets[ours[0]]] = together
        taken[category] += 1
        kept.add(row["id"])
    return [
        {**r, "group": min(sets.subset(ties[r["id"]][0]))} for r in questions if r["id"] in kept
    ]


def _ties(questions: Sequence[dict[str, Any]]) -> dict[str, list[str]]:
    """By a question's id what it may not share with another split: its functions, and `~` with two
    ids for each question that is nearly the same."""
    ties = {row["id"]: [f["name"] for f in row["target"]["functions"]] for row in questions}
    for i, j, _ in similar_pairs([row["input"] for row in questions], NEARLY_THE_SAME):
        one, other = questions[i]["id"], questions[j]["id"]
        ties[one].append(f"~{one} {other}")
        ties[other].append(f"~{one} {other}")
    return ties


def _hash_order(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
