"""The ways to answer that a user would pick instead, each asked for the very same token ids.

llama.cpp is optional, as it is compiled where it is installed (about ten minutes on two cores):

    pip install llama-cpp-python
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

import torch
from transformers import AutoTokenizer, ContinuousBatchingConfig, GenerationConfig, PreTrainedModel

from harness.models.local import padded
from harness.models.local.engine import LocalEngine

__all__ = ["Answer", "Unavailable", "batches", "continuous", "llama_cpp", "lm_eval"]

Prompts = Sequence[Sequence[int]]
Answer = Callable[[Prompts, int], list[str]]
"""Greedy answers to prompts of token ids, within a budget of new tokens."""

PAGE = 32
"""Tokens in a block of the cache of continuous batching."""


class Unavailable(Exception):  # noqa: N818 - not an error: the row says so and the rest goes on
    """This way cannot be taken here; the message is why."""


def batches(model: LocalEngine, reference: PreTrainedModel, size: int) -> Answer:
    """transformers' `generate`; a size of 1 is one by one, and the reference for all texts."""

    def answer(prompts: Prompts, budget: int) -> list[str]:
        pad = model.tokenizer.eos_token_id
        done = padded.generate(reference, prompts, model.stop, budget, size, pad)
        return [model.decode(c.tokens) for c in sorted(done, key=lambda c: c.index)]

    return answer


def continuous(model: LocalEngine, reference: PreTrainedModel) -> Answer:
    """transformers' continuous batching, with a cache that just fits the requests.

    Left to itself it takes most of the free memory on a CPU, and attends over all of it.
    """

    def answer(prompts: Prompts, budget: int) -> list[str]:
        blocks = sum(-(-(len(p) + budget) // PAGE) for p in prompts)
        before = reference.config._attn_implementation
        found = reference.generate_batch(
            [list(p) for p in prompts],
            generation_config=GenerationConfig(
                max_new_tokens=budget,
                do_sample=False,
                eos_token_id=sorted(model.stop),
                pad_token_id=model.tokenizer.eos_token_id,
            ),
            continuous_batching_config=ContinuousBatchingConfig(
                page_size=PAGE, num_blocks=blocks, max_batch_tokens=1024
            ),
        )
        reference.set_attn_implementation(before)
        missing = [f"req_{i}" for i in range(len(prompts)) if f"req_{i}" not in found]
        if missing:
            raise Unavailable(f"gave no answer to {len(missing)} of {len(prompts)}")
        return [model.decode(found[f"req_{i}"].generated_tokens) for i in range(len(prompts))]

    return answer


def lm_eval(model: LocalEngine, reference: PreTrainedModel, size: int) -> Answer:
    """lm-evaluation-harness' own HF backend, given the text of the same prompts."""
    try:
        from lm_eval.api.instance import Instance
        from lm_eval.models.huggingface import HFLM
    except ImportError as error:
        raise Unavailable("pip install -e '.[bench]'") from error
    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    backend = HFLM(
        pretrained=reference,
        tokenizer=AutoTokenizer.from_pretrained(model.folder),
        batch_size=size,
    )

    def answer(prompts: Prompts, budget: int) -> list[str]:
        texts = [model.tokenizer.decode(p) for p in prompts]
        for text, prompt in zip(texts, prompts, strict=True):
            if backend.tok_encode(text) != list(prompt):
                raise Unavailable("reads other tokens out of the same prompt")
        settings = {
            "until": [model.tokenizer.eos_token],
            "do_sample": False,
            "max_gen_toks": budget,
        }
        requests = [
            Instance("generate_until", {}, (text, settings), i) for i, text in enumerate(texts)
        ]
        done: list[str] = backend.generate_until(requests, disable_tqdm=True)
        return done

    return answer


def llama_cpp(model: LocalEngine, longest: int) -> Answer:
    """llama.cpp on the same GGUF file, one request after the other.

    It computes in the file's own 4 bits, and keeps the prefix that a request shares with the last.
    """
    try:
        from llama_cpp import Llama
    except ImportError as error:
        raise Unavailable(
            "pip install llama-cpp-python, which compiles it: C++ compiler and CMake"
        ) from error
    path = model.spec.weights.resolve()
    if path.suffix != ".gguf":
        raise Unavailable("these weights are no GGUF file")
    cores = torch.get_num_threads()
    llama = Llama(str(path), n_ctx=longest, n_threads=cores, n_threads_batch=cores, verbose=False)

    def answer(prompts: Prompts, budget: int) -> list[str]:
        texts = []
        for prompt in prompts:
            tokens: list[int] = []
            for token in llama.generate(list(prompt), temp=0.0, repeat_penalty=1.0):
                if token in model.stop:
                    break
                tokens.append(token)
                if len(tokens) == budget:
                    break
            texts.append(model.decode(tokens))
        return texts

    return answer
