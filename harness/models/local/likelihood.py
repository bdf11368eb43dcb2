"""How probable given texts are under a model, without generating any."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

__all__ = ["answers", "answers_in_batches", "distributions", "text"]

Tokens = Sequence[int]

SIDE_BY_SIDE = 16
"""Answers whose probabilities are computed in one padded batch."""
ROWS = 128
"""Rows of logits that are turned to float32 at a time."""


@dataclass(frozen=True)
class _Tree:
    """The answers to one prompt as a tree of tokens: what they begin with alike stands once."""

    tokens: list[int]
    parents: list[int]
    """The place of the token before; -1 is the prompt's last one. Parents come first."""
    paths: list[list[int]]
    """The places of each answer's tokens."""


def answers(
    model: Any, prompts: Sequence[Tokens], written: Sequence[Sequence[Tokens]]
) -> Iterator[list[float]]:
    """ln P of each answer of token ids behind its prompt, in nats.

    What all prompts begin with is computed once; a prompt's answers then stand in one row behind
    it, each token seeing the prompt and the tokens of its own answer (tree attention as in Miao et
    al. 2024, "SpecInfer", arXiv:2305.09781). Needs a model that takes a mask of its own, without
    windows: for others there is `answers_in_batches`.
    """
    # Each prompt keeps a token of its own: its logits are those before an answer's first token.
    shared = _common([p[:-1] for p in prompts])
    cache = None
    if shared:
        ids = torch.tensor([shared], device=model.device)
        cache = model(input_ids=ids, use_cache=True, logits_to_keep=1).past_key_values
    for prompt, own in zip(prompts, written, strict=True):
        yield _behind(model, len(shared), prompt[len(shared) :], own, copy.deepcopy(cache))


def _behind(
    model: Any, before: int, rest: Tokens, written: Sequence[Tokens], cache: Any
) -> list[float]:
    """ln P of answers behind `before` tokens that are in the cache, and the rest of a prompt."""
    tree = _tree(written)
    m, n = len(rest), len(tree.tokens)
    if not n:
        return [0.0] * len(written)
    sees = torch.zeros(m + n, before + m + n, dtype=torch.bool)
    sees[:, :before] = True
    sees[:m, before : before + m] = torch.ones(m, m, dtype=torch.bool).tril()
    sees[m:, before : before + m] = True
    depths: list[int] = []
    for place, parent in enumerate(tree.parents):
        if parent >= 0:
            sees[m + place] |= sees[m + parent]
        sees[m + place, before + m + place] = True
        depths.append(depths[parent] + 1 if parent >= 0 else 0)
    positions = [*range(before, before + m), *(before + m + depth for depth in depths)]
    rows = sorted({m + parent if parent >= 0 else m - 1 for parent in tree.parents})
    logits: Tensor = model(
        input_ids=torch.tensor([[*rest, *tree.tokens]], device=model.device),
        position_ids=torch.tensor([positions], device=model.device),
        attention_mask=sees[None, None].to(model.device),
        past_key_values=cache,
        use_cache=cache is not None,
        logits_to_keep=torch.tensor(rows, device=model.device),
    ).logits[0]
    place_of = {row: place for place, row in enumerate(rows)}
    sources = [place_of[m + parent if parent >= 0 else m - 1] for parent in tree.parents]
    values = _chosen(logits, sources, tree.tokens)
    return [sum(values[place] for place in path) for path in tree.paths]


def answers_in_batches(model: Any, prompt: Tokens, written: Sequence[Tokens]) -> list[float]:
    """The same for one prompt by plain forward passes in padded batches, for any model."""
    found: list[float] = []
    for start in range(0, len(written), SIDE_BY_SIDE):
        part = written[start : start + SIDE_BY_SIDE]
        longest = max(map(len, part))
        # Padding stands behind an answer, where nothing that counts can see it.
        rows = [[*prompt, *tokens, *[prompt[-1]] * (longest - len(tokens))] for tokens in part]
        output = model(
            input_ids=torch.tensor(rows, device=model.device),
            logits_to_keep=longest + 1,
            use_cache=False,
        )
        for logits, tokens in zip(output.logits[:, -longest - 1 : -1], part, strict=True):
            found.append(sum(_chosen(logits, range(len(tokens)), tokens)))
    return found


def distributions(model: Any, prompt: Tokens, answer: Tokens) -> Tensor:
    """ln P of every token of the vocabulary at each token of an answer: [tokens, vocabulary]."""
    ids = torch.tensor([[*prompt, *answer]], device=model.device)
    output = model(input_ids=ids, logits_to_keep=len(answer) + 1, use_cache=False)
    # A prompt-learning adapter puts virtual tokens in front: count from the end.
    logits: Tensor = output.logits[0, -len(answer) - 1 : -1]
    return logits.float().log_softmax(-1)


def text(model: Any, tokens: Tokens) -> list[float]:
    """ln P of each token of a text behind those before it; none for the first."""
    if len(tokens) < 2:
        return []
    output = model(input_ids=torch.tensor([list(tokens)], device=model.device), use_cache=False)
    return _chosen(output.logits[0, -len(tokens) : -1], range(len(tokens) - 1), tokens[1:])


def _common(sequences: Sequence[Tokens]) -> list[int]:
    """What all sequences begin with."""
    if not sequences:
        return []
    first, last = min(map(list, sequences)), max(map(list, sequences))
    end = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))
    return first[:end]


def _tree(written: Sequence[Tokens]) -> _Tree:
    places: dict[tuple[int, int], int] = {}
    paths: list[list[int]] = []
    for tokens in written:
        path: list[int] = []
        for token in tokens:
            path.append(places.setdefault((path[-1] if path else -1, token), len(places)))
        paths.append(path)
    return _Tree([token for _, token in places], [parent for parent, _ in places], paths)


def _chosen(logits: Tensor, rows: Sequence[int], tokens: Tokens) -> list[float]:
    """ln P of a token each, given the row of logits [rows, vocabulary] that it was drawn from."""
    parts = (logits[start : start + ROWS] for start in range(0, len(logits), ROWS))
    of_all = torch.cat([part.float().logsumexp(-1) for part in parts])
    picked = logits[list(rows), list(tokens)].float() - of_all[list(rows)]
    values: list[float] = picked.tolist()
    return values
