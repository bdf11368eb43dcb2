"""A user's folder becomes a task, or one clear line says why not."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pyarrow
import pyarrow.parquet
import pytest

from harness.answer import Label, Text, ToolCalls
from harness.errors import ConfigError, LeakError, TaskError
from harness.evidence.isolation import Isolation
from harness.load import load_task
from harness.models.weights import Folder
from harness.sampling import sample
from harness.task import Task
from tests.conftest import BANKING77, example, write_lines

Load = Callable[..., Task]


def test_a_folder_of_jsonl_is_a_task(task: Task) -> None:
    assert [len(task.materials.train), len(task.materials.dev), len(task.eval)] == [16, 6, 8]
    first = task.eval[0]
    assert first.target == '{"colour":"blue","code":"C0","note":"anvil"}'
    assert (first.gold_passages, first.tags, first.group) == (
        ("P0",),
        {"odd": "false"},
        "eval-group-0",
    )
    assert '"enum":["red","blue"]' in task.materials.instructions["full"]
    assert str(task.materials.corpus[1]).startswith("[P1] Page 1\nThings of")


def test_questions_carry_no_target_and_no_gold_passage(task: Task) -> None:
    first = task.eval[0]
    assert first.gold_passages
    assert vars(task.questions[0]) == {
        "id": first.id, "input": first.input, "where": first.where,
    }  # fmt: skip
    assert "eval" not in vars(task.materials)


def test_fingerprints_change_with_the_content_they_stand_for(load: Load, task_folder: Path) -> None:
    before = load().fingerprints()
    (task_folder / "instructions.short.md").write_text("JSON, please.")
    after = load().fingerprints()
    assert {name for name in before if before[name] != after[name]} == {"prompt"}
    assert load().limited(3).fingerprints()["eval"] != after["eval"]


def test_limit_draws_from_all_of_eval(task: Task) -> None:
    few = task.limited(2)
    assert few.eval == sample(task.eval, 2) != task.eval[:2]
    assert {*(e.id for e in few.eval), *few.beyond} == {e.id for e in task.eval}
    with pytest.raises(ConfigError, match="limit=0"):
        task.limited(0)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_csv_and_parquet_are_read_as_jsonl_is(load: Load, task_folder: Path, suffix: str) -> None:
    before = load()
    for split in ("train", "dev", "eval"):
        rows = [json.loads(line) for line in (task_folder / f"{split}.jsonl").open()]
        for row in rows:
            row |= {"target": json.dumps(row["target"]), "sources": " ".join(row["sources"])}
            del row["tags"]
        frame = pd.DataFrame(rows)
        (task_folder / f"{split}.jsonl").unlink()
        path = task_folder / f"{split}.{suffix}"
        frame.to_csv(path, index=False) if suffix == "csv" else frame.to_parquet(path)
    after = load()
    assert [e.target for e in after.eval] == [e.target for e in before.eval]
    assert [e.gold_passages for e in after.materials.train] == [
        e.gold_passages for e in before.materials.train
    ]


def test_columns_can_be_mapped_and_have_aliases(task_folder: Path, load: Load) -> None:
    for split in ("train", "eval"):
        (task_folder / f"{split}.jsonl").unlink()
        rows = [f"{split} message {i},{'ab'[i % 2]},{i % 3}" for i in range(20)]
        (task_folder / f"{split}.csv").write_text("\n".join(["text,category,lang", *rows]))
    (task_folder / "dev.jsonl").unlink()
    task = load(
        answer=Label(),
        primary="accuracy",
        columns={"input": "text", "target": ["label", "category"], "tags": ["lang"]},
    )
    assert task.eval[1].target == "b"
    assert task.eval[1].tags == {"lang": "1"}
    assert task.materials.answer.fitted([]).labels == ("a", "b")  # type: ignore[attr-defined]
    assert len(task.materials.dev) == 2, "a tenth of train becomes dev"
    assert not {e.group for e in task.materials.dev} & {e.group for e in task.materials.train}


def test_sizes_always_draw_the_same_examples(load: Load) -> None:
    sizes = {"train": 10, "eval": 5}
    first, second = load(sizes=sizes), load(sizes=sizes)
    assert len(first.materials.train) == 10
    assert first.fingerprints() == second.fingerprints()


def test_a_local_folder_goes_through_load_dataset_like_the_hub(
    task_folder: Path, load: Load, tmp_path: Path
) -> None:
    data = tmp_path / "hub" / "data"
    data.mkdir(parents=True)
    for split in ("train", "test"):
        frame = pd.DataFrame({"text": [f"{split} {i}" for i in range(12)], "label": ["x", "y"] * 6})
        frame.to_parquet(data / f"{split}-00000-of-00001.parquet")
    task = load(
        answer=Label(),
        primary="accuracy",
        source=str(tmp_path / "hub"),
        splits={"eval": "test"},
        columns={"input": "text", "target": "label"},
    )
    assert task.eval[1].where.endswith("[test]:2")
    assert task.eval[1].target == "y"


@pytest.mark.skipif(not BANKING77.is_dir(), reason="no banking77 CSVs beside the checkout")
def test_banking77_loads_from_a_folder_of_csvs() -> None:
    task = load_task(
        "banking77",
        "tasks/banking77",
        Label(),
        "accuracy",
        24,
        source=str(BANKING77),
        splits={"eval": "test"},
        columns={"input": "text", "target": ["label", "category"]},
        sizes={"train": 2000, "dev": 200, "eval": 500},
    )
    assert [len(task.materials.train), len(task.materials.dev), len(task.eval)] == [2000, 200, 500]
    assert len(task.materials.answer.labels) == 77  # type: ignore[attr-defined]


def _spoil(folder: Path, split: str, line: int, text: str) -> None:
    path = folder / f"{split}.jsonl"
    lines = path.read_text().splitlines()
    lines[line - 1] = text
    path.write_text("\n".join(lines) + "\n")


def _row(**changes: object) -> str:
    return json.dumps(example("train", 1) | changes)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('{"id": ', r"train.jsonl:2: not JSON \(.*column \d\).*fix or delete the line"),
        ("[1]", "train.jsonl:2: a list, not an object"),
        (_row(taget="x"), "train.jsonl:2: unknown column 'taget'; known are id, input"),
        (_row(input=""), "train.jsonl:2: has no 'input'"),
        (_row(input=3), "train.jsonl:2: input is 3; it must be text"),
        (_row(input=" \n\t"), "train.jsonl:2: input is blank; write one or delete the line"),
        (_row(id="train-0"), "train.jsonl:2: id 'train-0' stands at .*train.jsonl:1 too"),
        (
            _row(target={"colour": "pink", "code": None, "note": "a"}),
            "train.jsonl:2: target breaks",
        ),
        (_row(sources=["P9"]), "train.jsonl:2: source 'P9' is not in the corpus"),
        (_row(sources=9), "train.jsonl:2: sources is 9"),
        (_row(tags="odd"), "train.jsonl:2: tags is 'odd'"),
        (_row(id=1.0), "train.jsonl:2: id is 1.0; fix: give text or a whole number"),
        (_row(id="a "), "train.jsonl:2: id is 'a '; take out the blanks around it"),
        (_row(id="a\tb"), r"train.jsonl:2: id is 'a.tb'; take out the blanks around it"),
        (_row(id=False), "train.jsonl:2: id is False; fix"),
        (_row(group=True), "train.jsonl:2: group is True; fix"),
        (_row(group=["a"]), r"train.jsonl:2: group is \['a'\]; fix"),
        (_row(group={}), "train.jsonl:2: group is {}; fix"),
        (_row(tags={"a": 0.5}).replace("0.5", "1e400"), "train.jsonl:2: tags holds inf, which"),
        (
            _row(tags={"a": 0.5}).replace("0.5", "[" * 600 + "]" * 600),
            "train.jsonl:2: tags holds more than 500 levels of lists and objects",
        ),
    ],
)
def test_a_bad_line_is_named_with_its_fix(
    task_folder: Path, load: Load, text: str, complaint: str
) -> None:
    _spoil(task_folder, "train", 2, text)
    with pytest.raises(TaskError, match=complaint):
        load()


@pytest.mark.parametrize(("field", "kind"), [("id", "the same id"), ("group", "the same group")])
@pytest.mark.parametrize(("ours", "theirs"), [(0, 0), (0, "0"), (7, "7")])
def test_a_number_is_an_id_or_group_like_any_other_and_zero_is_a_number(
    task_folder: Path, load: Load, field: str, kind: str, ours: object, theirs: object
) -> None:
    _spoil(task_folder, "train", 1, json.dumps(example("train", 0) | {field: ours}))
    _spoil(task_folder, "eval", 1, json.dumps(example("eval", 0) | {field: theirs}))
    task = load()
    assert getattr(task.eval[0], field) == str(theirs)
    with pytest.raises(LeakError, match=rf"eval.jsonl:1 and .*train.jsonl:1 .*{kind}"):
        Isolation(near_duplicate=0.6, contained=0.9, leaks="stop").certify(task)


@pytest.mark.parametrize("nothing", [None, ""])
def test_null_and_empty_are_no_id_and_no_group(
    task_folder: Path, load: Load, nothing: object
) -> None:
    _spoil(task_folder, "train", 16, _row(id=nothing, group=nothing))
    last = load().materials.train[-1]
    assert (last.id, last.group) == ("train-16", "train-16")


@pytest.mark.parametrize("question", ["Ticket:", "Ticket: {Input}", "", None])
def test_a_question_without_a_place_for_the_input_is_refused(load: Load, question: object) -> None:
    with pytest.raises(TaskError) as caught:
        load(question=question)
    line = str(caught.value)
    assert line.startswith(f"task tickets: question={question!r}: has no {{input}}; fix")
    assert "\n" not in line


def test_eval_may_stand_alone_but_not_beside_dev_alone(task_folder: Path, load: Load) -> None:
    (task_folder / "train.jsonl").unlink()
    with pytest.raises(TaskError, match=r"no split 'train' for train; add train\.jsonl"):
        load()
    (task_folder / "dev.jsonl").unlink()
    (task_folder / "instructions.full.md").unlink()
    (task_folder / "instructions.short.md").unlink()
    task = load()
    assert (task.materials.train, task.materials.dev, len(task.eval)) == ((), (), 8)
    assert task.materials.instructions == {}
    with pytest.raises(TaskError, match=r"no split 'learn' for train; add learn\.jsonl"):
        load(splits={"train": "learn"})


def test_bad_files_are_named_with_their_fix(task_folder: Path, load: Load) -> None:
    with pytest.raises(TaskError, match=r"no folder nowhere \(looked for .*/nowhere\); fix"):
        load(folder="nowhere")
    with pytest.raises(TaskError, match=r"no split 'test' for eval; add test\.jsonl"):
        load(splits={"eval": "test"})
    with pytest.raises(TaskError, match="no column 'text' among 'id', 'group'"):
        load(columns={"input": "text", "target": "target"})
    with pytest.raises(TaskError, match=r"task\.columns: unknown field 'inputs'"):
        load(columns={"inputs": "input"})
    (task_folder / "eval.jsonl").write_text("\n")
    with pytest.raises(TaskError, match="task: split 'eval' for eval is empty; add examples"):
        load()
    (task_folder / "eval.jsonl").write_bytes(b"\xff\xfe")
    with pytest.raises(TaskError, match=r"eval\.jsonl: not UTF-8"):
        load()
    (task_folder / "instructions.full.md").write_text(" ")
    write_lines(task_folder / "eval.jsonl", [example("eval", 0)])
    with pytest.raises(TaskError, match=r"instructions\.full\.md: is empty"):
        load()


@pytest.mark.parametrize(
    ("cells", "complaint"),
    [
        ("a,b,c", r"train\.csv:3: has more or fewer cells than the header's 2"),
        ('"a,b', r"train\.csv:3: not CSV"),
    ],
)
def test_a_bad_csv_line_is_named(task_folder: Path, load: Load, cells: str, complaint: str) -> None:
    (task_folder / "train.jsonl").unlink()
    (task_folder / "train.csv").write_text(f"input,target\nx,y\n{cells}\n")
    with pytest.raises(TaskError, match=complaint):
        load(answer=Text())


def test_a_file_that_is_not_parquet_is_named(task_folder: Path, load: Load) -> None:
    (task_folder / "train.jsonl").rename(task_folder / "train.parquet")
    with pytest.raises(TaskError, match=r"train\.parquet: not Parquet"):
        load()


@pytest.mark.parametrize("field", ["target", "tags", "calls"])
@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (date(2026, 2, 1), "a date, which JSON does not have"),
        (datetime(2026, 2, 1, 9, 30), "a datetime, which JSON does not have"),
        (Decimal("1.50"), "a Decimal, which JSON does not have"),
        (b"x", "a bytes, which JSON does not have"),
        (math.inf, "inf, which is no number of JSON"),
    ],
)
def test_a_parquet_cell_that_json_does_not_have_is_refused_with_its_place(
    task_folder: Path, load: Load, field: str, value: object, problem: str
) -> None:
    (task_folder / "train.jsonl").unlink()
    row = {"input": "x", "target": {"colour": "red"}, field: {"deep": [value]}}
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist([row]), task_folder / "train.parquet")
    with pytest.raises(TaskError) as caught:
        load()
    path = task_folder / "train.parquet"
    assert str(caught.value) == f"{path}:1: {field} holds {problem}; write it as text"


def test_a_column_that_is_not_read_may_hold_anything(task_folder: Path, load: Load) -> None:
    rows = [{"text": f"thing {i}", "label": "a", "day": date(2026, 2, 1)} for i in range(20)]
    for split in ("train", "dev", "eval"):
        (task_folder / f"{split}.jsonl").unlink()
        pyarrow.parquet.write_table(
            pyarrow.Table.from_pylist(rows), task_folder / f"{split}.parquet"
        )
    columns = {"input": "text", "target": "label"}
    assert len(load(answer=Label(), primary="accuracy", columns=columns).eval) == 20


@pytest.mark.parametrize(
    "cells",
    [
        pyarrow.array([b"\xff"]).view(pyarrow.string()),
        pyarrow.array([2**62], pyarrow.timestamp("us")),
        pyarrow.array([2**30], pyarrow.date32()),
    ],
    ids=["text that is not UTF-8", "a time beyond all years", "a day beyond all years"],
)
def test_a_parquet_value_that_python_cannot_hold_is_one_line(
    task_folder: Path, load: Load, cells: pyarrow.Array
) -> None:
    (task_folder / "train.jsonl").unlink()
    pyarrow.parquet.write_table(pyarrow.table({"input": cells}), task_folder / "train.parquet")
    with pytest.raises(TaskError, match=r"train\.parquet: .* cannot be read \(.*; write") as caught:
        load()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("answer", [None, ToolCalls()], ids=["an object", "calls"])
def test_json_in_a_cell_is_read_as_strictly_as_a_line_of_jsonl(
    task_folder: Path, load: Load, answer: object
) -> None:
    (task_folder / "train.jsonl").unlink()
    for target, problem in {
        "[" * 100_000: r"nested too deeply",
        '{"a": 1, "a": 2}': r"'a' stands there twice",
        '{"a": NaN}': r"NaN is no number of JSON",
    }.items():
        cell = target.replace('"', '""')
        (task_folder / "train.csv").write_text(f'input,target\nx,"{cell}"\n')
        with pytest.raises(TaskError, match=rf"train\.csv:2: target is not JSON.*{problem}.*fix"):
            load(**{} if answer is None else {"answer": answer})


def test_a_corpus_is_checked_too(task_folder: Path, load: Load) -> None:
    write_lines(
        task_folder / "corpus.jsonl", [{"id": "P0", "text": "a"}, {"id": "P0", "text": "b"}]
    )
    with pytest.raises(
        TaskError, match=r"corpus\.jsonl:2: id 'P0' stands at .*corpus\.jsonl:1 too"
    ):
        load()
    write_lines(task_folder / "corpus.jsonl", [{"id": "P0"}])
    with pytest.raises(TaskError, match=r"corpus\.jsonl:1: a passage needs 'text'"):
        load()


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"text": " \n"}, "a passage needs 'text' as text; add it"),
        ({"title": ["a"]}, "title is ['a']; it must be text"),
        ({"title": 0}, "title is 0; it must be text"),
        ({"titel": "A"}, "unknown column 'titel'; did you mean title? rename it, or add one"),
        ({"Title": "A"}, "unknown column 'Title'; did you mean title? rename it, or add one"),
    ],
)
def test_a_passage_that_would_lose_its_text_or_title_is_refused(
    task_folder: Path, load: Load, changes: dict[str, object], complaint: str
) -> None:
    path = task_folder / "corpus.jsonl"
    write_lines(path, [{"id": "P0", "text": "a"} | changes])
    with pytest.raises(TaskError) as caught:
        load()
    assert str(caught.value) == f"{path}:1: {complaint}"


def test_a_passage_may_have_no_title_and_columns_of_its_users_own(
    task_folder: Path, load: Load
) -> None:
    rows = [json.loads(line) for line in (task_folder / "corpus.jsonl").open()]
    more = {"title": None, "subtitle": "of things", "url": "https://…", "day": 3}
    write_lines(task_folder / "corpus.jsonl", [row | more for row in rows])
    assert {p.title for p in load().materials.corpus} == {""}


def test_two_files_of_one_split_are_refused(task_folder: Path, load: Load) -> None:
    (task_folder / "eval.csv").write_text("input,target\nx,y\n")
    with pytest.raises(TaskError, match=r"eval\.jsonl and .*eval\.csv: are the same split; keep"):
        load()


def test_a_dataset_that_cannot_be_reached_is_one_line(
    load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("datasets.config.HF_HUB_OFFLINE", True)
    nowhere = r"cannot load dataset 'nobody/nothing' \(.*\); there is no file or folder /.*; give"
    with pytest.raises(TaskError, match=nowhere) as caught:
        load(source="nobody/nothing")
    assert "\n" not in str(caught.value)


def test_one_file_is_dealt_into_splits_and_its_passages_become_the_corpus(
    load: Load, task_folder: Path, tmp_path: Path
) -> None:
    pages = [f"Page {i // 2} tells of things number {i // 2}." for i in range(60)]
    pages[1] = f"  {pages[0].upper()} "  # the same passage, but for case and spacing
    write_lines(
        tmp_path / "all.jsonl",
        [{"q": f"What is {i}?", "a": f"thing {i}", "page": pages[i], "more": 1} for i in range(60)],
    )
    task = load(
        source=str(tmp_path / "all.jsonl"),
        columns={"input": "q", "target": "a", "passage": "page"},
        sizes={"train": 20, "dev": 4, "eval": 8},
        answer=Text(),
        primary="token_f1",
    )
    m = task.materials
    assert (len(m.train), len(m.dev), len(task.eval), len(m.corpus)) == (20, 4, 8, 30)
    texts = {p.id: p.text for p in m.corpus}
    for asked in task.eval:
        (source,) = asked.gold_passages
        number = int(asked.input.split()[-1].rstrip("?"))
        assert texts[source].casefold() == pages[number].strip().casefold()
        assert asked.group == source
    assert not {e.group for e in task.eval} & {e.group for e in m.train}
    assert str(m.corpus[0]) == m.corpus[0].text  # no title: a model sees only the text


def test_a_source_may_be_a_reference_to_weights_of_any_kind(load: Load, task_folder: Path) -> None:
    assert load(source=Folder(str(task_folder))).eval == load().eval


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"max_new_tokens": -3}, "task.max_new_tokens=-3: must be a whole number from 1 up"),
        ({"max_new_tokens": "many"}, "task.max_new_tokens=many: must be a whole number from 1 up"),
        ({"sizes": {"train": -1}}, "task.sizes.train=-1: must be a whole number from 1 up"),
        ({"sizes": {"tain": 3}}, "task.sizes.tain: is no split; there are train, dev, eval"),
        ({"splits": {"tain": "dev"}}, "task.splits.tain: is no split; there are train, dev, eval"),
    ],
)
def test_a_number_or_split_that_cannot_be_is_one_line(
    load: Load, changes: dict[str, object], complaint: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load(**changes)
    assert str(caught.value) == complaint


@pytest.mark.parametrize("limit", ["abc", 0, -3, True, 2.5])
def test_a_limit_that_is_no_count_is_one_line(task: Task, limit: object) -> None:
    with pytest.raises(ConfigError, match=rf"^limit={limit}: must be a whole number from 1 up"):
        task.limited(limit)  # type: ignore[arg-type]
