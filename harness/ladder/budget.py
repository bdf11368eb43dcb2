"""How many tokens an answer may take, so that no answer is cut off that is right."""

from __future__ import annotations

from collections.abc import Sequence

from harness.constraint import Choices, Constraint, JsonSchema, SchemaOfInput
from harness.errors import TaskError
from harness.models.engine import Engine
from harness.task import Materials

__all__ = ["MOST", "budget", "longest_target"]

MOST = 2048
"""Beyond this many tokens a schema's bound is none in practice: each of them takes memory in every
slot, whether an answer comes so far or not."""


def budget(
    materials: Materials, engine: Engine, constraint: Constraint | None
) -> tuple[int, str | None]:
    """The token budget of an answer, and a sentence if it is above what the task configured.

    There is room for the longest target of train and dev, and, under a constraint, for whatever
    the answer format admits, if that has a bound: one token for each byte is enough for any text.
    Where it has none, there is room for twice the longest target: the constraint lets a model that
    has not been tuned write more than it should, and what is cut off cannot be read at all.

    Raises TaskError for a target of train or dev that is longer than the model's context.
    """
    _check_targets(materials, engine)
    longest_target = _tokens(engine, _targets(materials))
    reasons = [(longest_target, "a target of train or dev is so long")]
    match constraint:
        case None:
            pass
        case Choices(texts):
            reasons.append((_tokens(engine, texts), "a label is so long"))
        case JsonSchema() | SchemaOfInput():
            if (most := _bound(materials)) is not None:
                reasons.append((most + 1, "the schema admits answers of that length"))
            else:
                reasons.append(
                    (2 * longest_target, "the schema has no bound; twice the longest target")
                )
    needed, reason = max(reasons)
    configured = materials.max_new_tokens
    if needed <= configured:
        return configured, None
    return needed, f"task.max_new_tokens raised from {configured} to {needed}: {reason}"


def longest_target(materials: Materials, constraint: Constraint | None) -> int | None:
    """UTF-8 bytes of the longest target of train and dev, where the budget depends on it; None
    where the constraint alone bounds an answer."""
    if isinstance(constraint, Choices):
        return None
    if constraint is not None and _bound(materials) is not None:
        return None
    return max((len(target.encode()) for target in _targets(materials)), default=0)


def _check_targets(materials: Materials, engine: Engine) -> None:
    examples = materials.train + materials.dev
    if engine.context is None or not examples:
        return
    longest = max(examples, key=lambda example: len(example.target))
    if len(longest.target) < engine.context:
        return  # no token is shorter than a character, or they are too many only just
    tokens = engine.count([[{"role": "user", "content": longest.target}]])[0]
    if tokens > engine.context:
        raise TaskError(
            f"{longest.where}: target has {len(longest.target):,} characters, {tokens:,} tokens at "
            f"least, and {engine.name} can take {engine.context:,}; shorten it or take the line out"
        )


def _targets(materials: Materials) -> list[str]:
    """Of dev and of all of train, whatever share of it is read."""
    return [*(e.target for e in materials.train + materials.dev), *materials.left_out]


def _bound(materials: Materials) -> int | None:
    """UTF-8 bytes of the longest text that the schema admits; None without a practical bound."""
    most = materials.answer.longest
    return most if most is not None and most < MOST else None


def _tokens(engine: Engine, texts: Sequence[str]) -> int:
    """Tokens of the longest text, with the one that ends it."""
    return max(engine.count_answers(list(dict.fromkeys(texts))), default=0)
