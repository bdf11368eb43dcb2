"""Tools that a task can declare: what they find, and what they never do."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from harness.errors import ConfigError, TaskError
from harness.tool import ToolError
from harness.toolbox import Function, Search, Sql


def schema(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "additionalProperties": False}


ITEM = schema(item={"type": "string"})
COUNT = "SELECT item, count FROM stock WHERE item = :item"


@pytest.fixture(params=["sql", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A text of statements, and a database of SQLite's."""
    text = "CREATE TABLE stock (item TEXT, count INTEGER); INSERT INTO stock VALUES ('lamp', 7);"
    path = tmp_path / f"store.{request.param}"
    if request.param == "sql":
        path.write_text(text)
    else:
        with sqlite3.connect(path) as made:
            made.executescript(text)
    return path


def sql(store: Path, query: str = COUNT, parameters: Any = ITEM) -> Sql:
    return Sql("What is in stock.", str(store), query, parameters)


def test_a_query_finds_rows_as_json(store: Path) -> None:
    find = sql(store).opened([])
    assert find({"item": "lamp"}, 1.0) == '{"item":"lamp","count":7}'
    assert find({"item": "x' OR '1'='1"}, 1.0) == "nothing found"
    assert find({}, 1.0) == "nothing found"


@pytest.mark.parametrize(
    "query", ["DELETE FROM stock", "INSERT INTO stock VALUES ('x', 1)", "PRAGMA query_only = OFF",
              "ATTACH 'x' AS y", "SELECT nothing FROM stock"]
)  # fmt: skip
def test_what_is_no_reading_query_is_refused_when_the_task_is_loaded(
    store: Path, query: str
) -> None:
    with pytest.raises(TaskError, match=r"store\.\w+: .*; fix the query"):
        sql(store, query)


@pytest.mark.parametrize(
    "statement",
    ["ATTACH '{other}' AS o; DELETE FROM o.t", "VACUUM INTO '{other}.copy'",
     "PRAGMA temp_store_directory = '/tmp'"],
)  # fmt: skip
def test_the_statements_that_make_a_database_reach_no_other_file(
    tmp_path: Path, statement: str
) -> None:
    other = tmp_path / "other.db"
    with sqlite3.connect(other) as made:
        made.executescript("CREATE TABLE t (x); INSERT INTO t VALUES (1)")
    path = tmp_path / "store.sql"
    path.write_text(f"CREATE TABLE stock (item, count); {statement.format(other=other)};")
    with pytest.raises(TaskError, match=r"not authorized|authorization denied"):
        sql(path)
    assert sqlite3.connect(other).execute("SELECT x FROM t").fetchall() == [(1,)]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["other.db", "store.sql"]


def test_the_dump_of_a_database_makes_one(tmp_path: Path) -> None:
    with sqlite3.connect(":memory:") as made:
        made.executescript("CREATE TABLE stock (item, count); INSERT INTO stock VALUES ('lamp', 7)")
        dumped = ["PRAGMA foreign_keys=OFF;", *made.iterdump()]
    path = tmp_path / "store.sql"
    path.write_text("\n".join(dumped))
    assert sql(path).opened([])({"item": "lamp"}, 1.0) == '{"item":"lamp","count":7}'


@pytest.mark.parametrize(
    ("statement", "said"),
    [("INSERT INTO stock WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i FROM n) "
      "SELECT max(i), 1 FROM n", "took longer than 0.1 s"),
     ("INSERT INTO stock WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
      "SELECT zeroblob(90000), i FROM n", "is full")],
)  # fmt: skip
def test_statements_without_end_are_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, statement: str, said: str
) -> None:
    slow = "longer" in said
    monkeypatch.setattr("harness.toolbox.sql.SECONDS", 0.1 if slow else 60.0)
    monkeypatch.setattr("harness.toolbox.sql.PAGES", 64)
    path = tmp_path / "store.sql"
    path.write_text(f"CREATE TABLE stock (item, count); {statement};")
    with pytest.raises(TaskError, match=said):
        sql(path)


def test_a_cell_that_is_made_in_one_step_has_a_limit(store: Path) -> None:
    long = sql(store, "SELECT length(hex(randomblob(100000000))) AS n, :item AS i").opened([])
    with pytest.raises(ToolError, match="too big"):
        long({"item": "x"}, 1.0)


