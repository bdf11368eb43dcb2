"""Fixed samples: by a hash of the ids, so that they depend on nothing else.

The first lines of a file are no sample of it: files are often sorted, by label for instance.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Protocol, TypeVar

__all__ = ["hash_order", "sample"]


class _Identified(Protocol):
    @property
    def id(self) -> str: ...


T = TypeVar("T", bound=_Identified)


def sample(items: Sequence[T], count: int | None) -> tuple[T, ...]:
    """`count` of the items, in their old order; all if there are no more. A larger sample holds a
    smaller one."""
    if count is None or count >= len(items):
        return tuple(items)
    chosen = {item.id for item in sorted(items, key=lambda item: hash_order(item.id))[:count]}
    return tuple(item for item in items if item.id in chosen)


def hash_order(text: str) -> str:
    """A key to sort by: an order that has nothing to do with the texts."""
    return hashlib.sha256(text.encode()).hexdigest()
