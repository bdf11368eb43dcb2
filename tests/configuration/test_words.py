"""Python values become the words that one would type."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.configuration.words import sweep, word
from harness.errors import ConfigError


@pytest.mark.parametrize(
    ("key", "value", "typed"),
    [
        ("limit", 20, "limit=20"),
        ("limit", None, "limit=null"),
        ("force", True, "force=true"),
        ("training.learning_rate", 5e-4, "training.learning_rate=0.0005"),
        ("seed", np.int64(3), "seed=3"),
        ("rung.role", "user", "rung.role=user"),
        ("results", Path("/my results"), "results=/my results"),
        ("tracking.uri", "http://mlflow:5000", "tracking.uri=http://mlflow:5000"),
        ("contrasts.pairs", [["lora", "rag"]], "contrasts.pairs=[[lora,rag]]"),
        ("task.sizes", {"train": 5}, "task.sizes={train:5}"),
        ("+experiment", "look", "+experiment=look"),
        ("task.licence", "", "task.licence="),
    ],
)
def test_a_value_is_said_as_one_would_type_it(key: str, value: object, typed: str) -> None:
    assert word(key, value) == typed


@pytest.mark.parametrize(
    ("value", "typed"),
    [
        ("1", "a='1'"),
        ("true", "a='true'"),
        ("null", "a='null'"),
        ("one, two", "a='one, two'"),
        ("it's {this}", r"a='it\'s {this}'"),
        (["a, b", "c"], "a=['a, b','c']"),
    ],
)
def test_text_that_would_be_read_as_something_else_is_quoted(value: object, typed: str) -> None:
    assert word("a", value) == typed


def test_several_values_are_a_sweep() -> None:
    assert sweep("seed", [0, 1, 2]) == "seed=0,1,2"
    assert sweep("rung", ["lora"]) == "rung=lora"
    assert sweep("model.weights.path", ["a,b", "c"]) == "model.weights.path='a,b',c"


@pytest.mark.parametrize("value", [object(), {1, 2}])
def test_what_no_word_can_say_is_refused(value: object) -> None:
    with pytest.raises(ConfigError, match=r"limit=.*cannot be set; fix: give text, a number"):
        word("limit", value)


def test_a_name_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigError, match="a b=1: cannot be said as an override"):
        word("a b", 1)
