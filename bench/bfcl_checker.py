"""Our scores of calls beside those of the leaderboard's own checker, on right and on wrong answers.

    python -m bench.bfcl_checker           # one table
    python -m bench.bfcl_checker --list    # and every disagreement

All questions of the four categories are answered with the target and with edits of it. The checker
is the file of the pinned wheel; what it imports for other languages and for names of models is
replaced by empty modules. tasks/bfcl/README.md has the table and says why they differ.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import Enum
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

from hydra.utils import instantiate
from tabulate import tabulate

from harness.answer import ToolCalls
from harness.bfcl import FILES, Bfcl, rows
from harness.experiment import compose
from harness.models.weights import Wheel

__all__ = ["Disagreement", "checker", "compare", "edits"]

CHECKER = "bfcl_eval/eval_checker/ast_eval/ast_checker.py"
CHECKER_SHA256 = "2aae7a68461a8f76c0be3894c8901b66b56967a1989d3ab066051e3fb97f1538"

Calls = list[dict[str, Any]]
Checker = Callable[[Mapping[str, Any], Calls | None], str | None]
"""A question of the wheel and an answer → why it is wrong, or None."""


class Disagreement(SimpleNamespace):
    """One answer that is right for one side only: `edit`, `id`, `text`, `ours`, `theirs`."""


class Language(Enum):
    PYTHON = "python"
    JAVA = "java"
    JAVASCRIPT = "javascript"


def checker(path: Path) -> Checker:
    """The leaderboard's own, from the file of its wheel."""
    name = SimpleNamespace(underscore_to_dot=False)
    stubs: dict[str, dict[str, Any]] = {
        "constants.enums": {"Language": Language},
        "constants.model_config": {"MODEL_CONFIG_MAPPING": {"any": name}},
        "constants.type_mappings": {"JAVA_TYPE_CONVERSION": {}, "JS_TYPE_CONVERSION": {}},
        "eval_checker.ast_eval.type_convertor.java_type_converter": {"java_type_converter": None},
        "eval_checker.ast_eval.type_convertor.js_type_converter": {"js_type_converter": None},
    }
    for place, members in stubs.items():
        module = ModuleType(f"bfcl_eval.{place}")
        vars(module).update(members)
        sys.modules[module.__name__] = module
    spec = importlib.util.spec_from_file_location("bfcl_ast_checker", path)
    assert spec and spec.loader
    theirs = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(theirs)

    def check(question: Mapping[str, Any], calls: Calls | None) -> str | None:
        category = str(question["category"])
        if category == "irrelevance":  # as its eval_runner has it: what cannot be read is no call
            return "calls a function" if calls else None
        if not calls:
            return "no call"
        given = [{call["name"]: call["arguments"]} for call in calls]
        try:
            found = theirs.ast_checker(
                question["function"],
                given,
                question["ground_truth"],
                Language.PYTHON,
                category,
                "any",
            )
        except (AttributeError, IndexError, KeyError, TypeError) as error:
            return f"raises {type(error).__name__}"
        return None if found["valid"] else str(found["error_type"])

    return check


def questions(folder: Path) -> dict[str, dict[str, Any]]:
    """The wheel's own lines by id, with their answers and category."""
    found: dict[str, dict[str, Any]] = {}
    for category, name in FILES.items():
        for path in (
            folder / f"BFCL_v4_{name}.json",
            folder / f"possible_answer/BFCL_v4_{name}.json",
        ):
            for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
                row = json.loads(line)
                found.setdefault(row["id"], {}).update(row, category=category)
    return found


def edits(target: Mapping[str, Any], answer: ToolCalls) -> Iterator[tuple[str, str]]:
    """Names of edits, and answers: the target as it is taught, and what is made of it."""
    gold: Calls = json.loads(answer.write(target))
    functions = {f["name"]: f["parameters"] for f in target["functions"]}
    yield "the target", json.dumps(gold)
    if gold:
        yield "last acceptable values, optional ones too", json.dumps(_last(target["calls"]))
        yield "no call", "[]"
        yield "first call twice", json.dumps([*gold, gold[0]])
        yield "unknown parameter", json.dumps(_first(gold, lambda c: c | {"nonesuch": 1}))
        yield "other function", json.dumps([{**gold[0], "name": "nonesuch"}, *gold[1:]])
    else:
        name, parameters = next(iter(functions.items()))
        some = {n: _some(r) for n, r in parameters["properties"].items()}
        yield "a call where none is wanted", json.dumps([{"name": name, "arguments": some}])
    yield "unreadable", "I cannot do that."
    if len(gold) > 1:
        yield "calls in reverse", json.dumps(gold[::-1])
        yield "last call missing", json.dumps(gold[:-1])
    for number, call in enumerate(gold):
        properties = functions[call["name"]]["properties"]
        for name, value in call["arguments"].items():

            def with_value(new: Any, number: int = number, name: str = name) -> str:
                calls = json.loads(json.dumps(gold))
                calls[number]["arguments"][name] = new
                return json.dumps(calls)

            less = json.loads(json.dumps(gold))
            del less[number]["arguments"][name]
            yield "an argument missing", json.dumps(less)
            yield "another value", with_value(_other(value))
            if isinstance(value, bool):
                yield "boolean as text", with_value(str(value).lower())
                yield "boolean as 0 or 1", with_value(int(value))
            elif isinstance(value, int | float):
                whole = properties.get(name, {}).get("type") == "integer"
                kind = "integer as 5.0" if whole else "number as 5.0"
                yield kind, with_value(float(value))
                yield "number as text", with_value(json.dumps(value))
                if float(value).is_integer() and not whole:
                    yield "number as 5", with_value(int(value))
            elif isinstance(value, str):
                yield "text in capitals", with_value(value.upper())
                yield (
                    "text without blanks and hyphens",
                    with_value(value.replace(" ", "").replace("-", "")),
                )
                yield "text in a list", with_value([value])
            elif isinstance(value, list):
                yield "list in reverse", with_value(value[::-1])
                yield "list without its last item", with_value(value[:-1])
                yield "list with other numbers' types", with_value([_retyped(v) for v in value])
            elif isinstance(value, dict):
                yield "object with another key", with_value(value | {"nonesuch": 1})
                yield "object with a key missing", with_value(dict(list(value.items())[1:]))
                yield (
                    "object in capitals",
                    with_value(
                        {k: v.upper() if isinstance(v, str) else v for k, v in value.items()}
                    ),
                )


