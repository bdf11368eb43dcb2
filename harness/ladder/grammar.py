"""What a constraint will admit, as text: checked when a task is loaded, before there is a model."""

from __future__ import annotations

from collections.abc import Iterable

from llguidance import LLMatcher, LLTokenizer

from harness.answer import Answer, Json, Label
from harness.errors import ConfigError, TaskError
from harness.task import Example

__all__ = ["check_grammar", "check_targets", "matcher"]


def check_grammar(answer: Answer) -> None:
    """Raises ConfigError if answers of this format cannot be constrained, and says why."""
    match answer:
        case Json():
            matcher(answer, LLTokenizer("byte"))
        case Label(labels=tuple()):
            pass
        case _:
            raise ConfigError("free text leaves nothing to constrain; say decoding=free")


def check_targets(answer: Answer, examples: Iterable[Example]) -> None:
    """Raises TaskError for the first target that a constraint would not let a model write."""
    if isinstance(answer, Label):
        _check_labels(answer, examples)
    if not isinstance(answer, Json):
        return
    tokenizer = LLTokenizer("byte")
    start = matcher(answer, tokenizer)
    admitted: set[str] = set()
    for example in examples:
        if example.target in admitted:
            continue
        written = example.target.encode()
        passed = start.deep_copy().validate_tokens([*written, tokenizer.eos_token])
        if passed <= len(written):
            before = written[:passed].decode(errors="ignore")
            raise TaskError(
                f"{example.where}: target {example.target!r} cannot be written under the schema's "
                f"grammar beyond {before[-40:]!r}; fix the line, loosen the schema there, or say "
                "decoding=free"
            )
        admitted.add(example.target)


def _check_labels(answer: Label, examples: Iterable[Example]) -> None:
    labels = set(answer.labels or ())
    for example in examples:
        if example.target not in labels:
            raise TaskError(
                f"{example.where}: target {example.target!r} is not one of the {len(labels)} "
                "labels; fix the line, add the label to train or to answer.labels, or say "
                "decoding=free"
            )


def matcher(answer: Json, tokenizer: LLTokenizer) -> LLMatcher:
    """A matcher at the beginning of a JSON answer. Raises ConfigError.

    JSON is written in one way only, that of `Json.write`: keys come in the schema's order.
    """
    grammar = LLMatcher.grammar_from_json_schema(
        answer.shown,
        overrides={
            "whitespace_flexible": False,
            "item_separator": ",",
            "key_separator": ":",
            "json_allow_general_unicode_escapes": False,
        },
    )
    begun = LLMatcher(tokenizer, grammar, log_level=0)
    if begun.is_error():
        problem = " ".join(begun.get_error().partition("\n<")[0].split())
        raise ConfigError(
            f"the answer's schema makes no grammar ({problem}); "
            "say decoding=free or change the schema"
        )
    return begun