def test_a_database_with_changes_beside_it_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    made = sqlite3.connect(path)
    made.executescript(
        "PRAGMA journal_mode=wal; CREATE TABLE stock (item, count); INSERT INTO stock VALUES (1, 2)"
    )
    with pytest.raises(TaskError, match=r"store.db-wal: the database has changes .*wal_checkpoint"):
        sql(path)
    made.close()
    assert sql(path)


def test_a_query_that_takes_too_long_is_stopped(store: Path) -> None:
    endless = (
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
        "SELECT count(*) FROM n WHERE i > 0 OR :item = ''"
    )
    with pytest.raises(ToolError, match=r"took longer than 0\.05 s"):
        sql(store, endless).opened([])({"item": "x"}, 0.05)


def test_a_function_that_ends_its_thread_is_no_slow_one(tmp_path: Path) -> None:
    path = tmp_path / "tool.py"
    path.write_text("import sys\ndef leave():\n    sys.exit('no more')\n")
    with pytest.raises(ToolError, match="no more"):
        Function("d", f"{path}:leave", schema()).opened([])({}, 5.0)


@pytest.mark.parametrize("value", [2**70, "\ud800", {"a": 1}])
def test_a_value_that_a_database_cannot_take_is_told_to_the_model(store: Path, value: Any) -> None:
    with pytest.raises(ToolError):
        sql(store, parameters=schema(item={})).opened([])({"item": value}, 1.0)


def test_the_words_of_a_database_can_be_held_against_eval(store: Path) -> None:
    assert list(sql(store).texts()) == [(f"{store} stock:1", "lamp")]


def test_content_query_and_description_are_what_a_database_is_known_by(store: Path) -> None:
    before = sql(store)
    assert before.fingerprint == sql(store).fingerprint
    assert before.fingerprint != sql(store, "SELECT 1").fingerprint


@pytest.mark.parametrize(
    ("content", "said"), [("no statement", "is no database"), (None, "no database")]
)
def test_what_is_no_database_is_refused(tmp_path: Path, content: str | None, said: str) -> None:
    path = tmp_path / "x.sql"
    if content:
        path.write_text(content)
    with pytest.raises(TaskError, match=said):
        sql(path)


def test_parameters_are_the_schema_of_an_object(store: Path) -> None:
    for wrong in ({"item": {"type": "string"}}, {"type": "nonsense"}):
        with pytest.raises(ConfigError, match=r"task\.tools: parameters"):
            sql(store, parameters=wrong)


def test_a_search_ranks_passages_by_words() -> None:
    pages = ["[A] Tents\nPoles snap and bend.", "[B] Boots\nSoles peel.", "[C] Mats\nAir leaks."]
    find = Search("The handbook.", k=2).opened(pages)
    assert find({"query": 'a bending pole? "tent"'}, 1.0) == pages[0]
    assert find({"query": "sole, mat"}, 1.0).count("\n\n") == 1
    assert find({"query": "zebra"}, 1.0) == "nothing found"
    with pytest.raises(ToolError, match="no words"):
        find({"query": "?!"}, 1.0)


def test_a_function_is_called_by_name_and_its_errors_are_told(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(
        "import time\n"
        "def add(a, b): return {'sum': a + b}\n"
        "def wait(): time.sleep(5)\n"
        "def fail(): raise ValueError('no luck')\n"
        "def odd(): return {1, 2}\n"
    )

    def made(name: str) -> Any:
        tool = Function("Adds.", f"{file}:{name}", schema(a={}, b={}))
        return tool, tool.opened([])

    assert made("add")[1]({"a": 1, "b": 2}, 1.0) == '{"sum": 3}'
    with pytest.raises(ToolError, match="no luck"):
        made("fail")[1]({}, 1.0)
    with pytest.raises(ToolError, match="no JSON: Object of type set"):
        made("odd")[1]({}, 1.0)
    with pytest.raises(ToolError, match=r"longer than 0\.05 s"):
        made("wait")[1]({}, 0.05)
    before = made("add")[0].fingerprint
    file.write_text(file.read_text() + "# changed\n")
    assert made("add")[0].fingerprint != before
    with pytest.raises(TaskError, match="say module:name"):
        made("nothing")
    assert len(Function("Counts.", "math:comb", schema()).fingerprint) == 64  # has no source


def test_a_function_of_a_module_is_found_by_its_import_path() -> None:
    tool = Function("Joins.", "posixpath:join", schema(a={}))
    assert tool.opened([])({"a": "x"}, 1.0) == "x"
