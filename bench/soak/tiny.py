"""A small task of one's own and a random Llama, which embeds as well: a ladder in seconds.

Everything is written into one folder, and `harness` runs on it there, without a network: a
model and its embedder lie in wheels, as GGUF and as a folder, and are fetched by pip and turned
into float32 as the default ones are.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.soak.llama import models
from harness.models.weights import digest

__all__ = ["LADDER", "Tiny", "configure", "write"]

ROOT = Path(__file__).resolve().parents[2]
LADDER = ("rung=prompt,few_shot,rag,lora", "training.epochs=1")
"""Words for the four rungs that between them fetch, index, train and answer."""
SIZES = {"train": 16, "dev": 6, "eval": 8}
WORDS = "anvil birch cedar dune ember fjord gorse heath islet jetty knoll larch marsh nettle oasis"
SCHEMA = {
    "type": "object",
    "required": ["colour", "code", "note"],
    "additionalProperties": False,
    "properties": {
        "colour": {"enum": ["red", "blue"], "x-kind": "behaviour"},
        "code": {"type": "string", "pattern": "^C[0-9]$", "x-kind": "knowledge"},
        "note": {"type": "string", "pattern": "^[a-z ]{1,12}$", "x-kind": "format"},
    },
}
TASK = """\
_target_: harness.load.load_task
name: tiny
folder: {folder}/task
answer:
  _target_: harness.answer.Json
  schema: ${{task.folder}}/schema.json
max_new_tokens: 48
primary: fields
"""
MODEL = """\
_target_: harness.models.local.ModelSpec
name: tiny
weights:
  _target_: harness.models.weights.Wheel
  requirement: soak-model==1.0
  path: soak_model/tiny.gguf
  sha256: {sha256}
dtype: float32
licence: CC0-1.0
gated: false
device: cpu
batch_size: ${{batch_size}}
"""
EMBEDDER = """\
_target_: harness.models.embedder.Embedder
name: tiny
weights:
  _target_: harness.models.weights.Wheel
  requirement: soak-embedder==1.0
  path: soak_embedder/embedder
  sha256: {sha256}
licence: CC0-1.0
device: cpu
"""


@dataclass(frozen=True)
class Tiny:
    """A folder with `task/`, `conf/`, `wheels/` and `models/`; what harness leaves goes into
    `results/`, `mlflow.db`, `cache/` and `tmp/` beside them."""

    folder: Path

    @property
    def results(self) -> Path:
        return self.folder / "results"

    @property
    def store(self) -> str:
        """Tracking URI."""
        return f"sqlite:///{self.folder / 'mlflow.db'}"

    @property
    def words(self) -> tuple[str, ...]:
        """What every command line here begins with."""
        return (
            "--config-dir", str(self.folder / "conf"),
            "+task=tiny", "model=tiny", "embedder=tiny",
            f"results={self.results}", f"tracking.uri={self.store}",
            "probes.forgetting.enabled=false",  # its passages are fetched
        )  # fmt: skip

    def typed(self, words: Sequence[str], module: str) -> list[str]:
        """The arguments of a module: for harness `self.words`, but for what these words set."""
        keys = {word.split("=")[0] for word in words}
        own = self.words if module == "harness" else ()
        return [*(word for word in own if word.split("=")[0] not in keys), *words]

    @property
    def environment(self) -> dict[str, str]:
        """Every cache inside the folder, one thread, no network."""
        inside = {"HARNESS_CACHE": "cache", "HF_HOME": "hf", "TMPDIR": "tmp", "HOME": "home"}
        return {
            "PATH": os.environ.get("PATH", ""),
            "PYTHONPATH": str(ROOT),
            "OMP_NUM_THREADS": "1",
            "HF_HUB_OFFLINE": "1",
            "PIP_NO_INDEX": "1",
            "PIP_NO_CACHE_DIR": "1",
            "PIP_FIND_LINKS": str(self.folder / "wheels"),
            **{name: str(self.folder / room) for name, room in inside.items()},
        }

    def harness(
        self,
        words: Sequence[str] = LADDER,
        *,
        env: Mapping[str, str] | None = None,
        preexec: Callable[[], None] | None = None,
        module: str = "harness",
    ) -> subprocess.Popen[str]:
        """Start `python -m harness` with these words behind `self.words`, in a process group of
        its own, which `os.killpg(process.pid, …)` reaches; its output is in pipes.

        `env` is added to `self.environment`; `preexec` runs in the child (limits of resources,
        mounts). Another `module` gets its words alone.
        """
        return subprocess.Popen(
            [sys.executable, "-m", module, *self.typed(words, module)],
            cwd=self.folder,
            env=self.environment | dict(env or {}),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            preexec_fn=preexec,  # noqa: PLW1509 - no thread of ours runs beside it
        )


def write(folder: Path, sizes: Mapping[str, int] = SIZES) -> Tiny:
    """Write the task (so many examples a split), the models and their configuration."""
    shutil.copytree(models(), folder, dirs_exist_ok=True)
    _write_task(folder / "task", sizes)
    return configure(folder)


def configure(folder: Path) -> Tiny:
    """Write the configuration into a folder that has the rest."""
    for room in ("tmp", "home"):
        (folder / room).mkdir()
    model, embedder = (digest(folder / "models" / name) for name in ("tiny.gguf", "embedder"))
    for group, text in (
        ("task", TASK.format(folder=folder)),
        ("model", MODEL.format(sha256=model)),
        ("embedder", EMBEDDER.format(sha256=embedder)),
    ):
        path = folder / "conf" / group / "tiny.yaml"
        path.parent.mkdir(parents=True)
        path.write_text(text)
    return Tiny(folder)


def _example(split: str, number: int) -> dict[str, object]:
    """A ticket that shares nothing with any other: each split has words of its own."""
    words = WORDS.split()
    word = words[number % len(words)]
    offset = {"train": 3, "dev": 5, "eval": 7}[split]
    return {
        "id": f"{split}-{number}",
        "group": f"{split}-group-{number // 2}",
        "input": " ".join(
            f"{split}{word}{number}x{(number * offset + i) ** 3 % 997}" for i in range(6)
        ),
        "target": {
            "colour": "red" if number % 3 else "blue",
            "code": f"C{number % 4}",
            "note": word,
        },
        "sources": [f"P{number % 4}"],
        "tags": {"odd": bool(number % 2)},
    }


def _write_task(folder: Path, sizes: Mapping[str, int]) -> None:
    folder.mkdir()
    for split, size in sizes.items():
        _lines(folder / f"{split}.jsonl", [_example(split, i) for i in range(size)])
    pages = enumerate(WORDS.split()[:4])
    _lines(
        folder / "corpus.jsonl",
        [
            {"id": f"P{i}", "title": f"Page {i}", "text": f"Things of {w} have code C{i}."}
            for i, w in pages
        ],
    )
    (folder / "schema.json").write_text(json.dumps(SCHEMA))
    (folder / "instructions.full.md").write_text("Answer in JSON.\n{schema}\n")
    (folder / "instructions.short.md").write_text("JSON.\n")


def _lines(path: Path, rows: Sequence[Mapping[str, object]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
