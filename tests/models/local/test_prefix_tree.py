"""Prompts as a tree of common prefixes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from harness.models.local.prefix_tree import build


def tree(*prompts: str, min_saving: int = 1):  # type: ignore[no-untyped-def]
    encoded = [[ord(c) for c in p] for p in prompts]
    return [
        (i, "|".join("".join(map(chr, n.tokens)) for n in reversed(list(node.chain()))) if node else "")
        for i, node in build(encoded, min_saving)
    ]  # fmt: skip


def test_what_all_share_is_one_node() -> None:
    assert tree("abcx", "abcyz", "abcw") == [(0, "abc"), (2, "abc"), (1, "abc")]


def test_subgroups_share_nodes_of_their_own() -> None:
    assert tree("ab12x", "ab12y", "ab3", "zz") == [
        (3, ""),
        (2, "ab"),
        (0, "ab|12"),
        (1, "ab|12"),
    ]


def test_a_run_that_saves_too_little_is_not_shared() -> None:
    assert tree("abx", "aby", min_saving=3) == [(0, ""), (1, "")]


def test_equal_prompts_keep_a_token_of_their_own() -> None:
    assert tree("abc", "abc") == [(0, "ab"), (1, "ab")]


@given(
    st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=12), min_size=1, max_size=12),
    st.integers(1, 6),
)
def test_every_prompt_is_its_chain_and_its_own_tail(prompts: list[list[int]], saving: int) -> None:
    work = build(prompts, saving)
    assert sorted(i for i, _ in work) == list(range(len(prompts)))
    users: dict[object, int] = {}
    for i, node in work:
        chain = list(node.chain()) if node else []
        shared = [t for n in reversed(chain) for t in n.tokens]
        assert prompts[i][: len(shared)] == shared
        assert len(shared) < len(prompts[i])
        for n in chain:
            users[n] = users.get(n, 0) + 1
    for node, count in users.items():
        assert node.waiting == count >= 2  # type: ignore[attr-defined]
