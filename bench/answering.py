"""Answering: harness against what else answers, on the same requests and the same weights.

    python -m bench answering --questions 4 --banking77 FOLDER
    python -m bench answering model=folder model.weights.path=FOLDER

Every way runs in this process, one after the other, and its texts are compared with those of
transformers' `generate`, one by one. The others answer the first few questions, harness all: an
eval set is long. Ways that compute a shared prefix once answer SHARING times as many, as they too
gain by more of them; `--questions` raises both. That harness keeps freed memory
(`harness.models.local.allocator`) serves all ways alike.
"""

from __future__ import annotations

import time
from argparse import Namespace
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from transformers import PreTrainedModel

from bench.experiment import experiment
from bench.floors import floors
from bench.peers import Answer, Unavailable, batches, continuous, llama_cpp, lm_eval
from bench.table import Row
from harness.models.local.decode import Decoded
from harness.models.local.engine import LocalEngine

__all__ = ["rows"]

BATCH = 8
"""Of padded batches; fewer if fewer questions are asked."""
SHARING = 3
UNIT = "questions/s"


@dataclass(frozen=True)
class Requests:
    """What a rung sends."""

    name: str
    overrides: tuple[str, ...]
    aims: Mapping[str, float] = field(default_factory=dict)
    """By the other way's name."""


BUDGET = 76
"""New tokens of an answer, at the most: those of the longest target, and a stop token."""
FIXED = ("rung=few_shot", "rung.shots.choice=fixed", "rung.shots.k=4")
"""Examples that all prompts share."""
BARE = ("rung=rag", "rung.shots=null", "rung.retrieval.k=3")
"""Passages without examples."""
FEW_SHOT = {"lm-eval": 25.0, "llama.cpp": 2.0}
LONG = {"lm-eval": 3.0}
REQUESTS = (
    Requests("support_json prompt", ("+task=support_json", "rung=prompt"), LONG),
    Requests("support_json few_shot", ("+task=support_json", *FIXED), FEW_SHOT),
    Requests("support_json rag", ("+task=support_json", *BARE), LONG),
    # The untrained weights with the short prompt: as fast as the trained ones.
    Requests("support_json lora", ("+task=support_json", "rung=lora", "~rung.tuning")),
)
BANKING77 = Requests(
    "banking77 few_shot, 16 shots",
    ("+task=banking77", *FIXED[:2], "rung.shots.k=16"),
    FEW_SHOT,
)


def rows(arguments: Namespace) -> Iterator[Row]:
    """The answering lines: for every kind of request harness against each other way."""
    wanted = list(REQUESTS[1:2] if arguments.quick else REQUESTS)
    if arguments.banking77:
        source = f"task.source={arguments.banking77}"
        wanted.append(Requests(BANKING77.name, (*BANKING77.overrides, source), BANKING77.aims))
    for requests in wanted:
        asked = experiment([*requests.overrides, *arguments.overrides])
        prompts = asked.prompts(arguments.ours)
        budget = min(BUDGET, asked.task.materials.max_new_tokens)
        yield from _compared(requests, asked.model, prompts, budget, arguments.questions)


@dataclass(frozen=True)
class _Timed:
    rate: float
    texts: list[str]


def _compared(
    requests: Requests, model: LocalEngine, prompts: list[list[int]], budget: int, few: int
) -> Iterator[Row]:
    reference = model.fresh(model.model.dtype)
    list(model.generate(_short(prompts), 2))  # nobody pays for what is only set up once
    began = time.perf_counter()
    done = sorted(model.generate(prompts, budget), key=lambda c: c.index)
    ours = len(prompts) / (time.perf_counter() - began)
    texts = [model.decode(c.tokens) for c in done[:few]]
    what = f"{requests.name} ({_shape(prompts, done)})"
    expected: list[str] | None = None
    for key, name, found in _others(model, reference, prompts, few, budget):
        aim = requests.aims.get(key)
        if isinstance(found, Unavailable):
            yield Row(what, UNIT, ours, name, None, aim, f"not run: {found}")
            continue
        expected = expected or found.texts  # the first way is one by one: the reference
        output = f"{_equal(texts, expected)}, other {_equal(found.texts, expected)}"
        yield Row(what, UNIT, ours, name, found.rate, aim, output)
    for floor in floors(reference, done):
        yield Row(what, UNIT, ours, floor.name, len(prompts) / floor.seconds)


def _others(
    model: LocalEngine,
    reference: PreTrainedModel,
    prompts: list[list[int]],
    few: int,
    budget: int,
) -> Iterator[tuple[str, str, _Timed | Unavailable]]:
    """Every other way: its key among the aims, its name, and what came of it."""
    first, more = prompts[:few], prompts[: few * SHARING]
    size = min(BATCH, few)
    one = _time(partial(batches, model, reference, 1), first, budget)
    yield "generate", "generate, one by one", one
    several = _time(partial(batches, model, reference, size), first, budget)
    yield "batches", f"generate, padded batches of {size}", several
    found = _time(partial(continuous, model, reference), more, budget)
    yield "continuous", f"generate_batch, continuous batching of {len(more)}", found
    if isinstance(one, _Timed) and isinstance(several, _Timed) and one.rate > several.rate:
        size = 1
    found = _time(partial(lm_eval, model, reference, size), first, budget)
    yield "lm-eval", f"lm-eval, HF backend, batches of {size} (the faster)", found
    longest = max(map(len, prompts)) + budget
    found = _time(partial(llama_cpp, model, longest), more, budget)
    yield "llama.cpp", f"llama.cpp, 4 bits, {len(more)} in a row", found


def _time(
    build: Callable[[], Answer], prompts: Sequence[list[int]], budget: int
) -> _Timed | Unavailable:
    """How fast a way is and what it says, or why it cannot be taken; set-up is not counted."""
    try:
        answer = build()
        answer(_short(prompts), 2)
        began = time.perf_counter()
        texts = answer(prompts, budget)
        return _Timed(len(prompts) / (time.perf_counter() - began), texts)
    except Unavailable as reason:
        return reason


def _short(prompts: Sequence[list[int]]) -> list[list[int]]:
    """To warm up with: the ends of two prompts, which say nothing about their beginnings."""
    return [prompt[-32:] for prompt in prompts[:2]]


def _shape(prompts: Sequence[list[int]], done: Sequence[Decoded]) -> str:
    mean = sum(map(len, prompts)) / len(prompts)
    computed = sum(c.computed for c in done) / len(done)
    return f"{len(prompts)}: {mean:.0f} tokens, {computed:.0f} computed"


def _equal(texts: Sequence[str], expected: Sequence[str]) -> str:
    """How many of the first texts are letter for letter those of `generate`, one by one."""
    same = sum(a == b for a, b in zip(texts, expected, strict=False))
    return f"{same}/{len(expected)}"
