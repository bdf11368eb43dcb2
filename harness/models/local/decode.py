"""Greedy generation for many prompts at once, computing what they share only once.

Prompts are arranged as a tree of common prefixes (`prefix_tree`). Sequences work side by side in
slots; whoever stops leaves, and the next prompt in tree order takes the place (continuous batching,
Yu et al. 2022, "Orca"). Each forward pass is one flat row of tokens without padding, with attention
as in `attention`. In float32 the text of a prompt is that of transformers' plain `generate`,
whatever prompts stand beside it.
"""

from __future__ import annotations

import bisect
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

import torch
from torch import Tensor
from transformers import PreTrainedModel

from harness.memory import out_of_memory
from harness.models.local import attention, prefix_tree
from harness.models.local.attention import Segment, Step, SuffixCache
from harness.models.local.learned_prefix import LearnedPrefix
from harness.models.local.prefix_tree import Node

__all__ = ["Begin", "Decoded", "TokenConstraint", "begun", "generate"]

MIN_SAVING = 64
"""A prefix node must save this many token computations: it costs a pass and a merge of its own."""

MIN_LENGTH = 16
"""And have so many tokens, however many prompts share it: every step pays for the merge."""

MIN_ROWS = 16
"""Below this many rows CPU matrix kernels change their order of summation, and with it the last
bits of a result; smaller steps are filled up."""

PREFILL_ROWS = 1024
"""New prompts are taken in by so many tokens at a time, which bounds the memory of a step."""

ROOM = 256 << 20
"""Bytes on a CPU for kernels and for what a pass computes."""
MOST_SLOTS, MOST_SLOTS_ON_GPU = 128, 256
"""Each slot costs memory; on two cores more of them gain a tenth at most."""


class TokenConstraint(Protocol):
    """What one answer may look like, token by token."""

    def allowed(self) -> Tensor:
        """Which tokens may come next: booleans of shape [vocabulary], on the CPU.

        Its vocabulary is the tokenizer's; what the model has beyond it is never chosen.
        """

    def advance(self, token: int) -> list[int]:
        """Take note of the token that was chosen; return the tokens that then have no choice."""


Begin = Callable[[], TokenConstraint]
"""What begins a new one."""


def begun(constraint: Begin | Sequence[Begin] | None, index: int) -> TokenConstraint | None:
    """A new one for the prompt at `index`, if its answer is to be held to any."""
    if constraint is None:
        return None
    return constraint[index]() if isinstance(constraint, Sequence) else constraint()


@dataclass(frozen=True)
class Decoded:
    """The answer to the prompt at `index`, and what it took."""

    index: int
    tokens: list[int]
    """Without the stop token."""
    finish: str
    """`stop` (the model ended by itself) or `length` (it ran into the token budget)."""
    seconds: float
    """This sequence's share of the wall time, by the tokens it had in each step."""
    computed: int
    """Prompt tokens that were computed for it; a shared prefix counts for its first user only."""
    batch: int
    """How many slots there were."""


@dataclass(eq=False)
class _Sequence:
    """A prompt that is being answered."""

    index: int
    prompt: Sequence[int]
    node: Node | None
    begin: Callable[[], TokenConstraint | None]
    constraint: TokenConstraint | None = None
    """While it has a slot: each holds what its answer may be, which is 80 kB for a JSON schema."""
    slot: int = -1
    pending: list[int] = field(default_factory=list)
    """Tokens whose keys are not stored yet."""
    stored: int = 0
    """Tokens in this sequence's tail."""
    output: list[int] = field(default_factory=list)
    seconds: float = 0.0
    computed: int = 0

    @property
    def shared(self) -> int:
        return self.node.end if self.node else 0

    def start(self, slot: int) -> None:
        self.slot, self.pending = slot, list(self.prompt[self.shared :])
        self.constraint = self.begin()
        self.computed += len(self.pending)


