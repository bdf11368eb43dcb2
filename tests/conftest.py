"""Small stand-ins for fast tests: a random Llama of 100,000 weights and a task of thirty tickets.

The main path is tested on real weights in real/test_ladder.py.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from peft import AdaLoraConfig, LoraConfig
from transformers import (
    AutoTokenizer,
    Gemma2Config,
    Gemma2ForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
)

from bench.soak.llama import tokenizer
from harness.answer import Json, Text
from harness.ladder.shots import Shots
from harness.load import load_task
from harness.models.embedder import Embedder
from harness.models.local import ModelSpec
from harness.models.local.engine import LocalEngine
from harness.models.local.load import load_engine
from harness.models.weights import Folder
from harness.task import Task
from harness.tuning.trainer import Training

ROOT = Path(__file__).resolve().parent.parent
BANKING77 = ROOT.parent / "shared" / "data" / "banking77"

SCHEMA = {
    "type": "object",
    "required": ["colour", "code", "note"],
    "additionalProperties": False,
    "properties": {
        "colour": {"enum": ["red", "blue"], "x-kind": "behaviour"},
        "code": {"type": ["string", "null"], "pattern": "^C[0-9]$", "x-kind": "knowledge"},
        "note": {"type": "string", "pattern": "^[a-z ]+$", "x-kind": "format", "x-check": "style"},
    },
}

TASK = """\
_target_: harness.load.load_task
name: mine
folder: {folder}
answer:
  _target_: harness.answer.Json
  schema: ${{task.folder}}/schema.json
max_new_tokens: 48
primary: fields
"""
"""The YAML of a user's own task."""


LONG = ("test_ladder.py", "real", "bench", "tuning", "generated")
"""Files and folders whose files take longest."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first: of two processes none is left alone with one at the end."""

    def place(item: pytest.Item) -> int:
        names = (item.path.name, item.path.parent.name)
        return min((LONG.index(name) for name in names if name in LONG), default=len(LONG))

    items.sort(key=place)


