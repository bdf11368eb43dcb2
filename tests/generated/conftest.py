"""A user's folder with a task, made once; every case spoils a copy."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from harness.__main__ import main
from harness.configuration.compose import compose
from harness.configuration.spec import JobSpec, key_of
from tests.conftest import SCHEMA, TASK, WORDS, example, write_lines
from tests.generated.edge import SEED, Outcome, Ready, tried

SETTINGS = (
    TASK
    + """\
question: "Ticket: {{input}}"
licence: CC0-1.0
sizes: {{train: 12}}
splits: {{eval: eval}}
metrics: []
"""
)


def make_user(folder: Path) -> None:
    """A task of a user's own below `folder`, with its YAML."""
    data = folder / "data"
    data.mkdir(parents=True)
    for split, size in {"train": 16, "dev": 6, "eval": 8}.items():
        write_lines(data / f"{split}.jsonl", [example(split, i) for i in range(size)])
    words = WORDS.split()
    passages = [
        {"id": f"P{i}", "title": f"Page {i}", "text": f"Things of {words[i]} have code C{i}."}
        for i in range(4)
    ]
    write_lines(data / "corpus.jsonl", passages)
    (data / "schema.json").write_text(json.dumps(SCHEMA))
    (data / "instructions.full.md").write_text("Answer in JSON.\n{schema}\n")
    (data / "instructions.short.md").write_text("JSON.\n")
    (folder / "conf" / "task").mkdir(parents=True)
    (folder / "conf" / "task" / "mine.yaml").write_text(SETTINGS.format(folder="data"))


@dataclass(frozen=True)
class Edge:
    """`python -m harness`, in a folder of the user's."""

    model: Path
    patch: pytest.MonkeyPatch

    def run(self, folder: Path, *words: str) -> Outcome:
        """The command with these words behind those of a small run."""
        self.patch.setattr("harness.experiment.compose", compose)
        return self._tried(folder, words)

    def run_unchanged(self, folder: Path, *words: str) -> Outcome:
        """The same where every folder has the same YAML: it is composed once."""
        self.patch.setattr("harness.experiment.compose", composed_once)
        return self._tried(folder, words)

    def _tried(self, folder: Path, words: Sequence[str]) -> Outcome:
        self.patch.chdir(folder)
        usual = ["--config-dir", "conf", "+task=mine", "rung=prompt", "model=folder"]
        usual += [f"model.weights.path={self.model}", "tracking=none", "controls=false"]
        typed = {key_of(word) for word in words}
        own = [word for word in usual if key_of(word) not in typed]
        return tried(lambda: called([*own, *words]))


def called(arguments: Sequence[str]) -> int | None:
    return main(list(arguments))


def composed_once(words: Sequence[str], **settings: Any) -> list[JobSpec]:
    if tuple(words) not in COMPOSED:
        COMPOSED[tuple(words)] = compose(words, **settings)
    # A job is read into objects once, and another case has other files.
    return [JobSpec(s.composed, s.config_dirs, s.sweep) for s in COMPOSED[tuple(words)]]


COMPOSED: dict[tuple[str, ...], list[JobSpec]] = {}


@pytest.fixture(scope="module")
def edge(tiny_folder: Path) -> Iterator[Edge]:
    """Stands in another folder for each case, and never loads weights."""
    print(f"generated cases: seed {SEED} (GENERATED_SEED)")

    def stop(*_: object) -> None:
        raise Ready

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("harness.models.local.load.load_engine", stop)
        yield Edge(tiny_folder, patch)


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is copied and spoilt."""
    folder = tmp_path_factory.mktemp("user") / "user"
    make_user(folder)
    return folder
