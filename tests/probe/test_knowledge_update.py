"""When facts change: a fitted rung is asked again with the new corpus, and nothing is trained."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from harness.conditions import Conditions
from harness.constraint import Constraint
from harness.errors import TaskError
from harness.ladder.distillation import Distilled
from harness.ladder.retrieval import Retrieval
from harness.ladder.rung import Predictor, Rung
from harness.ladder.tools import Tools
from harness.models.engine import Completion, Conversation, Usage
from harness.probe.knowledge_update import KnowledgeUpdate
from harness.probe.measure import available, wanted
from harness.probe.probe import FittedRun
from harness.record.measurements import measured
from harness.record.results import RunFolder
from harness.run import run
from harness.task import Task
from harness.tuning.trainings import Trainings
from tests.conftest import WORDS, LetterEmbedder, fixed, write_lines
from tests.test_run import FEW_SHOT, LORA, PROMPT, RAG, RAG_LORA, MakeJob, job

__all__ = ["job"]

FACTS = [{"old": "C1", "new": "C7", "in": ["P1"]}, {"old": "P2", "new": "P9"}]
"""Of the eight questions those of P1 get another code (eval-1, eval-5); P2 only gets another id."""
PROBE = KnowledgeUpdate(enabled=True)


@pytest.fixture
def task(load: Callable[..., Task], task_folder: Path) -> Task:
    path = task_folder / "facts.jsonl"
    write_lines(path, FACTS)
    return load(update={"facts": str(path)})


@dataclass(frozen=True)
class Reader:
    """An engine that answers with the code of the passage about a question's word, or, where no
    passage is shown, with what it remembers."""

    words: Mapping[str, str]
    """By the text of the question."""
    remembers: Mapping[str, str]
    """Codes by word."""
    context: int | None = None
    name: str = "reader"

    def answer(
        self, conversations: Sequence[Conversation], budget: int, constraint: Constraint | None
    ) -> Iterator[Completion]:
        for index, messages in enumerate(conversations):
            shown = messages[-1]["content"]
            word = next(word for text, word in self.words.items() if text in shown)
            read = re.search(rf"Things of {word} have code (C\d)", shown)
            code = read[1] if read else self.remembers.get(word)
            answer = json.dumps({"colour": "red", "code": code, "note": "x"})
            yield Completion(index, answer, "stop", Usage(9, 9, 9, 0.1))


OLD = {word: f"C{i}" for i, word in enumerate(WORDS.split()[:4])}


def fitted(task: Task, rung: Rung, folder: Path, remembers: Mapping[str, str] = OLD) -> FittedRun:
    """A rung that has answered eval, as `run` hands it to a probe."""
    words = {e.input: WORDS.split()[int(e.id[5:]) % 4] for e in task.eval}
    engine: Any = Reader(words, remembers)
    embedder = LetterEmbedder()
    index = rung.retrieval.index(task.materials.corpus, embedder) if rung.retrieval else None
    predictor = Predictor(rung, task.materials, engine, embedder, 0, index)
    folder.mkdir(parents=True, exist_ok=True)
    trainings = Trainings(folder, None, lambda _: False)
    conditions = Conditions(task, (), engine, embedder, None, trainings)
    return FittedRun(predictor, conditions, list(predictor(task.questions)), RunFolder(folder), 0)


def facts(found: Mapping[str, Any]) -> dict[str, Any]:
    return {q["id"]: q["facts"] for q in found["questions"] if q["facts"]}


READS = Rung("rag", "full", retrieval=Retrieval(4))


def test_a_rung_that_reads_follows_the_new_fact(task: Task, tmp_path: Path) -> None:
    found = PROBE.measure(fitted(task, READS, tmp_path))
    follows = {"code": {"before": 1.0, "new": 1.0, "old": 0.0}}
    assert facts(found) == {"eval-1": follows, "eval-5": follows}
    assert found["asked_again"] is True
    assert found["index_seconds"] >= 0.01
    assert [q["found"] for q in found["questions"]] == [1.0] * 8, "P9 is found by its new id"


def test_a_rung_whose_tool_reads_is_asked_again_and_has_nothing_to_index(
    task: Task, tmp_path: Path
) -> None:
    rung = Rung("tools", "full", dialogue=Tools(1, 32, 5.0, 100))
    found = PROBE.measure(fitted(task, rung, tmp_path))
    assert (found["asked_again"], found["index_seconds"]) == (True, 0.0)


def test_what_a_teacher_read_is_in_its_students_weights(task: Task, tmp_path: Path) -> None:
    taught = Distilled(READS, None, None, "teacher")
    asked = fitted(task, Rung("lora", "short"), tmp_path)
    student = replace(asked.predictor.rung, transform=taught)
    assert "corpus" in student.reads
    found = PROBE.measure(replace(asked, predictor=replace(asked.predictor, rung=student)))
    assert (found["asked_again"], found["index_seconds"]) == (False, None)


def test_a_rung_that_remembers_stays_with_the_old_one(task: Task, tmp_path: Path) -> None:
    """As one does that was tuned on it; it reads no corpus, so that it is not asked again."""
    folder = tmp_path / "run"
    asked = fitted(task, Rung("lora", "short"), folder)
    found = PROBE.measure(asked)
    stays = {"code": {"before": 1.0, "new": 0.0, "old": 1.0}}
    assert facts(found) == {"eval-1": stays, "eval-5": stays}
    assert (found["asked_again"], found["index_seconds"]) == (False, None)
    assert list(folder.iterdir()) == [], "no answer was asked for"


def test_a_rung_that_knows_nothing_states_neither(task: Task, tmp_path: Path) -> None:
    found = PROBE.measure(fitted(task, PROMPT, tmp_path, remembers={}))
    assert set(facts(found)) == {"eval-1", "eval-5"}
    assert facts(found)["eval-1"] == {"code": {"before": 0.0, "new": 0.0, "old": 0.0}}


def test_questions_whose_facts_stay_are_a_control_with_the_score_before_and_after(
    task: Task, tmp_path: Path
) -> None:
    found = PROBE.measure(fitted(task, READS, tmp_path))
    control = [q for q in found["questions"] if not q["facts"]]
    assert len(control) == 6
    assert all(q["before"] == q["after"] for q in control)
    assert found["measure"] == "fields"
    lost = PROBE.measure(fitted(task, Rung("lora", "short"), tmp_path / "lora"))
    (first,) = [q for q in lost["questions"] if q["id"] == "eval-1"]
    assert first["before"] - first["after"] == pytest.approx(1 / 3), "one of three fields"


def test_the_new_corpus_is_read_and_examples_keep_their_old_answers(
    task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = fitted(task, replace(READS, shots=fixed(16)), tmp_path)
    seen: list[Conversation] = []
    answer = Reader.answer

    def noted(engine: Reader, conversations: Any, *rest: Any) -> Iterator[Completion]:
        seen.extend(conversations)
        return answer(engine, conversations, *rest)

    monkeypatch.setattr(Reader, "answer", noted)
    PROBE.measure(asked)
    said = {role: "\n".join(m["content"] for m in seen[0] if m["role"] == role)
            for role in ("user", "assistant")}  # fmt: skip
    assert "have code C7" in said["user"]
    assert "birch have code C1" not in said["user"]
    assert '"C1"' in said["assistant"]
    assert '"C7"' not in said["assistant"]


def test_training_examples_that_rest_on_old_facts_and_that_know_new_ones_are_counted(
    task: Task, tmp_path: Path
) -> None:
    found = PROBE.measure(fitted(task, PROMPT, tmp_path))
    assert (found["restated"], found["ahead"]) == (4, 0), "train-1, -5, -9 and -13 rest on P1"
    m = task.materials
    knows = replace(m.train[5], target=m.train[5].target.replace("C1", "C7"))
    ahead = replace(task, materials=replace(m, train=(*m.train[:5], knows, *m.train[6:])))
    assert PROBE.measure(fitted(ahead, PROMPT, tmp_path / "ahead"))["ahead"] == 1
    nameless = tuple(replace(e, gold_passages=()) for e in m.train)
    silent = replace(task, materials=replace(m, train=nameless))
    found = PROBE.measure(fitted(silent, PROMPT, tmp_path / "silent"))
    assert (found["restated"], found["ahead"]) == (None, None)


def test_fewer_passages_than_before_lower_what_is_shown(task: Task, tmp_path: Path) -> None:
    assert task.update
    fewer = replace(task.update, corpus=task.update.corpus[1:])
    found = PROBE.measure(fitted(replace(task, update=fewer), READS, tmp_path))
    assert found["lowered"] == [
        "rung.retrieval.k lowered from 4 to 3: there are 3 passages to show"
    ]


def test_a_new_target_that_the_constraint_would_not_let_a_model_write_is_refused(
    task: Task, tmp_path: Path
) -> None:
    asked = fitted(task, PROMPT, tmp_path)
    assert task.update
    odd = replace(task.update.eval[0], target='{"colour":"red","code":"D1","note":"x"}')
    update = replace(task.update, eval=(odd, *task.update.eval[1:]))
    conditions = replace(
        asked.conditions,
        task=replace(task, update=update),
        constraint=task.materials.answer.constraint,
    )
    with pytest.raises(TaskError, match=r"eval\.jsonl:1 with .*facts\.jsonl: target"):
        PROBE.measure(replace(asked, conditions=conditions))


def test_a_task_without_an_update_leaves_the_probe_out_with_a_line(
    task: Task, capsys: pytest.CaptureFixture[str]
) -> None:
    bare = replace(task, update=None)
    assert available(wanted([PROBE], PROMPT, bare), bare) == []
    assert "tickets brings no facts that change; add task.update" in capsys.readouterr().err


def test_the_probe_is_for_those_who_ask(task: Task) -> None:
    assert wanted([replace(PROBE, enabled=None)], RAG, task) == []
    (one,) = wanted([PROBE], RAG, task)
    assert task.update
    assert one.settings == {"update": task.update.fingerprint}


@pytest.mark.parametrize("rung", [PROMPT, FEW_SHOT, RAG, LORA, RAG_LORA], ids=lambda r: r.name)
def test_a_finished_run_is_asked_again_and_answers_nothing_else_anew(
    job: MakeJob, task: Task, rung: Rung
) -> None:
    plain = run(job(rung, task=replace(task, update=None)))
    before = {p.name: p.stat().st_mtime_ns for p in plain.path.rglob("*") if p.is_file()}
    folder = run(job(rung, task=task, probes=[PROBE]))
    assert folder.path == plain.path, "an update makes no other run"
    told = measured(folder, "knowledge_update")
    assert told
    assert told.found["asked_again"] is (rung.retrieval is not None)
    assert len(told.found["questions"]) == 8
    after = {p.name: p.stat().st_mtime_ns for p in folder.path.rglob("*") if p.is_file()}
    assert {name for name in before if after[name] != before[name]} == set()
    again = run(job(rung, task=task, probes=[PROBE]))
    assert measured(again, "knowledge_update") == told, "once is enough"


def test_another_update_is_another_question(job: MakeJob, task: Task) -> None:
    assert task.update
    run(job(RAG, probes=[PROBE]))
    other = replace(task, update=replace(task.update, corpus=task.update.corpus[::-1]))
    folder = run(job(RAG, task=other, probes=[PROBE]))
    told = measured(folder, "knowledge_update")
    assert told and other.update
    assert told.found["update"] == other.update.fingerprint


def test_asking_again_goes_on_where_it_was_interrupted(job: MakeJob, task: Task) -> None:
    folder = run(job(RAG, probes=[PROBE]))
    (kept,) = folder.path.glob("probe-knowledge_update-answers-*.jsonl")
    lines = kept.read_text().splitlines(keepends=True)
    folder.write(kept.name, "".join(lines[:3]))
    first = measured(folder, "knowledge_update")
    (folder.path / "probe-knowledge_update.json").unlink()
    run(job(RAG, probes=[PROBE]))
    second = measured(folder, "knowledge_update")
    assert first and second
    assert second.found["questions"] == first.found["questions"]
    assert kept.read_text().startswith("".join(lines[:3]))
