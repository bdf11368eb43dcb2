"""What a constraint will admit, as text: checked when a task is loaded, before there is a model."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING

from llguidance import LLMatcher, LLTokenizer

from harness.constraint import Choices, Constraint, Either, JsonSchema, SchemaOfInput
from harness.errors import ConfigError, TaskError
from harness.task import Example

if TYPE_CHECKING:
    from llguidance._lib import JsonCompileOptions

__all__ = ["check_constraint", "check_targets", "matcher"]

WRITTEN: JsonCompileOptions = {
    "whitespace_flexible": False,
    "item_separator": ",",
    "key_separator": ":",
    "json_allow_general_unicode_escapes": False,
}
"""JSON in one way only, that of `Json.write`: keys come in the schema's order."""
NO_OBJECT = r"""/[^{](.|\n)*/ | "" """
"""Any text that does not begin as an object does."""


def check_constraint(constraint: Constraint | None) -> None:
    """Raises ConfigError if answers cannot be held to what a format declares, and says why."""
    match constraint:
        case None:
            raise ConfigError("free text leaves nothing to constrain; say decoding=free")
        case JsonSchema() | Either():
            _check_start(constraint)
        case SchemaOfInput():
            _check_start(constraint.of(""))
        case Choices():
            pass


def check_targets(constraint: Constraint | None, examples: Iterable[Example]) -> None:
    """Raises TaskError for the first target that a constraint would not let a model write."""
    match constraint:
        case JsonSchema():
            _check_written(constraint, examples)
        case SchemaOfInput():
            for example in examples:
                _check_written(constraint.of(example.input), [example])
        case Choices(texts):
            _check_chosen(texts, examples)


def _check_start(constraint: JsonSchema | Either) -> None:
    """Some grammars are too large only when an answer begins."""
    begun = matcher(constraint, _bytes())
    begun.compute_bitmask()
    if begun.try_consume_tokens(list(b"{")):
        begun.compute_bitmask()
    _check_error(begun)


@lru_cache
def _bytes() -> LLTokenizer:
    """A token for each byte: which tokenizer a model has makes no difference here."""
    return LLTokenizer("byte")


def _check_written(schema: JsonSchema, examples: Iterable[Example]) -> None:
    tokenizer = _bytes()
    start = matcher(schema, tokenizer)
    admitted: set[str] = set()
    for example in examples:
        if example.target in admitted:
            continue
        written = example.target.encode()
        walked = start.deep_copy()
        passed = walked.validate_tokens([*written, tokenizer.eos_token])
        if passed <= len(written):
            _check_error(walked)
            before = written[:passed].decode(errors="ignore")
            raise TaskError(
                f"{example.where}: target {example.target!r} cannot be written under the schema's "
                f"grammar beyond {before[-40:]!r}; fix the line, loosen the schema there, or say "
                "decoding=free"
            )
        admitted.add(example.target)


def _check_chosen(texts: Iterable[str], examples: Iterable[Example]) -> None:
    labels = set(texts)
    for example in examples:
        if example.target not in labels:
            raise TaskError(
                f"{example.where}: target {example.target!r} is not one of the {len(labels)} "
                "labels; fix the line, add the label to train or to answer.labels, or say "
                "decoding=free"
            )


def matcher(constraint: JsonSchema | Either, tokenizer: LLTokenizer) -> LLMatcher:
    """A matcher at the beginning of an answer. Raises ConfigError."""
    try:
        match constraint:
            case JsonSchema(schema):
                grammar = LLMatcher.grammar_from_json_schema(dict(schema), overrides=WRITTEN)
            case Either(one, other):
                rules = f"start: object | other\nobject: {_rule(one)}\nother: {_rule(other)}\n"
                grammar = LLMatcher.grammar_from_lark(rules)
    except (ValueError, TypeError) as error:  # a number, for instance, that it does not have
        raise _no_grammar(str(error)) from error
    begun = LLMatcher(tokenizer, grammar, log_level=0)
    _check_error(begun)
    return begun


def _check_error(matcher: LLMatcher) -> None:
    if matcher.is_error():
        raise _no_grammar(matcher.get_error().partition("\n<")[0])


def _no_grammar(said: str) -> ConfigError:
    shown = " ".join(said.split())[:300]
    return ConfigError(
        f"the answer's schema makes no grammar ({shown}); say decoding=free or change the schema"
    )


def _rule(constraint: JsonSchema | Choices | None) -> str:
    """A constraint in llguidance's dialect of Lark."""
    match constraint:
        case None:
            return NO_OBJECT
        case JsonSchema(schema):
            return f"%json {json.dumps({**schema, 'x-guidance': WRITTEN})}"
        case Choices(texts):
            return " | ".join(json.dumps(text, ensure_ascii=False) for text in texts)
