"""A mistaken word is one line that names what was probably meant."""

from __future__ import annotations

import re

import pytest

from harness.configuration.compose import compose
from harness.configuration.mistakes import nearest
from harness.errors import ConfigError


@pytest.mark.parametrize(
    ("word", "line"),
    [
        ("+task=suport_json", "task/suport_json: is not there (did you mean support_json?); there are: banking77"),
        ("rung=nothing", "rung/nothing: is not there; there are: "),
        ("sead=1", "sead: there is no such setting (did you mean seed?)"),
        ("rungs=lora", "rungs: there is no such setting (did you mean rung?)"),
        ("training.epoch=2", "training.epoch: there is no such setting (did you mean training.epochs?)"),
        ("learning_rate=1e-3", "learning_rate: there is no such setting (did you mean training.learning_rate?)"),
        ("rung.shots.kk=2", "rung.shots.kk: there is no such setting (did you mean rung.shots.k?); to set what a YAML leaves out say +rung.shots.kk=2"),
        ("zzz=1", "zzz: there is no such setting"),
        ("limit=[1", "limit=[1: cannot be read"),
        ("limit=interval(0,1)", "does not support sweep type"),
        ("model@rung.search.reflector=qwen25_7b", "model@rung.search.reflector: not every rung of this command has this part; fix: name its rung alone"),
        ("+seed=1", "Could not append to config. An item is already at 'seed'"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line(word: str, line: str) -> None:
    given = [] if word.startswith("+task") else ["+task=support_json"]
    rung = [] if word.startswith("rung=") else ["rung=few_shot"]
    with pytest.raises(ConfigError, match=re.escape(line)) as caught:
        compose([*given, *rung, word])
    assert "\n" not in str(caught.value)


def test_a_task_without_the_plus_is_told_of_it() -> None:
    with pytest.raises(ConfigError, match=r"use \+task=support_json"):
        compose(["task=support_json"])


def test_a_name_spelt_alike_is_nearer_than_the_same_one_further_down() -> None:
    assert nearest("rungs", ["task.rungs", "rung"]) == "rung"
    assert nearest("epochs", ["seed", "training.epochs"]) == "training.epochs"
    assert nearest("training.epoch", ["training.epochs", "seed"]) == "training.epochs"
    assert nearest("x", ["training"]) is None
