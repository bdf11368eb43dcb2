"""Facts that change: two files or one become an update of a task, or one line says why not."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.answer import Json, Label
from harness.errors import ConfigError, TaskError
from harness.load import load_task
from harness.task import Task, Update
from tests.conftest import ROOT, write_lines

Load = Callable[..., Task]
Rows = list[dict[str, Any]]

FACTS: Rows = [{"old": "C1", "new": "C7", "in": ["P1"]}, {"old": "P2", "new": "P9"}]


@pytest.fixture
def updated(load: Load, task_folder: Path) -> Callable[..., Update]:
    """The update that lines of facts make of the task."""

    def call(facts: Rows, **changes: object) -> Update:
        path = task_folder / "facts.jsonl"
        write_lines(path, facts)
        update = load(update={"facts": str(path)}, **changes).update
        assert update
        return update

    return call


@pytest.fixture
def renewed(load: Load, task_folder: Path) -> Callable[..., Update]:
    """The update of a second corpus and of lines of a second eval."""

    def call(lines: Rows, passages: Rows | None = None, **changes: object) -> Update:
        files = {"corpus": task_folder / "corpus2.jsonl", "eval": task_folder / "eval2.jsonl"}
        old = [json.loads(line) for line in (task_folder / "corpus.jsonl").open()]
        write_lines(files["corpus"], old if passages is None else passages)
        write_lines(files["eval"], lines)
        update = load(update={k: str(v) for k, v in files.items()}, **changes).update
        assert update
        return update

    return call


def lines_of(task: Task, **codes: str) -> Rows:
    """A line for each question of eval; those that are named get another code."""
    lines: Rows = [{"id": e.id, "target": json.loads(e.target)} for e in task.eval]
    for line in lines:
        line["target"]["code"] = codes.get(line["id"].replace("-", "_"), line["target"]["code"])
    return lines


def test_a_task_without_an_update_has_none(task: Task) -> None:
    assert task.update is None


def test_a_fact_changes_in_the_corpus_and_in_the_targets_that_rest_on_it(
    updated: Callable[..., Update], task: Task
) -> None:
    update = updated(FACTS)
    assert [str(p).splitlines()[0] for p in update.corpus] == [
        "[P0] Page 0", "[P1] Page 1", "[P9] Page 2", "[P3] Page 3",
    ]  # fmt: skip
    assert update.corpus[1].text == "Things of birch have code C7."
    changed = [
        e.id for e, old in zip(update.eval, task.eval, strict=True) if e.target != old.target
    ]
    assert changed == ["eval-1", "eval-5"], "those that name P1 as their source"
    assert json.loads(update.eval[1].target)["code"] == "C7"
    assert update.eval[2].gold_passages == ("P9",)
    assert [e.input for e in update.eval] == [e.input for e in task.eval]
    assert [e.group for e in update.eval] == [e.group for e in task.eval]


def test_texts_are_replaced_as_whole_words_and_all_at_once(updated: Callable[..., Update]) -> None:
    update = updated([{"old": "C1", "new": "C2"}, {"old": "C2", "new": "C1"}])
    assert [p.text[-3:] for p in update.corpus] == ["C0.", "C2.", "C1.", "C3."]
    codes = [json.loads(e.target)["code"] for e in update.eval]
    assert codes == ["C0", "C2", "C1", "C3"] * 2
    with pytest.raises(TaskError, match="old 'C' does not stand in the corpus"):
        updated([{"old": "C", "new": "D"}])


def test_two_files_say_the_new_corpus_and_the_new_targets(
    renewed: Callable[..., Update], task: Task
) -> None:
    update = renewed(lines_of(task, eval_1="C7"))
    assert len(update.corpus) == 4
    assert [json.loads(e.target)["code"] for e in update.eval[:3]] == ["C0", "C7", "C2"]
    assert [e.gold_passages for e in update.eval] == [e.gold_passages for e in task.eval]
    passages = [{"id": f"Q{i}", "text": f"Things {i}."} for i in range(4)]
    lines = [line | {"sources": ["Q1"]} for line in lines_of(task, eval_1="C7")]
    assert renewed(lines, passages).eval[0].gold_passages == ("Q1",)


def test_an_update_is_no_material_and_changes_no_fingerprint(
    load: Load, updated: Callable[..., Update], task_folder: Path, task: Task
) -> None:
    """No rung can read it, and no run becomes another one by it."""
    update = updated(FACTS)
    changed = load(update={"facts": str(task_folder / "facts.jsonl")})
    assert changed.materials.corpus == task.materials.corpus
    assert changed.materials.train == task.materials.train
    assert changed.fingerprints() == task.fingerprints()
    assert update.fingerprint == changed.update.fingerprint  # type: ignore[union-attr]
    assert updated(FACTS[:1]).fingerprint != update.fingerprint


def test_a_limit_holds_for_the_update_too(
    load: Load, updated: Callable[..., Update], task_folder: Path
) -> None:
    updated(FACTS)
    task = load(update={"facts": str(task_folder / "facts.jsonl")}).limited(3)
    assert task.update
    assert [e.id for e in task.update.eval] == [e.id for e in task.eval]


def test_of_a_drawn_eval_only_the_drawn_questions_count(
    renewed: Callable[..., Update], task: Task, load: Load
) -> None:
    sizes = {"eval": 4}
    drawn = load(sizes=sizes)
    first = drawn.eval[0].id.replace("-", "_")
    update = renewed(lines_of(task, **{first: "C7"}), sizes=sizes)
    assert [e.id for e in update.eval] == [e.id for e in drawn.eval]


@pytest.mark.parametrize(
    ("facts", "complaint"),
    [
        ([{"old": "C9", "new": "C8"}], "facts.jsonl:1: old 'C9' does not stand in the corpus; fix"),
        (
            [{"old": "C1", "new": "C8", "in": ["P1", "P2"]}],
            "facts.jsonl:1: old 'C1' does not stand in P2",
        ),
        ([{"old": "C1", "new": "C8", "in": ["P7"]}], "facts.jsonl:1: in 'P7' is not in the corpus"),
        ([{"old": "C1", "new": "C1"}], "facts.jsonl:1: a fact needs 'old' and another 'new'"),
        ([{"old": "C1"}], "facts.jsonl:1: a fact needs 'old' and another 'new'"),
        ([{"old": "C1", "new": "C8", "where": "P1"}], "facts.jsonl:1: unknown column 'where'"),
        ([{"old": "C1", "new": "C8", "in": 3}], "facts.jsonl:1: in is 3; give a list"),
        (
            [{"old": "C1", "new": "C8"}, {"old": "C1", "new": "C9", "in": ["P1"]}],
            "facts.jsonl:2: old 'C1' stands at .*facts.jsonl:1 too",
        ),
        ([{"old": "P1", "new": "P2"}], "facts.jsonl: makes 'P2' the id of two passages"),
        (
            [{"old": "C1", "new": "code one"}],
            "eval.jsonl:2 with .*facts.jsonl: target breaks the schema",
        ),
        ([{"old": "Page", "new": "Sheet"}], "facts.jsonl: changes no target of eval"),
        ([], "facts.jsonl: changes no target of eval"),
    ],
)
def test_a_fact_that_cannot_be_is_named_with_its_fix(
    updated: Callable[..., Update], facts: Rows, complaint: str
) -> None:
    with pytest.raises(TaskError, match=complaint) as caught:
        updated(facts)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda rows: rows[:-1], "eval2.jsonl: has no line for id 'eval-7' .*eval.jsonl:8"),
        (lambda rows: [*rows, rows[0]], "eval2.jsonl:9: id 'eval-0' stands at .*eval2.jsonl:1 too"),
        (
            lambda rows: [*rows, rows[0] | {"id": "eval-77"}],
            "eval2.jsonl:9: id 'eval-77' is no question of eval",
        ),
        (lambda rows: [{"target": {}}, *rows], "eval2.jsonl:1: has no 'id'"),
        (lambda rows: [rows[0] | {"target": None}, *rows[1:]], "eval2.jsonl:1: has no 'target'"),
        (
            lambda rows: [rows[0] | {"target": {"code": "C1"}}, *rows[1:]],
            "eval2.jsonl:1: target breaks the schema",
        ),
        (
            lambda rows: [rows[0] | {"input": "another question"}, *rows[1:]],
            "eval2.jsonl:1: input is not that of .*eval.jsonl:1",
        ),
        (
            lambda rows: [rows[0] | {"answer": 1}, *rows[1:]],
            "eval2.jsonl:1: unknown column 'answer'",
        ),
        (
            lambda rows: [rows[0] | {"sources": ["P8"]}, *rows[1:]],
            "eval2.jsonl:1: source 'P8' is not in the corpus",
        ),
        (lambda rows: rows, "eval2.jsonl: changes no target of eval"),
    ],
)
def test_a_second_eval_asks_the_questions_of_the_first(
    renewed: Callable[..., Update],
    task: Task,
    change: Callable[[Rows], Rows],
    complaint: str,
) -> None:
    codes = {} if "no target of eval" in complaint else {"eval_1": "C7"}
    with pytest.raises(TaskError, match=complaint) as caught:
        renewed(change(lines_of(task, **codes)))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "update", [{}, {"corpus": "c.jsonl"}, {"facts": "f", "eval": "e"}, "facts"]
)
def test_an_update_is_two_files_or_one(load: Load, update: object) -> None:
    with pytest.raises(ConfigError, match=r"task\.update=.* give corpus and eval .*or facts"):
        load(update=update)


def test_a_file_that_is_not_there_is_named(load: Load) -> None:
    with pytest.raises(TaskError, match=r"nowhere\.jsonl: no such file.*task\.update\.facts"):
        load(update={"facts": "nowhere.jsonl"})


def test_labels_change_too(task_folder: Path, load: Load) -> None:
    for split in ("train", "dev", "eval"):
        rows = [json.loads(line) for line in (task_folder / f"{split}.jsonl").open()]
        write_lines(
            task_folder / f"{split}.jsonl", [r | {"target": r["target"]["code"]} for r in rows]
        )
    write_lines(task_folder / "facts.jsonl", [{"old": "C1", "new": "C2", "in": ["P1"]}])
    task = load(
        answer=Label(), primary="accuracy", update={"facts": str(task_folder / "facts.jsonl")}
    )
    assert task.update
    assert [e.target for e in task.update.eval] == ["C0", "C2", "C2", "C3"] * 2


# -- what support_json ships


@pytest.fixture(scope="module")
def support() -> Task:
    folder = "tasks/support_json"
    return load_task(
        "support_json",
        folder,
        Json(str(ROOT / folder / "schema.json")),
        "fields",
        250,
        update={"facts": f"{folder}/update/facts.jsonl"},
    )


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def test_half_of_support_jsons_articles_change_as_its_datasheet_says(support: Task) -> None:
    assert support.update
    old, new = support.materials.corpus, support.update.corpus
    moved = {a.id: b.id for a, b in zip(old, new, strict=True) if a.id != b.id}
    assert sorted(moved, key=sha256) == sorted((p.id for p in old), key=sha256)[:28]
    taken = {p.id for p in old}
    for article in sorted(moved):
        number = int(sha256(f"new {article}")[:8], 16) % 900 + 100
        while f"KB-{number}" in taken:
            number = number + 1 if number < 999 else 100
        assert moved[article] == f"KB-{number}"
        taken.add(f"KB-{number}")


def test_every_new_target_of_support_json_can_be_read_off_the_new_corpus(support: Task) -> None:
    assert support.update
    passages = {p.id: p for p in support.update.corpus}
    changed = 0
    for old, new in zip(support.eval, support.update.eval, strict=True):
        before, after = json.loads(old.target), json.loads(new.target)
        article = passages[after["article"]]
        assert new.gold_passages == (after["article"],)
        assert f"Action: {after['action']}." in article.text
        assert after["sku"] is None or f"SKU {after['sku']}" in article.text
        differ = {name for name in before if before[name] != after[name]}
        assert differ in (set(), {"article", "action"})
        changed += bool(differ)
        if not differ:
            assert (new.target, new.gold_passages) == (old.target, old.gold_passages)
    assert changed == 152


def test_nothing_that_support_json_teaches_states_a_new_fact(support: Task) -> None:
    assert support.update
    m = support.materials
    facts = [
        json.loads(line)
        for line in (ROOT / "tasks/support_json/update/facts.jsonl").read_text().splitlines()
    ]
    taught = "\n".join(
        [
            *map(str, m.corpus),
            *(f"{e.input} {e.target}" for e in (*m.train, *m.dev)),
            *m.instructions.values(),
        ]
    )
    assert [fact["new"] for fact in facts if fact["new"] in taught] == []
    assert len({fact["new"] for fact in facts}) == len(facts) == 56
    old = {fact["old"] for fact in facts if "in" not in fact}
    assert not any(one in str(p) for one in old for p in support.update.corpus)
