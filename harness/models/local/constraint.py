"""What a rung can write at all: nothing but a valid answer.

A constraint knows which tokens may come next; of these the most probable is taken. Where only one
text can go on, its tokens are appended without a forward pass for each (jump-forward, Zheng et al.
2023, "SGLang"). They are the tokens that the tokenizer would write for that text, as in a target,
with jump-forward or without it. So a text does not depend on `jump_forward`; the model is merely
never asked whether it would cut a text without choice into other tokens.

This is about form only. What an answer says is the model's, and one that runs into the token
budget is cut off here as in every rung.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from llguidance import LLMatcher, LLTokenizer
from llguidance.hf import from_tokenizer
from torch import Tensor

from harness.constraint import Choices, Constraint, Either, JsonSchema, SchemaOfInput
from harness.errors import ConfigError
from harness.models.grammar import matcher
from harness.models.local.decode import TokenConstraint

if TYPE_CHECKING:
    from harness.models.local.engine import LocalEngine

__all__ = ["compile_constraint", "grammar_tokenizer"]

ANY = {"role": "user", "content": "?"}
"""Labels are written the same way behind any question."""

MASKS = 1024
"""Masks that are kept: each has a byte for every token, and ten thousand labels have as many."""

Trie = dict[int, Any]
"""Which tokens may come next, and the trie behind each of them."""


def compile_constraint(
    constraint: Constraint, engine: LocalEngine, *, jump_forward: bool = True
) -> Callable[[], TokenConstraint]:
    """What begins a new constraint on tokens, one for each answer.

    `jump_forward` says whether tokens without a choice are appended at once; if not, each takes a
    forward pass. Raises ConfigError for a schema without a grammar.
    """
    match constraint:
        case JsonSchema() | Either():
            grammar = matcher(constraint, engine.grammar_tokenizer)
            return lambda: _Matcher(grammar.deep_copy(), engine, jump_forward)
        case Choices(texts):
            trie = _trie([_encoded(text, engine) for text in texts])
            masks: dict[int, Tensor] = {}
            return lambda: _Walk(trie, masks, len(engine.tokenizer), jump_forward)
        case SchemaOfInput():
            raise ValueError("a schema of each input: give the engine what it resolves to")


def grammar_tokenizer(engine: LocalEngine) -> LLTokenizer:
    """An engine's tokenizer as llguidance has it, made in seconds. Raises ConfigError."""
    try:
        return from_tokenizer(engine.tokenizer, len(engine.tokenizer), sorted(engine.stop))
    except ValueError as error:
        raise ConfigError(f"{engine.name}: has no grammars ({error})") from error


class _Matcher:
    """One JSON answer, as far as it is written."""

    def __init__(self, matcher: LLMatcher, engine: LocalEngine, jump_forward: bool) -> None:
        self.matcher = matcher
        self.vocabulary = len(engine.tokenizer)
        self.stop = engine.tokenizer.eos_token_id
        self.jump_forward = jump_forward

    def allowed(self) -> Tensor:
        packed = np.frombuffer(self.matcher.compute_bitmask(), np.uint8)
        self._check()
        bits = np.unpackbits(packed, count=self.vocabulary, bitorder="little")
        return torch.from_numpy(bits.view(np.bool_))

    def advance(self, token: int) -> list[int]:
        if self.matcher.is_stopped():
            return []  # the object has ended, so this is the stop token
        self._consume([token])
        if not self.jump_forward:
            return []
        forced = self.matcher.compute_ff_tokens()
        self._consume(forced)
        return [*forced, self.stop] if self.matcher.is_stopped() else forced

    def _consume(self, tokens: Sequence[int]) -> None:
        self.matcher.consume_tokens(list(tokens))
        self._check()

    def _check(self) -> None:
        # In an error llguidance allows the stop token, which would pass for an answer's end.
        if self.matcher.is_error():
            raise RuntimeError(f"llguidance: {self.matcher.get_error().splitlines()[0]}")


class _Walk:
    """One label, as far as it is written."""

    def __init__(
        self, trie: Trie, masks: dict[int, Tensor], vocabulary: int, jump_forward: bool
    ) -> None:
        self.node = trie
        self.masks = masks
        """By the identity of a node; shared by all that walk this trie, which keeps its nodes."""
        self.vocabulary = vocabulary
        self.jump_forward = jump_forward

    def allowed(self) -> Tensor:
        mask = self.masks.get(id(self.node))
        if mask is None:
            mask = torch.zeros(self.vocabulary, dtype=torch.bool)
            mask[list(self.node)] = True
            if len(self.masks) < MASKS:
                self.masks[id(self.node)] = mask
        return mask

    def advance(self, token: int) -> list[int]:
        self.node = self.node[token]
        forced: list[int] = []
        while self.jump_forward and len(self.node) == 1:
            [(token, self.node)] = self.node.items()
            forced.append(token)
        return forced


def _encoded(label: str, engine: LocalEngine) -> list[int]:
    """A label's tokens, with the stop token. Raises ConfigError if they are read as another."""
    tokens = engine.encode_answer([ANY], label)
    read = engine.decode(tokens).strip()
    if read != label:
        raise ConfigError(
            f"{engine.name}: label {label!r} is read back as {read!r} from this model's "
            "tokens; rename the label or say decoding=free"
        )
    return tokens


def _trie(texts: Sequence[Sequence[int]]) -> Trie:
    """Token sequences by their common beginnings; each ends in a stop token."""
    trie: Trie = {}
    for tokens in texts:
        node = trie
        for token in tokens:
            node = node.setdefault(token, {})
    return trie