def _first(gold: Calls, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Calls:
    return [{**gold[0], "arguments": change(gold[0]["arguments"])}, *gold[1:]]


def _last(calls: Sequence[Mapping[str, Any]]) -> Calls:
    return [{"name": c["name"], "arguments": _last_of(c["arguments"])} for c in calls]


def _last_of(arguments: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
    said = {n: [v for v in values if v != ""] for n, values in arguments.items()}
    return {n: _below(values[-1]) for n, values in said.items() if values}


def _below(value: Any) -> Any:
    if isinstance(value, dict):
        return _last_of(value)
    return [_below(v) for v in value] if isinstance(value, list) else value


def _some(rules: Mapping[str, Any]) -> Any:
    kinds = {"integer": 1, "number": 1.5, "boolean": True, "array": [], "object": {}}
    return kinds.get(rules.get("type", ""), "some")


def _other(value: Any) -> Any:
    match value:
        case bool():
            return not value
        case int() | float():
            return value + 1
        case str():
            return f"{value} else"
        case list():
            return [*value, _other(value[0]) if value else "else"]
    return {k: _other(v) for k, v in value.items()}


def _retyped(value: Any) -> Any:
    if isinstance(value, list):
        return [_retyped(v) for v in value]
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    return float(value) if isinstance(value, int) else int(value)


def compare(
    folder: Path, check: Checker, every: int = 1
) -> tuple[dict[str, Counter[str]], list[Disagreement]]:
    """Answers by edit and by who calls them right, and those on which the two differ; of every
    question, or only of every n-th."""
    answer = ToolCalls()
    scorer, theirs = answer.scorer(), questions(folder)
    counted: dict[str, Counter[str]] = defaultdict(Counter)
    found = []
    for row in list(rows(folder))[::every]:
        reference = answer.accepted(row["target"])
        for edit, text in edits(row["target"], answer):
            ours = scorer.each(text, reference)["calls"] == 1
            why = check(theirs[row["id"]], answer.parse(text).value)
            counted[edit][f"{'right' if ours else 'wrong'}, {'wrong' if why else 'right'}"] += 1
            if ours is (why is not None):
                found.append(
                    Disagreement(edit=edit, id=row["id"], text=text, ours=ours, theirs=why)
                )
    return counted, found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--list", action="store_true", help="every disagreement")
    listed = parser.parse_args().list
    source: Bfcl = instantiate(compose(["+task=bfcl"])[0].config.task.source)
    assert isinstance(source.data, Wheel)
    path = Wheel(source.data.requirement, CHECKER, CHECKER_SHA256).resolve()
    counted, found = compare(source.data.resolve(), checker(path))
    columns = ["right, right", "wrong, wrong", "right, wrong", "wrong, right"]
    lines = [[edit, *(counts[c] for c in columns)] for edit, counts in counted.items()]
    total = ["all", *(sum(counts[c] for counts in counted.values()) for c in columns)]
    headings = ["answer", "both right", "both wrong", "ours alone right", "theirs alone right"]
    print(tabulate([*lines, total], headings, tablefmt="github"))
    reasons = Counter((d.edit, "ours" if d.ours else "theirs", str(d.theirs)) for d in found)
    print()
    print(
        tabulate(
            [[*reason, n] for reason, n in reasons.most_common()],
            ["answer", "right for", "their reason", "n"],
            tablefmt="github",
        )
    )
    for d in found if listed else ():
        print(f"\n{d.id} ({d.edit}): ours {d.ours}, theirs {d.theirs}\n  {d.text}")


if __name__ == "__main__":
    main()
