"""A task's YAML and its data, spoilt: refused in one line, or read as they were meant."""

from __future__ import annotations

import csv
import io
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import SCHEMA, example
from tests.generated import edge as edges
from tests.generated.conftest import SETTINGS, Edge
from tests.generated.damage import Damage, changed, copied, cut, flipped, odd, whole
from tests.generated.edge import generated, snapshot

DATA = (
    "train.jsonl", "dev.jsonl", "eval.jsonl", "corpus.jsonl", "schema.json", "instructions.full.md",
    "instructions.short.md",
)  # fmt: skip
FIELDS = ("id", "input", "target", "group", "sources", "tags", "passage", "calls", "colour")
YAMLS = (
    "", "null", "- a\n- b\n", "text", "a: [1\n", "\ta: 1\n", "a: 1\na: 2\n", "{}", "a: &x [*x]\n",
    "? {a: 1}\n: 2\n", "1: 2\n", "null: 3\n", "_target_: os.system\n", "_target_: 7\n",
    "defaults:\n  - nothing\n", "defaults: 7\n", "# @package _global_\nseed: abc\n",
    "# @package a.b\nx: 1\n", "!!python/object:os.system {}\n", "a: !!binary abc\n", "--- 1\n--- 2\n",
    "name: ${task.name}\n", "a: 2026-01-01\n", "[" * 2000,
)  # fmt: skip


def attempt(edge: Edge, home: Path, case: object, *words: str, yaml: bool = False) -> None:
    """A small run in a spoilt folder; nothing is written but results, and those there."""
    before = snapshot(home)
    outcome = edge.run(home, *words) if yaml else edge.run_unchanged(home, *words)
    edges.judge(outcome, case)
    after = snapshot(home)
    kept = {k: v for k, v in after.items() if k.split("/")[0] != "results"}
    assert kept == before
    assert [path.name for path in home.parent.iterdir()] == [home.name]


@generated(30)
@given(data=st.data())
def test_yaml(edge: Edge, user: Path, data: st.DataObject) -> None:
    how = data.draw(st.sampled_from(["value", "value", "value", "text", "line", "bytes"]))
    with tempfile.TemporaryDirectory() as scratch:
        home = copied(user, Path(scratch) / "home")
        path = home / "conf" / "task" / "mine.yaml"
        text = SETTINGS.format(folder="data")
        case: object
        match how:
            case "value":
                mutated = changed(yaml.safe_load(text), data.draw)
                case = mutated
                path.write_bytes(
                    yaml.safe_dump(mutated, allow_unicode=True).encode(errors="surrogatepass")
                )
            case "text":
                case = data.draw(st.sampled_from(YAMLS))
                path.write_text(str(case))
            case "line":
                case = data.draw(st.sampled_from(YAMLS))
                path.write_text(f"{text}{case}")
            case _:
                damage: Damage = data.draw(st.one_of(whole, cut(), flipped()))
                case = damage
                damage.do(path)
        attempt(edge, home, case, yaml=True)


@generated(25)
@given(
    name=st.sampled_from(DATA),
    damage=st.one_of(whole, whole, cut(), flipped()),
    rung=st.sampled_from(["prompt", "few_shot", "rag"]),
)
def test_files(edge: Edge, user: Path, name: str, damage: Damage, rung: str) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        home = copied(user, Path(scratch) / "home")
        damage.do(home / "data" / name)
        attempt(edge, home, (name, damage), f"rung={rung}")


@generated(40)
@given(
    split=st.sampled_from(["train", "dev", "eval", "corpus"]),
    field=st.sampled_from(FIELDS),
    value=st.one_of(odd, odd, st.recursive(odd, lambda below: st.lists(below, max_size=2))),
    how=st.sampled_from(["one", "one", "every", "gone", "twice", "deep"]),
)
def test_rows(edge: Edge, user: Path, split: str, field: str, value: Any, how: str) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        home = copied(user, Path(scratch) / "home")
        path = home / "data" / f"{split}.jsonl"
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        lines = [json.dumps(row) for row in rows]
        match how:
            case "one":
                lines[1] = json.dumps(rows[1] | {field: value})
            case "every":
                lines = [json.dumps(row | {field: value}) for row in rows]
            case "gone":
                lines[1] = json.dumps({k: v for k, v in rows[1].items() if k != field})
            case "twice":
                lines[1] = f'{lines[1][:-1]}, "{field}": {json.dumps(value)}}}'
            case _:
                nested = "[" * 3000 + "]" * 3000
                lines[1] = f'{{"id": "a", "{field}": {nested}}}'
        path.write_text("".join(f"{line}\n" for line in lines))
        attempt(edge, home, (split, field, value, how))


CSVS: dict[str, Callable[[str, str], bytes]] = {
    "plain": lambda text, column: text.encode(),
    "BOM": lambda text, column: text.encode("utf-8-sig"),
    "utf-16": lambda text, column: text.encode("utf-16"),
    "latin-1": lambda text, column: text.replace("e", "é").encode("latin-1"),
    "semicolons": lambda text, column: text.replace(",", ";").encode(),
    "open quote": lambda text, column: f'{text}x,"y,z\n'.encode(),
    "NUL": lambda text, column: text.replace("e", "\x00", 40).encode(),
    "long": lambda text, column: f'{text}long,{"x" * 200_000},"{{}}"\n'.encode(),
    "header twice": lambda text, column: text.replace("target", f"target,{column}", 1).encode(),
    "header alone": lambda text, column: b"id,input,target\n",
    "empty header": lambda text, column: f"\n\n{text}".encode(),
    "other header": lambda text, column: text.replace(column or "x", "", 1).encode(),
    "ragged": lambda text, column: f"{text}a\nb,c,d,e,f\n".encode(),
    "CR": lambda text, column: text.replace("\r\n", "\r").encode(),
    "empty": lambda text, column: b"",
}
"""By name: what a CSV file is made into, and the column that it happens to."""


@generated(50)
@given(
    kind=st.sampled_from(sorted(CSVS)),
    column=st.sampled_from(["", "id", "target", "input"]),
    suffix=st.sampled_from([".csv", ".csv", ".csv", ".parquet"]),
)
def test_csv(edge: Edge, user: Path, kind: str, column: str, suffix: str) -> None:
    table = io.StringIO(newline="")
    writer = csv.writer(table)
    writer.writerow(["id", "input", "target"])
    rows = [example("train", i) for i in range(12)]
    writer.writerows([r["id"], r["input"], json.dumps(r["target"])] for r in rows)
    with tempfile.TemporaryDirectory() as scratch:
        home = copied(user, Path(scratch) / "home")
        (home / "data" / "train.jsonl").unlink()
        path = home / "data" / f"train{suffix}"
        path.write_bytes(CSVS[kind](table.getvalue(), column))
        attempt(edge, home, (kind, column, suffix))


@generated(50)
@given(data=st.data())
def test_schemas(edge: Edge, user: Path, data: st.DataObject) -> None:
    schema = changed(SCHEMA, data.draw)
    with tempfile.TemporaryDirectory() as scratch:
        home = copied(user, Path(scratch) / "home")
        (home / "data" / "schema.json").write_text(json.dumps(schema))
        attempt(edge, home, schema)
