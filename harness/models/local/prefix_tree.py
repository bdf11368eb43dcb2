"""What prompts have in common, as a tree: each shared run of tokens is computed once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from torch import Tensor

__all__ = ["Node", "build"]


@dataclass(eq=False)
class Node:
    """A run of tokens that at least two prompts share, at the same positions.

    `keys` and `values` hold one tensor of shape [kv_heads, len(tokens), head_dim] per layer once
    the node has been computed, and nothing before that and after its last prompt is done.
    """

    tokens: list[int]
    start: int
    parent: Node | None
    waiting: int
    """How many prompts below this node have not been answered yet."""
    keys: list[Tensor] = field(default_factory=list)
    values: list[Tensor] = field(default_factory=list)

    @property
    def end(self) -> int:
        """The position that follows the node's last token."""
        return self.start + len(self.tokens)

    def chain(self) -> Iterator[Node]:
        """This node and its ancestors, deepest first."""
        node: Node | None = self
        while node is not None:
            yield node
            node = node.parent

    def release(self) -> None:
        """One prompt below is done: count it off up the chain and free what nobody needs now."""
        for node in self.chain():
            node.waiting -= 1
            if node.waiting == 0:
                node.keys, node.values = [], []


def build(
    prompts: Sequence[Sequence[int]],
    min_saving: int,
    min_length: int = 1,
    root: Node | None = None,
) -> list[tuple[int, Node | None]]:
    """Arrange prompts so that what is shared stands together.

    Returns (index of the prompt, its deepest shared node) in the order of work: the prompts of one
    node are neighbours, and inside a node short ones come first so that padding stays small. A run
    becomes a node if it has `min_length` tokens and sharing it saves at least `min_saving` token
    computations. Every prompt keeps at least one token of its own, as somebody has to produce its
    next-token logits. `root` is a node that all prompts begin with.
    """
    order = sorted(range(len(prompts)), key=lambda i: tuple(prompts[i]))
    work: list[tuple[int, Node | None]] = []
    # An explicit stack: a long chain of nested prefixes must not meet Python's recursion limit.
    stack: list[tuple[list[int], int, Node | None]] = [(order, root.end if root else 0, root)]
    while stack:
        members, depth, parent = stack.pop()
        shared = _common_length(prompts, members)
        length = shared - depth
        if length >= min_length and length * (len(members) - 1) >= max(1, min_saving):
            tokens = list(prompts[members[0]][depth:shared])
            parent, depth = Node(tokens, depth, parent, len(members)), shared
        branches = _split(prompts, members, max(shared, depth)) if len(members) > 2 else []
        if any(len(branch) > 1 for branch in branches) and len(branches) > 1:
            singles = [branch[0] for branch in branches if len(branch) == 1]
            work.extend(_shortest_first(prompts, singles, parent))
            stack.extend((b, depth, parent) for b in reversed(branches) if len(b) > 1)
        else:
            work.extend(_shortest_first(prompts, members, parent))
    return work


def _common_length(prompts: Sequence[Sequence[int]], members: list[int]) -> int:
    """Length of the members' common prefix that leaves each at least one token of its own."""
    first, last = prompts[members[0]], prompts[members[-1]]
    limit = min(len(prompts[i]) for i in members) - 1
    # Members are sorted, so what the first and the last share is shared by all.
    return next((i for i in range(limit) if first[i] != last[i]), limit)


def _split(prompts: Sequence[Sequence[int]], members: list[int], depth: int) -> list[list[int]]:
    """Sorted members, grouped by the token at `depth`."""
    branches: list[list[int]] = []
    for i in members:
        if branches and prompts[branches[-1][0]][depth] == prompts[i][depth]:
            branches[-1].append(i)
        else:
            branches.append([i])
    return branches


def _shortest_first(
    prompts: Sequence[Sequence[int]], members: list[int], node: Node | None
) -> list[tuple[int, Node | None]]:
    return [(i, node) for i in sorted(members, key=lambda i: (len(prompts[i]), i))]
