"""Passwords, tokens and keys: in no record and in no message."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest

from harness.errors import ConfigError, HarnessError
from harness.experiment import Sweep, compose
from harness.job import identity
from harness.ladder.rung import Rung
from harness.models.local import ModelSpec
from harness.report.__main__ import main as report
from harness.report.mlflow import main as mirror
from harness.secrets import is_secret, redact, redacted, redacted_word
from harness.task import Task
from harness.trials import Candidate
from tests.conftest import TASK
from tests.test_run import job_of


@pytest.mark.parametrize(
    "name",
    ["HF_TOKEN", "OPENAI_API_KEY", "MLFLOW_TRACKING_PASSWORD", "PGPASSWORD", "model.api_key",
     "apiKey", "x-api-key", "client_secret", "aws_secret_access_key", "Authorization", "pwd"],
)  # fmt: skip
def test_names_of_secrets(name: str) -> None:
    assert is_secret(name)


@pytest.mark.parametrize(
    "name",
    ["max_new_tokens", "eos_token", "stop_token", "TOKENIZERS_PARALLELISM", "key", "sort_key",
     "password_policy", "tokens", "", "seed"],
)  # fmt: skip
def test_names_of_others(name: str) -> None:
    assert not is_secret(name)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("https://ann:pass@host/x", "https://***@host/x"),
        ("https://ann:pa/s@s@host/x", "https://***@host/x"),
        ("https://only-a-token@host", "https://***@host"),
        ("postgresql+psycopg://ann:pw@db:5432/mlflow", "postgresql+psycopg://***@db:5432/mlflow"),
        ("http://host/?token=abc&x=1&sig=def", "http://host/?token=***&x=1&sig=***"),
        ("tracking.uri=http://a:b@h model.api_key=xyz", "tracking.uri=http://***@h model.api_key=***"),
        ("tracking.uri=http://h/?token=xyz seed=0", "tracking.uri=http://h/?token=*** seed=0"),
        ("model.options={a.api_key: xyz}", "model.options={a.api_key: ***}"),
        ("+model.password='a b, c' seed=0", "+model.password=*** seed=0"),
        ("{api_key: abc, seed: 1}", "{api_key: ***, seed: 1}"),
        ('{"api_key": "a\\"b", "x": 1}', '{"api_key": ***, "x": 1}'),
        ("a: 1\n  auth_token: abc\n", "a: 1\n  auth_token: ***\n"),
        ("Authorization: Bearer abcdef", "Authorization: ***"),
        ("got hf_abcdefghijklmnopqrst", "got ***"),
        ("got sk-proj-abcdefgh12345678", "got ***"),
    ],
)  # fmt: skip
def test_a_mark_takes_the_place_of_a_secret(text: str, said: str) -> None:
    assert redact(text) == said
    assert redact(said) == said


@pytest.mark.parametrize(
    "text",
    [
        "http://127.0.0.1:9 failed (connection refused)", "sqlite:////tmp/a b/mlflow.db",
        "hydra.searchpath=['file:///a','file:///b']", "https://medium.com/@ann", "ann@example.org",
        "max_new_tokens=48 eos_token=</s>", "seconds per token: 3", "a task-by-task-comparison-1",
        "basic questions of everybody", "wrong password: the field",
    ],
)  # fmt: skip
def test_other_text_stays_as_it_is(text: str) -> None:
    assert redact(text) == text


def test_long_text_takes_no_long_time() -> None:
    for text in ("://a:" * 20_000, "{ " * 50_000, "\n" * 50_000, "a.b-c_" * 20_000):
        assert redact(text) == text


def test_values_of_the_environment_are_known_wherever_they_stand(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HF_TOKEN", "a planted/value")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://ann:planted%21pass@host")
    monkeypatch.setenv("SHORT_TOKEN", "prompt")
    said = redact("x a planted/value y a%20planted%2Fvalue planted!pass prompt")
    assert said == "x *** y *** *** prompt"


def test_records_lose_secrets_by_name_and_keep_everything_else() -> None:
    kept = {
        "n": 1.5,
        "eos_token": "</s>",
        "token": 7,
        "none": None,
        "l": [1, ("a",)],
        "api_key": "",
    }
    assert redacted(kept) == kept
    secret = {"model": {"api_key": "abc", "password": 1234}, "uris": ["http://a:b@h"]}
    assert redacted(secret) == {
        "model": {"api_key": "***", "password": "***"},
        "uris": ["http://***@h"],
    }


def test_all_of_an_override_is_secret_behind_such_a_name() -> None:
    assert redacted_word("+model.api_key=a b,c") == "+model.api_key=***"
    assert redacted_word("model.licence=http://a:b@h") == "model.licence=http://***@h"
    assert redacted_word("seed=0") == "seed=0"


def test_a_run_is_the_same_run_whatever_the_secret(
    task: Task, tiny_spec: ModelSpec, tmp_path: Path
) -> None:
    def determining(settings: dict[str, str]) -> dict[str, object]:
        job = job_of(task, tiny_spec, tmp_path)
        one = Candidate(Rung("prompt", "full"), {"name": "prompt", **settings}, "")
        return identity(replace(job, candidates=(one,)), task.fingerprints())

    one, other = determining({"api_key": "first"}), determining({"api_key": "second"})
    assert one == other
    assert "first" not in json.dumps(one)
    plain = determining({})
    assert plain["rung"] == {"name": "prompt"}, "without a secret nothing is changed"


PLANTED = {
    "MLFLOW_TRACKING_PASSWORD": "planted-password-1",
    "MLFLOW_TRACKING_TOKEN": "planted-token-2",
    "HF_TOKEN": "planted/hf token-3",
    "OPENAI_API_KEY": "planted-key-4",
}
IN_URI, IN_QUERY, IN_OVERRIDE = "planted-5", "planted-6", "planted-7"


@pytest.fixture
def words(
    tmp_path: Path, tiny_folder: Path, task_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[list[str]]:
    """A run whose words and environment are full of secrets; its server is down."""
    for name, value in PLANTED.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "conf" / "task").mkdir(parents=True)
    (tmp_path / "conf" / "task" / "mine.yaml").write_text(TASK.format(folder=task_folder))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    yield [
        "+task=mine", "rung=prompt", "limit=2", "controls=false", "dev_questions=0",
        "model=folder", f"model.weights.path={tiny_folder}",
        f"model.name='{PLANTED['HF_TOKEN']}'",
        f"model.licence='https://ann:{IN_URI}@licences.example/?token={IN_QUERY}'",
        f"tracking.uri='http://ann:{IN_URI}@127.0.0.1:9/?api_key={IN_QUERY}'",
        f"+task.rungs.rag.api_key={IN_OVERRIDE}",
    ]  # fmt: skip


def test_a_run_writes_and_says_no_secret(
    words: list[str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    Sweep().run(compose(words, config_dirs=["conf"]), said="full")
    assert report(["results", "--json"]) == 0
    assert mirror(["results", "--uri", f"sqlite:///{tmp_path}/mlflow.db"]) == 0
    said = "".join(capfd.readouterr())
    assert "http://***@127.0.0.1:9" in said and "mirrored 1 runs" in said
    secrets = [*PLANTED.values(), IN_URI, IN_QUERY, IN_OVERRIDE]
    forms = {form.encode() for s in secrets for form in (s, quote(s), quote(s, safe=""))}
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    names = {path.name for path in files}
    assert {"config.yaml", "manifest.json", "mlflow.db"} <= names
    for path in files:
        content = path.read_bytes()
        assert not [form for form in forms if form in content], path
        assert not [form for form in forms if form in str(path).encode()]
    assert not [form for form in forms if form in said.encode()]


@pytest.mark.parametrize(
    "word",
    [f"model.api_key={IN_OVERRIDE}", f"+model.api_key={IN_OVERRIDE}",
     f"tracking.url=http://ann:{IN_OVERRIDE}@host", f"limit=http://ann:{IN_OVERRIDE}@host",
     f"model.api_key='{IN_OVERRIDE}"],
)  # fmt: skip
def test_no_message_has_a_secret(words: list[str], word: str) -> None:
    with pytest.raises(HarnessError) as raised:
        Sweep(progress=False).run(compose([*words, word], config_dirs=["conf"]))
    assert IN_OVERRIDE not in str(raised.value)
    assert isinstance(raised.value, ConfigError)
