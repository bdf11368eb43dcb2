"""Answering: harness against transformers' `generate`, on the same requests and the same weights.

    python -m bench.answering                             # few_shot of support_json
    python -m bench.answering +task=banking77 rung.shots.k=16 task.source=FOLDER

Every row runs in this process, one after the other, and its texts are compared with those of
`generate` one by one. The slow ways answer the first REFERENCE questions, ours all of QUESTIONS.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import OmegaConf
from rich.console import Console
from rich.table import Table

from harness.models import plain
from harness.models.decode import Completion
from harness.models.local import LocalModel, load_model
from harness.models.memory import keep_freed_memory
from harness.progress import silence_libraries

CONF = Path(__file__).resolve().parent.parent / "conf"
QUESTIONS = 128
REFERENCE = 8


@dataclass(frozen=True)
class Way:
    """One way to answer: how many questions it got through in a second, and what it said."""

    name: str
    questions: int
    seconds: float
    texts: dict[int, list[int]]

    @property
    def rate(self) -> float:
        return self.questions / self.seconds


def requests(overrides: list[str]) -> tuple[LocalModel, list[list[int]], int]:
    """The model, the prompts that a rung sends for the first questions, and the token budget."""
    chosen = (
        overrides if any("task=" in o for o in overrides) else ["+task=support_json", *overrides]
    )
    if not any(o.startswith("rung=") for o in chosen):
        chosen.append("rung=few_shot")
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("config", overrides=[*chosen, "tracking=none"])
    OmegaConf.resolve(config)
    built = {
        k: instantiate(config[k], _convert_="all") for k in ("task", "rung", "model", "embedder")
    }
    task, model = built["task"].limited(QUESTIONS), load_model(built["model"])
    with tempfile.TemporaryDirectory() as folder:
        predictor = built["rung"].fit(
            task.materials, model, built["embedder"], config.seed, Path(folder)
        )
        prompts = [model.encode(asked.messages) for asked in predictor.ask(task.questions)]
    return model, prompts, task.materials.max_new_tokens


def timed(name: str, count: int, answer: Callable[[], Iterable[Completion]]) -> Way:
    began = time.perf_counter()
    texts = {c.index: c.tokens for c in answer()}
    return Way(name, count, time.perf_counter() - began, texts)


def main() -> None:
    silence_libraries()
    keep_freed_memory()
    model, prompts, budget = requests(sys.argv[1:])
    few = prompts[:REFERENCE]
    reference = model.fresh(model.model.dtype)
    pad = model.tokenizer.eos_token_id
    list(model.answer(prompts[:2], 4))  # nobody pays for what is only set up once
    list(plain.generate(reference, few[:1], model.stop, 4, 1, pad))
    ways = [
        timed("generate, one by one", len(few),
              lambda: plain.generate(reference, few, model.stop, budget, 1, pad)),
        timed("generate, padded batches of 8", len(few),
              lambda: plain.generate(reference, few, model.stop, budget, 8, pad)),
        timed("harness", len(prompts), lambda: model.answer(prompts, budget)),
    ]  # fmt: skip
    tokens = sum(map(len, prompts)) / len(prompts)
    print(f"{len(prompts)} prompts of {tokens:.0f} tokens, {model.spec.name}, {model.spec.dtype}")
    table = Table()
    for heading in ("way", "questions", "seconds", "questions/s", "ratio", "same text"):
        table.add_column(heading, justify="left" if heading == "way" else "right")
    for way in ways:
        same = sum(way.texts[i] == tokens for i, tokens in ways[0].texts.items())
        table.add_row(
            way.name, str(way.questions), f"{way.seconds:.1f}", f"{way.rate:.2f}",
            f"{way.rate / ways[0].rate:.1f}", f"{same}/{len(few)}",
        )  # fmt: skip
    Console().print(table)


if __name__ == "__main__":
    main()