@torch.inference_mode()
def generate(
    model: PreTrainedModel,
    prompts: Sequence[Sequence[int]],
    *,
    stop: frozenset[int],
    max_new_tokens: int,
    batch_size: int | None = None,
    constraint: Begin | Sequence[Begin] | None = None,
    steady: bool = False,
    learned: LearnedPrefix | None = None,
) -> Iterator[Decoded]:
    """Answer token-id prompts greedily; completions come in the order in which they finish.

    `batch_size` is found from the free memory if it is None, and halved when memory runs out all
    the same: what was finished stays, what was under way starts again. `constraint` begins a new
    one for each prompt; of several each is for one prompt. `steady` is for layers that round so
    much that the last bit matters: all sums are then made in the same order whatever stands side
    by side. `learned` stands in front of every prompt.
    """
    attention.register()
    model.set_attn_implementation(attention.NAME)
    if learned:
        prompts = [[*learned.tokens, *prompt] for prompt in prompts]
    todo = set(range(len(prompts)))
    while todo:
        indices = sorted(todo)
        longest = max(len(prompts[i]) for i in indices) + max_new_tokens
        batch = min(batch_size or _batch_size(model, longest, len(indices)), len(indices))
        root = learned.node(len(indices)) if learned else None
        work = prefix_tree.build([prompts[i] for i in indices], MIN_SAVING, MIN_LENGTH, root)
        queue = [
            _Sequence(indices[i], prompts[indices[i]], node, partial(begun, constraint, indices[i]))
            for i, node in work
        ]
        try:
            if batch > 1 and model.device.type == "cpu":
                _check_room(model, longest, batch)
            for completion in _Batch(model, queue, batch, stop, max_new_tokens, steady).run():
                todo.remove(completion.index)
                yield completion
        except (MemoryError, RuntimeError) as error:
            if not out_of_memory(error) or batch == 1:
                raise
            batch_size = batch // 2


class _Batch:
    """Sequences side by side, from the first admission to the last completion."""

    def __init__(
        self,
        model: PreTrainedModel,
        queue: list[_Sequence],
        slots: int,
        stop: frozenset[int],
        max_new_tokens: int,
        steady: bool,
    ) -> None:
        self.model = model
        self.steady = steady
        self.queue = queue[::-1]
        self.stop = stop
        self.max_new_tokens = max_new_tokens
        self.slots = slots
        self.free = list(range(slots))
        self.middle = statistics.median(len(s.prompt) - s.shared for s in queue)
        self.active: list[_Sequence] = []
        # The last token of an answer is never fed back, hence the one less.
        capacity = max(len(s.prompt) - s.shared for s in queue) + max_new_tokens - 1
        capacity += -capacity % attention.GRID if steady else 0
        layers, heads, dim = _cache_shape(model)
        embedding: Tensor = model.get_input_embeddings().weight
        self.device = embedding.device
        self.suffixes = SuffixCache.empty(layers, (slots, heads, capacity, dim), embedding)

    def run(self) -> Iterator[Decoded]:
        while self.queue or self.active:
            # Refilling single slots would cost a small, inefficient pass each.
            if len(self.free) * 4 >= self.slots:
                while self.queue and self.free:
                    yield from self._advance(self._admit())
            if self.active:
                yield from self._advance(self.active)

    def _admit(self) -> list[_Sequence]:
        """Fill free slots, by at most PREFILL_ROWS tokens; compute the prefixes that are new."""
        admitted: list[_Sequence] = []
        rows = 0
        while self.queue and self.free and (not admitted or rows < PREFILL_ROWS):
            sequence = self.queue.pop()
            for node in reversed(list(sequence.node.chain()) if sequence.node else []):
                if not node.keys:
                    self._compute(node, sequence)
            # Long suffixes on one side, short ones on the other: see attention.Step.blocks.
            long = len(sequence.prompt) - sequence.shared > self.middle
            sequence.start(self.free.pop(0 if long else -1))
            rows += len(sequence.pending)
            admitted.append(sequence)
        self.active.extend(admitted)
        return admitted

    def _compute(self, node: Node, first: _Sequence) -> None:
        """Fill a prefix node's keys and values; its first user bears the cost."""
        began = time.perf_counter()
        n = len(node.tokens)
        above = [(ancestor, 0, n) for ancestor in node.chain() if ancestor is not node]
        step = Step([Segment(0, n, -1, 0)], above, node, self.device, self.steady)
        self._forward(node.tokens, range(node.start, node.end), step, [n - 1])
        first.computed += n
        first.seconds += time.perf_counter() - began

    def _advance(self, sequences: list[_Sequence]) -> Iterator[Decoded]:
        """One forward pass over the pending tokens of `sequences`; one new token for each."""
        began = time.perf_counter()
        tokens: list[int] = []
        positions: list[int] = []
        segments: list[Segment] = []
        for s in sequences:
            start = len(tokens)
            tokens += s.pending
            first = s.shared + s.stored
            positions += range(first, first + len(s.pending))
            segments.append(Segment(start, len(tokens), s.slot, s.stored))
        shared = _shared_rows(sequences, segments)
        step = Step(segments, shared, self.suffixes, self.device, self.steady)
        logits = self._forward(tokens, positions, step, [s.end - 1 for s in segments])
        chosen = _choose(logits, sequences)
        per_token = (time.perf_counter() - began) / len(tokens)
        for s, token in zip(sequences, chosen, strict=True):
            s.seconds += per_token * len(s.pending)
            s.stored += len(s.pending)
            finish = self._take(s, token)
            if finish:
                yield self._finish(s, finish)
        self.active = [s for s in self.active if s.slot >= 0]

    def _take(self, s: _Sequence, token: int) -> str | None:
        """Append the chosen token, and those that a constraint leaves no choice about."""
        forced = s.constraint.advance(token) if s.constraint else []
        s.pending = []
        for new in (token, *forced):
            if new in self.stop:
                return "stop"
            s.output.append(new)
            s.pending.append(new)
            if len(s.output) == self.max_new_tokens:
                return "length"
        return None

    def _finish(self, s: _Sequence, finish: str) -> Decoded:
        bisect.insort(self.free, s.slot)
        s.slot, s.constraint = -1, None
        if s.node:
            s.node.release()
        return Decoded(s.index, s.output, finish, s.seconds, s.computed, self.slots)

    def _forward(
        self, tokens: Sequence[int], positions: Sequence[int], step: Step, keep: list[int]
    ) -> Tensor:
        """Logits of shape [len(keep), vocabulary] at the rows in `keep` of one flat row."""
        fill = -len(tokens) % MIN_ROWS if self.steady else max(0, MIN_ROWS - len(tokens))
        keep = keep + [keep[-1]] * max(0, MIN_ROWS - len(keep))
        output = self.model(
            input_ids=torch.tensor([[*tokens, *[0] * fill]], device=self.device),
            position_ids=torch.tensor([[*positions, *[0] * fill]], device=self.device),
            logits_to_keep=torch.tensor(keep, device=self.device),
            use_cache=False,
            step=step,
        )
        logits: Tensor = output.logits[0]
        return logits


