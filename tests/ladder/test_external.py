"""Answers that were made elsewhere, read from a file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.errors import ConfigError, TaskError
from harness.ladder.external import External, answered_elsewhere
from harness.models.embedder import Embedder
from harness.progress import say_again
from harness.task import Prediction, Question, Task

ASKED = [Question(f"q{i}", f"question {i}") for i in range(3)]


def written(tmp_path: Path, *lines: object, name: str = "a.jsonl") -> External:
    """The answers of a file with these lines, as text or as records."""
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    (tmp_path / name).write_text("".join(f"{text}\n" for text in texts), encoding="utf-8")
    return External(str(tmp_path / name))


def answered(external: External, task: Task, letters: Embedder) -> dict[str, Prediction]:
    return {p.id: p for p in external.predict(task.materials, ASKED, letters)}


def test_what_the_file_tells_is_known_and_the_rest_is_not(
    tmp_path: Path, task: Task, letters: Embedder
) -> None:
    found = answered(
        written(
            tmp_path,
            {"id": "q0", "text": "red", "tokens": [120, 4], "seconds": 0.5, "cost": 0.002},
            {"id": "q1", "text": "", "model": "any other column"},
        ),
        task,
        letters,
    )
    told = found["q0"]
    assert (told.prompt_tokens, told.completion_tokens, told.seconds, told.cost) == (
        120, 4, 0.5, 0.002,
    )  # fmt: skip
    assert told.unknown == ("computed_tokens",)
    assert (found["q1"].text, found["q1"].error, len(found["q1"].unknown)) == ("", None, 4)
    assert found["q2"].error is not None, "a question without a line is a failed prediction"
    for one in found.values():
        assert Prediction.of_record(json.loads(json.dumps(one.record()))) == one
    assert found["q1"].record()["seconds"] is None, "what is not known is null, and not 0"


@pytest.mark.parametrize(
    "lines",
    [
        ("id,text,tokens,cost", 'q0,"red, or so","[120, 4]",0.002', "q1,blue,,"),
        ("id,text,prompt_tokens,completion_tokens,cost", 'q0,"red, or so",120,4,0.002', "q1,blue,,,"),
    ],
)  # fmt: skip
def test_csv_says_the_same(
    lines: tuple[str, ...], tmp_path: Path, task: Task, letters: Embedder
) -> None:
    found = answered(written(tmp_path, *lines, name="a.csv"), task, letters)
    assert found["q0"].text == "red, or so"
    assert (found["q0"].prompt_tokens, found["q0"].completion_tokens) == (120, 4)
    assert (found["q0"].cost, found["q1"].cost) == (0.002, None)


def test_numbers_are_read_as_csv_writers_write_them(
    tmp_path: Path, task: Task, letters: Embedder
) -> None:
    lines = ("id,text,prompt_tokens,seconds,cost", "q0,red,120.0,0.5,2.5e-05")
    told = answered(written(tmp_path, *lines, name="a.csv"), task, letters)["q0"]
    assert (told.prompt_tokens, told.seconds, told.cost) == (120, 0.5, 0.000025)


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("{", r"a\.jsonl:2: not JSON"),
        ({"text": "red"}, r"a\.jsonl:2: has no 'id'; add the id of the question"),
        ({"id": "q1"}, r"a\.jsonl:2: has no 'text'; add the answer to 'q1'"),
        ({"id": "q1", "text": None}, r"a\.jsonl:2: has no 'text'"),
        ({"id": "q1", "text": {"a": 1}}, r"a\.jsonl:2: text is \{'a': 1\}; it must be text"),
        ({"id": "q0", "text": "x"}, r"a\.jsonl:2: id 'q0' stands at .*a\.jsonl:1 too; keep one"),
        ({"id": "q9", "text": "x"}, r"a\.jsonl:2: id 'q9' is none of the 3 eval questions; fix"),
        ({"id": "q1", "text": "x", "tokens": 7}, r"a\.jsonl:2: tokens is 7; give two numbers"),
        ({"id": "q1", "text": "x", "tokens": [1, 2.5]}, r"a\.jsonl:2: tokens is 2\.5; give a whole"),
        ({"id": "q1", "text": "x", "seconds": -1}, r"a\.jsonl:2: seconds is -1; give a number"),
        ({"id": "q1", "text": "x", "cost": "free"}, r'a\.jsonl:2: cost is "free"; give a number'),
        ({"id": "q1", "text": "x", "cost": True}, r"a\.jsonl:2: cost is true; give a number"),
        ({"id": "q1", "text": "x", "tokens": [10**18 + 1, 1]}, r"tokens is 1000000000000000001; give"),
        ({"id": "q1", "text": "x", "seconds": 1e300}, r"seconds is 1e\+300; give a number from 0 to"),
        ({"id": "q1", "text": "x", "seconds": "1_000"}, r'seconds is "1_000"; give a number'),
        ({"id": "q1", "text": "x", "seconds": "٣"}, r'seconds is ".u0663"; give a number'),
        ({"id": "q1", "text": "x", "seconds": " 1.5 "}, r'seconds is " 1\.5 "; give a number'),
        ({"id": "q1", "text": "x", "tokens": "nan 1"}, r'tokens is "nan"; give a whole number'),
    ],
)  # fmt: skip
def test_a_line_that_is_no_answer_is_named(line: object, complaint: str, tmp_path: Path) -> None:
    external = written(tmp_path, {"id": "q0", "text": "red"}, line)
    with pytest.raises(TaskError, match=complaint):
        external.check_questions(ASKED, ())


def test_a_file_that_is_none_is_named(tmp_path: Path, task: Task) -> None:
    (tmp_path / "empty.jsonl").write_text("")
    for name, complaint in {
        "empty.jsonl": r"empty\.jsonl: holds no answer",
        "none.jsonl": r"rung\.predictions=.*none\.jsonl: cannot be read \(No such file",
        "a.txt": r"a\.txt: cannot be read; fix: a file that ends in \.jsonl or \.csv",
    }.items():
        with pytest.raises((TaskError, ConfigError), match=complaint):
            External(str(tmp_path / name)).check(task.materials)
    with pytest.raises(ConfigError, match=r"rung\.predictions=null: which answers\? fix"):
        answered_elsewhere("external", None, 5)


def test_questions_beyond_the_limit_may_have_answers(tmp_path: Path) -> None:
    external = written(tmp_path, *({"id": q.id, "text": "red"} for q in ASKED))
    external.check_questions(ASKED[:2], beyond=("q2",))
    with pytest.raises(TaskError, match="q2"):
        external.check_questions(ASKED[:2], beyond=())


def test_missing_answers_are_said_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    say_again()
    external = written(tmp_path, {"id": "q1", "text": "red"})
    for _ in range(2):
        external.check_questions(ASKED, ())
    said = capsys.readouterr().err
    assert said.count("has no answer to 2 of 3 questions, first 'q0'; they count as wrong") == 1