@pytest.fixture(scope="session", autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Tests that need real weights share the platform's cache; nothing else is cached there."""
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def tiny_tokenizer() -> PreTrainedTokenizerFast:
    return tokenizer(["<s>", "</s>"])


@pytest.fixture(scope="session")
def tiny_folder(
    tmp_path_factory: pytest.TempPathFactory, tiny_tokenizer: PreTrainedTokenizerFast
) -> Path:
    """A random Llama with grouped-query attention, saved as any model is."""
    folder = tmp_path_factory.mktemp("tiny")
    torch.manual_seed(1)
    config = LlamaConfig(
        vocab_size=len(tiny_tokenizer),
        hidden_size=48,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=6,
        num_key_value_heads=2,
        head_dim=8,
        max_position_embeddings=2048,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=1,
        tie_word_embeddings=True,
        initializer_range=0.3,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tiny_tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_spec(tiny_folder: Path) -> ModelSpec:
    return ModelSpec("tiny", Folder(str(tiny_folder)), "float32", "CC0-1.0", False, "cpu")


@pytest.fixture(scope="session")
def tiny(tiny_spec: ModelSpec) -> LocalEngine:
    return load_engine(tiny_spec)


@pytest.fixture(scope="session")
def even(tmp_path_factory: pytest.TempPathFactory, tiny_folder: Path) -> LocalEngine:
    """A random Llama whose layers have multiples of 64 inputs: blocks of 4-bit weights fit."""
    folder = tmp_path_factory.mktemp("even")
    torch.manual_seed(3)
    config = LlamaConfig.from_pretrained(tiny_folder)
    config.hidden_size, config.num_attention_heads, config.intermediate_size = 64, 8, 128
    LlamaForCausalLM(config).save_pretrained(folder)
    AutoTokenizer.from_pretrained(tiny_folder).save_pretrained(folder)
    return LocalEngine(
        ModelSpec("even", Folder(str(folder)), "float32", "CC0-1.0", False, "cpu"), folder, "even"
    )


@pytest.fixture(scope="session")
def capped(tmp_path_factory: pytest.TempPathFactory, tiny_folder: Path) -> LocalEngine:
    """A random Gemma 2: it caps its scores, which torch's fused attention cannot."""
    folder = tmp_path_factory.mktemp("capped")
    tokens = AutoTokenizer.from_pretrained(tiny_folder)
    torch.manual_seed(4)
    config = Gemma2Config(
        vocab_size=len(tokens),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=8,
        query_pre_attn_scalar=8,
        attn_logit_softcapping=1.0,
        final_logit_softcapping=30.0,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=1,
        initializer_range=0.3,
    )
    Gemma2ForCausalLM(config).save_pretrained(folder)
    tokens.save_pretrained(folder)
    return LocalEngine(
        ModelSpec("capped", Folder(str(folder)), "float32", "CC0-1.0", False, "cpu"),
        folder,
        "capped",
    )


@dataclass(frozen=True)
class NoWeights:
    """Of an embedder that computes its vectors by itself."""

    def resolve(self) -> Path:
        raise AssertionError("there is nothing to load")

    def fingerprint(self) -> str:
        return "0" * 64


class LetterEmbedder(Embedder):
    """Unit vectors of letter counts: enough to be near or far, and nothing to download."""

    def __init__(self) -> None:
        super().__init__("letters", NoWeights(), "CC0-1.0")

    def encode(self, texts):  # type: ignore[no-untyped-def]
        import numpy as np

        counts = np.array([[t.lower().count(chr(c)) for c in range(97, 123)] for t in texts])
        vectors = counts.astype(np.float32) + 1e-3
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def seconds(self, texts):  # type: ignore[no-untyped-def]
        return 0.01


@pytest.fixture(scope="session")
def letters() -> Embedder:
    return LetterEmbedder()


def write_lines(path: Path, rows: list[dict[str, object]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


WORDS = "anvil birch cedar dune ember fjord gorse heath islet jetty knoll larch marsh nettle oasis"


def example(split: str, number: int) -> dict[str, object]:
    """A ticket that shares nothing with any other: each split has words of its own."""
    word = WORDS.split()[number % 15]
    offset = {"train": 3, "dev": 5, "eval": 7}[split]
    text = " ".join(f"{split}{word}{(number * offset + i) ** 3 % 997}" for i in range(6))
    return {
        "id": f"{split}-{number}",
        "group": f"{split}-group-{number // 2}",
        "input": text,
        "target": {
            "colour": "red" if number % 3 else "blue",
            "code": f"C{number % 4}",
            "note": word,
        },
        "sources": [f"P{number % 4}"],
        "tags": {"odd": bool(number % 2)},
    }


@pytest.fixture
def task_folder(tmp_path: Path) -> Path:
    """A folder as a user would bring it: splits, corpus, schema, two instructions."""
    folder = tmp_path / "task"
    folder.mkdir()
    for split, size in {"train": 16, "dev": 6, "eval": 8}.items():
        write_lines(folder / f"{split}.jsonl", [example(split, i) for i in range(size)])
    write_lines(
        folder / "corpus.jsonl",
        [{"id": f"P{i}", "title": f"Page {i}", "text": f"Things of {WORDS.split()[i]} have code C{i}."}
         for i in range(4)],
    )  # fmt: skip
    (folder / "schema.json").write_text(json.dumps(SCHEMA))
    (folder / "instructions.full.md").write_text("Answer in JSON.\n{schema}\n")
    (folder / "instructions.short.md").write_text("JSON.\n")
    return folder


@pytest.fixture
def load(task_folder: Path) -> Callable[..., Task]:
    """Load the task of `task_folder`; keyword arguments replace load_task's."""

    def call(**changes: object) -> Task:
        arguments: dict[str, object] = {
            "name": "tickets",
            "folder": str(task_folder),
            "answer": Json(str(task_folder / "schema.json")),
            "primary": "fields",
            "max_new_tokens": 48,
        }
        return load_task(**(arguments | changes))  # type: ignore[arg-type]

    return call


@pytest.fixture
def task(load: Callable[..., Task]) -> Task:
    return load()


@pytest.fixture
def prose(load: Callable[..., Task], task_folder: Path) -> Task:
    """The same with its answers as free text."""
    for split in ("train", "dev", "eval"):
        path = task_folder / f"{split}.jsonl"
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        write_lines(path, [row | {"target": json.dumps(row["target"])} for row in rows])
    return load(name="prose", answer=Text(), primary="token_f1")


def plan(**changes: object) -> Training:
    """How the tiny model is trained in tests; keyword arguments replace single settings."""
    settings: dict[str, object] = {
        "learning_rate": 1e-2,
        "rate_scale": 1.0,
        "epochs": 3,
        "batch_size": 4,
        "accumulate": 1,
        "schedule": "constant",
        "warmup": 0.0,
        "weight_decay": 0.0,
        "max_grad_norm": 1.0,
        "evaluations_per_epoch": 2,
        "patience": 99,
        "dtype": "float32",
        "activation_checkpointing": False,
    }
    return Training(**(settings | changes))  # type: ignore[arg-type]


def fixed(k: int) -> Shots:
    """The same k worked examples for all questions."""
    return Shots(k, "fixed", 0.0, "nearest_last")


def similar(k: int, diversity: float = 0.0, order: str = "nearest_last") -> Shots:
    """The k worked examples most like each question."""
    return Shots(k, "similar", diversity, order)  # type: ignore[arg-type]


def lora(**changes: object) -> LoraConfig:
    """Low-rank adapters on all linear layers of the tiny model."""
    settings = {"r": 4, "lora_alpha": 8, "target_modules": "all-linear", "task_type": "CAUSAL_LM"}
    return LoraConfig(**(settings | changes))


def adalora(**changes: object) -> AdaLoraConfig:
    """The same with ranks that are allocated: 6 a layer at first, 3 at last."""
    settings = {
        "init_r": 6,
        "target_r": 3,
        "total_step": 100,
        "tinit": 15,
        "tfinal": 50,
        "lora_alpha": 12,
        "target_modules": "all-linear",
        "task_type": "CAUSAL_LM",
    }
    return AdaLoraConfig(**(settings | changes))


@pytest.fixture(scope="session")
def apt_spec(tmp_path_factory: pytest.TempPathFactory, tiny_folder: Path) -> ModelSpec:
    """The tiny model with an embedding for its stop token, which padding leaves at zero there.

    This one can learn to stop.
    """
    folder = tmp_path_factory.mktemp("apt")
    model = LlamaForCausalLM.from_pretrained(tiny_folder)
    torch.manual_seed(2)
    with torch.no_grad():
        model.get_input_embeddings().weight[1].normal_(0, 0.3)
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(tiny_folder).save_pretrained(folder)
    return ModelSpec("apt", Folder(str(folder)), "float32", "CC0-1.0", False, "cpu")


@pytest.fixture(scope="session")
def apt(apt_spec: ModelSpec) -> LocalEngine:
    return load_engine(apt_spec)