def _shared_rows(
    sequences: list[_Sequence], segments: list[Segment]
) -> list[tuple[Node, int, int]]:
    """Each prefix node with the rows of the sequences below it, which are neighbours."""
    spans: dict[Node, tuple[int, int]] = {}
    shared: list[tuple[Node, int, int]] = []
    for s, segment in zip(sequences, segments, strict=True):
        for node in s.node.chain() if s.node else ():
            start, end = spans.get(node, (segment.start, segment.start))
            if end != segment.start:  # a neighbour that is not below the node came in between
                shared.append((node, start, end))
                start = segment.start
            spans[node] = (start, segment.end)
    return shared + [(node, *span) for node, span in spans.items()]


def _choose(logits: Tensor, sequences: list[_Sequence]) -> list[int]:
    """The most probable token that is allowed, for each sequence."""
    logits = logits[: len(sequences)]
    constraints = [s.constraint for s in sequences if s.constraint]
    if constraints:
        allowed = torch.stack([c.allowed() for c in constraints]).to(logits.device)
        # In place: the logits are needed for nothing else.
        logits = logits[:, : allowed.shape[1]].masked_fill_(allowed.logical_not_(), -torch.inf)
    chosen: list[int] = logits.argmax(-1).tolist()
    return chosen


def _cache_shape(model: PreTrainedModel) -> tuple[int, int, int]:
    """(layers, key-value heads, head dimension)."""
    config = model.config.get_text_config()
    heads = config.num_attention_heads
    dim = getattr(config, "head_dim", None) or config.hidden_size // heads
    return config.num_hidden_layers, getattr(config, "num_key_value_heads", None) or heads, dim


def _check_room(model: PreTrainedModel, longest: int, slots: int) -> None:
    """Raises RuntimeError unless there is memory for the keys and values, and ROOM beside them.

    oneDNN makes its kernels when they are first needed, and never again if there was no memory for
    one then: that must not happen while a smaller batch may still do.
    """
    torch.empty(slots * _slot_bytes(model, longest) + ROOM, dtype=torch.uint8)


def _slot_bytes(model: PreTrainedModel, longest: int) -> int:
    """Of the keys and values of one answer with its prompt."""
    layers, heads, dim = _cache_shape(model)
    weight: Tensor = model.get_input_embeddings().weight
    return 2 * layers * heads * dim * longest * weight.element_size()


def _batch_size(model: PreTrainedModel, longest: int, prompts: int) -> int:
    """Slots whose keys and values fit into half of the free memory, and no more than pay.

    Prompts that need several turns are spread evenly: answers to one task often end together.
    """
    if model.device.type == "cuda":
        most = MOST_SLOTS_ON_GPU
        free, _ = torch.cuda.mem_get_info(model.device)
    else:
        import psutil

        most = MOST_SLOTS
        free = psutil.virtual_memory().available
    slots = max(1, min(most, free // 2 // _slot_bytes(model, longest)))
    turns = -(-prompts // slots)
    return -(-prompts // turns)
