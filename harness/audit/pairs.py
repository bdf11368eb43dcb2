"""Examples that say the same: contradictions, copies, and dev inside train."""

from __future__ import annotations

import json
from collections.abc import Sequence

from harness.audit.columns import shown
from harness.audit.copied import inside
from harness.audit.finding import Finding, quote
from harness.evidence.isolation import normalize, similar_pairs
from harness.task import Example, Materials

__all__ = ["same_inputs", "shared_groups"]


def same_inputs(materials: Materials, near_duplicate: float) -> list[Finding]:
    """Inputs that are equal after normalization, or near-duplicates of at least this similarity.

    Each example stands with the most similar one before it, train before dev.
    """
    examples = [*materials.train, *materials.dev]
    best: dict[tuple[int, str], tuple[float, int]] = {}
    for first, second, similarity in similar_pairs([e.input for e in examples], near_duplicate):
        check = _check(materials, examples, first, second, similarity)
        known = best.get((second, check), (0.0, first))
        best[second, check] = max(known, (similarity, first), key=lambda one: one[0])
    return [
        _finding(materials, check, examples[first], examples[second], similarity)
        for (second, check), (similarity, first) in sorted(best.items())
    ]


def shared_groups(materials: Materials) -> list[Finding]:
    """Groups that stand in train and in dev: dev is then no judge of what is new."""
    first: dict[str, Example] = {}
    for example in materials.train:
        first.setdefault(example.group, example)
    told: dict[str, Example] = {}
    for example in materials.dev:
        if example.group in first:
            told.setdefault(example.group, example)
    return [
        Finding("shared group", (e.where, first[group].where), f"group {quote(group)}")
        for group, e in told.items()
    ]


def _check(
    materials: Materials, examples: list[Example], first: int, second: int, similarity: float
) -> str:
    """Which check a pair belongs to."""
    one, other = examples[first], examples[second]
    same = _same(one, other, similarity)
    differs = bool(_differing(materials, one, other, same))
    if differs and same:
        return "contradiction"
    if first < len(materials.train) <= second:
        return "leak"
    if differs:
        return "near contradiction"
    return "copy" if same else "near copy"


def _same(one: Example, other: Example, similarity: float) -> bool:
    return similarity == 1.0 and normalize(one.input) == normalize(other.input)


def _differing(materials: Materials, one: Example, other: Example, same: bool) -> list[str]:
    """What two similar inputs are answered differently, in words: all but what is free in style,
    and of inputs that are not the `same` what is copied from them."""
    if not materials.answer.fields:
        values = (one.target, other.target)
        if values[0] == values[1] or (not same and _copied(values, (one, other))):
            return []
        return [" / ".join(quote(value, 40) for value in values)]
    ours, theirs = json.loads(one.target), json.loads(other.target)
    found = []
    for field in materials.answer.fields:
        pair = ours.get(field.name), theirs.get(field.name)
        if pair[0] == pair[1] or field.check == "style":
            continue
        if same or not _copied(pair, (one, other)):
            told = " / ".join(shown(json.dumps(value, ensure_ascii=False)) for value in pair)
            found.append(f"{field.name}: {told}")
    return found


def _copied(values: Sequence[object], examples: Sequence[Example]) -> bool:
    """Whether each value stands in its own input, or says that nothing of its kind does."""
    return all(
        value is None or (isinstance(value, str) and inside(value, example.input))
        for value, example in zip(values, examples, strict=True)
    )


def _finding(
    materials: Materials, check: str, earlier: Example, example: Example, similarity: float
) -> Finding:
    same = _same(earlier, example, similarity)
    words = [quote(example.input)]
    if not same:
        words.append(f"similarity {similarity:.2f}")
    words += _differing(materials, earlier, example, same)
    return Finding(check, (earlier.where, example.where), "; ".join(words))
