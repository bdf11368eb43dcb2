"""How cost grows with size; a ratio of 1 is a cost that grows in proportion.

    python -m bench scaling --quick

- questions: a model of two layers, so that what is counted is harness' own work (tree of prefixes,
  slots, attention's layout); tickets of support_json with altered words
- prefix: the real model, a few questions behind ever more shared tokens
- corpus: random unit vectors, the hardest case for an approximate index; a query is a stored vector
  and as much noise again. Flat is what harness searches
- training: tokens per second of the real model with more examples
- isolation: a certificate for 3,000 eval inputs against ever more training lines
- statistics: one paired comparison of graded values in groups of two
"""

from __future__ import annotations

import tempfile
import time
from argparse import Namespace
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from bench import isolation
from bench.experiment import Experiment, experiment
from bench.table import Row
from harness.evidence.contrasts import Side, compare
from harness.ladder.rung import Predictor
from harness.models.local.decode import generate
from harness.tuning.adapter import Adapter

__all__ = ["rows"]

QUESTIONS = (100, 1_000, 10_000)
PREFIXES = (256, 1_024, 4_096)
CORPORA = (1_000, 10_000, 100_000, 1_000_000)
EXAMPLES = (16, 64)
COMPARED = (100, 1_000, 10_000, 100_000)
HNSW_LIMIT = 100_000
"""Beyond it an HNSW graph takes many minutes to build on two cores."""
BEHIND = 16
"""Questions behind each prefix."""
BUDGET = 8
DIMENSION, QUERIES, K = 384, 100, 3


def rows(arguments: Namespace) -> Iterator[Row]:
    """The scaling lines; --quick takes the two smallest sizes of each."""
    count = 2 if arguments.quick else None
    asked = experiment(["+task=support_json", "rung=prompt", *arguments.overrides])
    yield from _growth("answering, tiny model", "questions", _questions(asked, QUESTIONS[:count]))
    yield from _growth("answering behind a prefix", "tokens", _prefixes(asked, PREFIXES[:count]))
    yield from _corpora(CORPORA[:count])
    if not arguments.quick:
        lora = experiment(["+task=support_json", "rung=lora", *arguments.overrides])
        yield from _growth("training", "examples", _training(lora, EXAMPLES))
    yield from _growth("isolation", "training lines", _sealings(isolation.SIZES[:count]))
    yield from _growth("compare()", "questions", _comparisons(COMPARED[:count]))


@dataclass(frozen=True)
class _Measured:
    size: int
    rate: float
    unit: str
    note: str = ""


def _growth(what: str, noun: str, measured: Iterator[_Measured]) -> Iterator[Row]:
    """Each size's rate against that of the smallest."""
    first = next(measured)
    for m in measured:
        other = f"the same with {first.size:,}"
        yield Row(f"{what}, {m.size:,} {noun}", m.unit, m.rate, other, first.rate, output=m.note)


def _questions(asked: Experiment, sizes: Sequence[int]) -> Iterator[_Measured]:
    vocabulary = asked.model.model.config.get_text_config().vocab_size
    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
    )
    torch.manual_seed(0)
    tiny = LlamaForCausalLM(config).eval()
    prompts = asked.prompts(len(asked.task.eval))
    rng = np.random.default_rng(0)
    for size in sizes:
        some = [_altered(prompts[i % len(prompts)], vocabulary, rng) for i in range(size)]
        began = time.perf_counter()
        done = list(generate(tiny, some, stop=frozenset(), max_new_tokens=BUDGET))
        rate = size / (time.perf_counter() - began)
        computed = sum(c.computed for c in done) / size
        yield _Measured(size, rate, "questions/s", f"{computed:.0f} tokens computed each")


def _altered(prompt: Sequence[int], vocabulary: int, rng: np.random.Generator) -> list[int]:
    """A prompt whose last twenty tokens but the template's are others."""
    words = rng.integers(100, vocabulary, 20).tolist()
    return [*prompt[:-25], *words, *prompt[-5:]]


def _prefixes(asked: Experiment, sizes: Sequence[int]) -> Iterator[_Measured]:
    own = [prompt[-64:] for prompt in asked.prompts(BEHIND)]
    text = [token for prompt in asked.prompts(BEHIND) for token in prompt]
    for size in sizes:
        prompts = [text[:size] + tail for tail in own]
        began = time.perf_counter()
        done = list(asked.model.generate(prompts, BUDGET))
        rate = len(own) / (time.perf_counter() - began)
        computed = sum(c.computed for c in done)
        note = f"{sum(map(len, prompts)):,} prompt tokens, {computed:,} computed"
        yield _Measured(size, rate, "questions/s", note)


