"""Tasks as users bring them: what is odd about their files, and what has no room in the model."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from harness.analysis.findings import findings
from harness.analysis.runs import read_ladder
from harness.analysis.warnings import warnings
from harness.answer import Label
from harness.errors import LeakError, RungUnavailableError, TaskError
from harness.evidence.isolation import Isolation
from harness.ladder.retrieval import Retrieval
from harness.ladder.room import within_context, within_data
from harness.ladder.rung import Predictor, Rung
from harness.models.embedder import Embedder
from harness.models.local import ModelSpec
from harness.models.local.engine import LocalEngine
from harness.report.formatting import Table
from harness.report.terminal import print_table
from harness.run import run
from harness.sources import read_file
from harness.task import Example, Materials, Task
from harness.tuning.adapter import Adapter
from tests.conftest import LetterEmbedder, lora, plan, similar, write_lines
from tests.test_run import job_of

Load = Callable[..., Task]
FEW = Rung("few_shot", "full", shots=similar(4))
LORA = Rung("lora", "short", tuning=Adapter(lora(), plan()))
RAG = replace(FEW, name="rag", retrieval=Retrieval(2))


# What is odd about a user's files


def test_a_mark_in_front_of_a_file_is_not_part_of_its_first_word(
    load: Load, task_folder: Path
) -> None:
    plain = load()
    for path in task_folder.iterdir():
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert load().fingerprints() == plain.fingerprints()


def test_a_spreadsheets_csv_can_be_read(load: Load, task_folder: Path, tmp_path: Path) -> None:
    source = tmp_path / "csv"
    source.mkdir()
    for split in ("train", "dev", "eval"):
        rows = [f"{split} message {i},{'ab'[i % 2]}" for i in range(4)]
        text = "\r\n".join(["text,label", *rows])
        (source / f"{split}.csv").write_text(text, encoding="utf-8-sig")
    loaded = load(
        source=str(source),
        answer=Label(),
        primary="accuracy",
        columns={"input": "text", "target": "label"},
    )
    assert loaded.eval[0].input == "eval message 0"
    assert loaded.materials.answer.rules == ("a", "b")


def test_passages_may_have_numbers_for_ids(load: Load, task_folder: Path) -> None:
    passages = [{"id": i, "text": f"passage {i}"} for i in range(3)]
    write_lines(task_folder / "corpus.jsonl", passages)
    for split in ("train", "dev", "eval"):
        rows = [json.loads(line) for line in (task_folder / f"{split}.jsonl").open()]
        given = [[1], [2], ["0", 1]]
        rows = [row | {"sources": given[i % 3]} for i, row in enumerate(rows)]
        write_lines(task_folder / f"{split}.jsonl", rows)
    loaded = load()
    assert [p.id for p in loaded.materials.corpus] == ["0", "1", "2"]
    assert [e.gold_passages for e in loaded.eval[:3]] == [("1",), ("2",), ("0", "1")]


def test_ids_that_each_file_counts_for_itself_are_said_to_be_that(
    load: Load, task_folder: Path
) -> None:
    for split in ("train", "eval"):
        rows = [json.loads(line) for line in (task_folder / f"{split}.jsonl").open()]
        rows = [{k: v for k, v in row.items() if k != "group"} for row in rows]
        numbered = [row | {"id": i} for i, row in enumerate(rows, 1)]
        write_lines(task_folder / f"{split}.jsonl", numbered)
    with pytest.raises(LeakError, match=r"have the same id \(if each file .*, and 7 more; "):
        Isolation(near_duplicate=0.6, contained=0.9, leaks="stop").certify(load())


def test_a_label_that_train_lacks_is_told_where_labels_come_from(
    load: Load, task_folder: Path
) -> None:
    for split, labels in {"train": "ab", "dev": "ac", "eval": "ab"}.items():
        rows = [{"input": f"{split} {label}", "target": label} for label in labels]
        write_lines(task_folder / f"{split}.jsonl", rows)
    with pytest.raises(TaskError, match=r"dev\.jsonl:2: target 'c' is not .* answer\.labels lists"):
        load(answer=Label(), primary="accuracy")
    loaded = load(answer=Label(["a", "b", "c"]), primary="accuracy")
    assert [e.target for e in loaded.materials.dev] == ["a", "c"]


@pytest.mark.parametrize("given", [True, 1.5, None])
def test_a_label_that_yaml_read_as_something_else_is_found(given: object) -> None:
    with pytest.raises(TaskError, match=rf"answer\.labels: {given} is not text; put .* quotes"):
        Label(["a", given])


def test_labels_may_stand_in_a_file_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "labels.txt"
    path.write_text("no, thanks\r\nÜber-Lift\n\n007\n", encoding="utf-8-sig", newline="")
    assert Label(str(path)).labels == ("no, thanks", "Über-Lift", "007")
    path.write_text("\n")
    with pytest.raises(TaskError, match=r"labels\.txt is empty; write one label on each line"):
        Label(str(path))
    with pytest.raises(TaskError, match=r"answer\.labels: cannot read .*none\.txt"):
        Label(str(tmp_path / "none.txt"))


def test_cells_without_commas_between_them_are_found_in_the_header(tmp_path: Path) -> None:
    path = tmp_path / "train.csv"
    path.write_text("text;label\nI came, I saw;left\n")
    with pytest.raises(TaskError, match=r"train\.csv:1: has one column, 'text;label'; put commas"):
        list(read_file(path))


def test_labels_with_commas_are_told_one_on_each_line() -> None:
    assert Label(["a", "b c"]).describe("{labels}") == "a, b c"
    assert Label(["a, b", "c"]).describe("{labels}") == "a, b\nc"


@pytest.mark.parametrize("rung", [FEW, LORA], ids=["few_shot", "lora"])
def test_three_labelled_examples_and_no_dev_are_enough_to_go_through(
    rung: Rung, load: Load, task_folder: Path, apt_spec: ModelSpec, tmp_path: Path
) -> None:
    (task_folder / "dev.jsonl").unlink()
    for split, words in {"train": ("ox", "yak", "zebu"), "eval": ("auk", "emu")}.items():
        rows = [
            {"id": f"{split}{w}", "input": w, "target": "ab"[i % 2]} for i, w in enumerate(words)
        ]
        write_lines(task_folder / f"{split}.jsonl", rows)
    small = load(answer=Label(["a", "b"]), primary="accuracy")
    settings = {"decoding": "constrained", "dev_questions": 12, "controls": None}
    job = job_of(small, apt_spec, tmp_path / "results", rung, embedder=LetterEmbedder(), **settings)
    runs = [run(job), *map(run, job.control_jobs(run(job)))]
    assert runs[0].read("manifest.json")["dev"]["n"] == 1
    assert findings(read_ladder(runs)).rungs[0].primary.n == 2


@pytest.mark.parametrize("rung", [Rung("prompt", "full"), LORA], ids=["prompt", "lora"])
def test_a_metric_that_does_not_exist_is_found_before_training(
    rung: Rung, load: Load, apt_spec: ModelSpec, tmp_path: Path
) -> None:
    with pytest.raises(TaskError, match=r"primary metric 'accuracy' is not among fields, .*; fix"):
        run(job_of(load(primary="accuracy"), apt_spec, tmp_path / "results", rung))
    assert not (tmp_path / "results").exists()


def test_a_wide_table_breaks_headings_between_words_alone() -> None:
    headings = ["rung", *["adapter effect", "truncation"] * 5]
    console = Console(width=120, file=StringIO(), record=True)
    print_table(console, Table("badges", headings, [["lora", *"✓" * 10]]), "fields")
    text = console.export_text()
    assert text.count("truncation") == text.count("adapter") == text.count("effect") == 5


# What there is no room for


def test_examples_and_passages_are_no_more_than_there_are(task: Task) -> None:
    m = replace(task.materials, train=task.materials.train[:3])
    rung, said = within_data(replace(RAG, retrieval=Retrieval(9)), m)
    assert (rung.shots, rung.retrieval) == (similar(3), Retrieval(4))
    assert said == [
        "rung.shots.k lowered from 4 to 3: there are 3 train examples to show",
        "rung.retrieval.k lowered from 9 to 4: there are 4 passages to show",
    ]
    assert within_data(RAG, task.materials) == (RAG, [])


@pytest.fixture
def prepare(tiny: LocalEngine, letters: Embedder, tmp_path: Path) -> Callable[..., Predictor]:
    def call(materials: Materials, rung: Rung) -> Predictor:
        return rung.fit(materials, tiny, letters, 0, tmp_path)

    return call


def longer(examples: tuple[Example, ...], length: int) -> tuple[Example, ...]:
    """Inputs of so many tokens: the tiny tokenizer has one for each Z."""
    return tuple(replace(e, input=f"{e.id} {'Z' * length}") for e in examples)


def test_examples_that_do_not_fit_the_context_become_fewer_for_all_questions(
    task: Task, prepare: Callable[..., Predictor]
) -> None:
    m = replace(task.materials, train=longer(task.materials.train, 700))
    rung, [said] = within_context(FEW, lambda r: prepare(m, r), [task.eval, m.dev])
    assert rung == replace(FEW, shots=similar(2))
    assert said.startswith("rung.shots.k lowered from 4 to 2: the prompt of ")
    assert "eval.jsonl:" in said or "dev.jsonl:" in said
    assert said.endswith(
        " tokens with shots.k=4, and 48 for the answer make more than the 2,048 that tiny can take"
    )


def test_what_fits_stays(task: Task, prepare: Callable[..., Predictor]) -> None:
    m = task.materials
    assert within_context(RAG, lambda r: prepare(m, r), [task.eval]) == (RAG, [])


def test_a_question_without_room_leaves_the_rung_out(
    task: Task, prepare: Callable[..., Predictor]
) -> None:
    asked = (*task.eval[:3], *longer(task.eval[3:4], 2100))
    alone = r"eval\.jsonl:4: has 2,\d+ characters, 2,\d+ tokens .* tiny can take 2,000 beside"
    with pytest.raises(RungUnavailableError, match=alone):
        within_context(Rung("prompt", "full"), lambda r: prepare(task.materials, r), [asked])
    asked = (*task.eval[:3], *longer(task.eval[3:4], 1950))
    with pytest.raises(RungUnavailableError, match=r"tokens with shots\.k=1 and retrieval\.k=1,"):
        within_context(RAG, lambda r: prepare(task.materials, r), [asked])


def test_a_run_says_what_it_showed_less_of(
    task: Task, apt_spec: ModelSpec, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    short = replace(task, materials=replace(task.materials, train=task.materials.train[:3]))
    folder = run(job_of(short, apt_spec, tmp_path, FEW, embedder=LetterEmbedder()))
    line = "rung.shots.k lowered from 4 to 3: there are 3 train examples to show"
    assert f"tickets / few_shot: {line}\n" in capsys.readouterr().err
    assert folder.read("manifest.json")["lowered"] == [line]
    assert f"few_shot: {line}" in warnings(read_ladder([folder]).runs)


def test_an_example_too_long_to_learn_from_is_found_before_training(
    task: Task, apt_spec: ModelSpec, tmp_path: Path
) -> None:
    m = task.materials
    m = replace(m, train=(*m.train[:5], *longer(m.train[5:6], 2100)))
    with pytest.raises(RungUnavailableError, match=r"train\.jsonl:6: has 2,\d+ characters"):
        run(job_of(replace(task, materials=m), apt_spec, tmp_path, LORA))
