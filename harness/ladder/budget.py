"""How many tokens an answer may take, so that no answer is cut off that is right."""

from __future__ import annotations

from harness.models.engine import Choices
from harness.models.local import LocalModel
from harness.task import Materials

__all__ = ["MOST", "budget"]

MOST = 2048
"""Beyond this many tokens a schema's bound is none in practice: each of them takes memory in every
slot, whether an answer comes so far or not."""


def budget(materials: Materials, model: LocalModel, constrained: bool) -> tuple[int, str | None]:
    """The token budget of an answer, and a sentence if it is above what the task configured.

    There is room for the longest target of train and dev, and, under a constraint, for whatever
    the answer format admits, if that has a bound: one token for each byte is enough for any text.
    Where it has none, there is room for twice the longest target: the constraint lets a model that
    has not been tuned write more than it should, and what is cut off cannot be read at all.
    """
    longest_target = _tokens(model, [e.target for e in materials.train + materials.dev])
    reasons = [(longest_target, "a target of train or dev is so long")]
    constraint = materials.answer.constraint if constrained else None
    if isinstance(constraint, Choices):
        reasons.append((_tokens(model, constraint.texts), "a label is so long"))
    elif constrained:
        most = materials.answer.longest
        if most is not None and most < MOST:
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


def _tokens(model: LocalModel, texts: list[str] | tuple[str, ...]) -> int:
    """Tokens of the longest text, with the stop token."""
    if not texts:
        return 0
    encoded = model.tokenizer(list(dict.fromkeys(texts)), add_special_tokens=False).input_ids
    return 1 + max(map(len, encoded))