def _corpora(sizes: Sequence[int]) -> Iterator[Row]:
    import faiss

    rng = np.random.default_rng(0)
    for size in sizes:
        vectors = _units(rng.standard_normal((size, DIMENSION), dtype=np.float32))
        noise = _units(rng.standard_normal((QUERIES, DIMENSION), dtype=np.float32))
        queries = _units(vectors[rng.integers(0, size, QUERIES)] + noise)
        flat = faiss.IndexFlatIP(DIMENSION)
        took, ours, exact = _index(flat, vectors, queries)
        cells = int(4 * size**0.5)
        quantizer = faiss.IndexFlatIP(DIMENSION)
        ivf = faiss.IndexIVFFlat(quantizer, DIMENSION, cells, faiss.METRIC_INNER_PRODUCT)
        ivf.cp.niter, ivf.nprobe = 5, max(1, cells // 16)
        ivf.cp.min_points_per_centroid, ivf.cp.max_points_per_centroid = 1, 64
        others: dict[str, Any] = {f"FAISS IVF, {ivf.nprobe} of {cells} cells": ivf}
        if size <= HNSW_LIMIT:
            hnsw = faiss.IndexHNSWFlat(DIMENSION, 32, faiss.METRIC_INNER_PRODUCT)
            hnsw.hnsw.efSearch = 64
            others["FAISS HNSW, 32 links, efSearch 64"] = hnsw
        what = f"search of {size:,} passages, flat in {took:.2g} s"
        for name, index in others.items():
            built, rate, found = _index(index, vectors, queries)
            near = np.mean([np.isin(f, e).mean() for f, e in zip(found, exact, strict=True)])
            output = f"recall@{K} {near:.2f}, built in {built:.2g} s"
            yield Row(what, "queries/s", ours, name, rate, output=output)


def _index(index: Any, vectors: np.ndarray, queries: np.ndarray) -> tuple[float, float, np.ndarray]:
    """Seconds to build, queries per second one by one, and the places that were found."""
    began = time.perf_counter()
    if not index.is_trained:
        index.train(vectors)
    index.add(vectors)
    built = time.perf_counter() - began
    began = time.perf_counter()
    found = [index.search(query[None], K)[1][0] for query in queries]
    return built, len(queries) / (time.perf_counter() - began), np.array(found)


def _units(vectors: np.ndarray) -> np.ndarray:
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


def _training(asked: Experiment, sizes: Sequence[int]) -> Iterator[_Measured]:
    adapter, whole = asked.rung.tuning, asked.task.materials
    assert isinstance(adapter, Adapter)
    once = replace(adapter, training=replace(adapter.training, epochs=1))
    for size in sizes:
        materials = replace(whole, train=whole.train[:size], dev=whole.dev[:2])
        predictor = Predictor(asked.rung, materials, asked.model, asked.embedder, asked.seed, None)
        with tempfile.TemporaryDirectory() as folder:
            train, dev = predictor.pairs(materials.train), predictor.pairs(materials.dev)
            done = once.fit(asked.model, train, dev, asked.seed, Path(folder)).report
        curve = done.curve
        assert curve is not None
        yield _Measured(size, curve.tokens / curve.seconds, "tokens/s", f"{curve.seconds:.0f} s")


def _sealings(sizes: Sequence[int]) -> Iterator[_Measured]:
    for c in isolation.costs(sizes):
        note = f"{c.seconds:.0f} s, {c.found} of {c.over} planted copies found"
        yield _Measured(c.lines, c.lines / c.seconds, "lines/s", note)


def _comparisons(sizes: Sequence[int]) -> Iterator[_Measured]:
    rng = np.random.default_rng(0)
    for size in sizes:
        groups = {f"q{i}": f"g{i // 2}" for i in range(size)}
        ours, theirs = (
            Side(name, [dict(zip(groups, rng.integers(0, 8, size) / 7, strict=True))], random=False)
            for name in "ab"
        )
        began = time.perf_counter()
        found = compare(ours, theirs, "fields", groups)
        seconds = time.perf_counter() - began
        yield _Measured(size, size / seconds, "questions/s", f"{seconds:.2g} s, {found.test}")
