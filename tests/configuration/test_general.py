"""Settings of the top level are checked before anything is loaded."""

from __future__ import annotations

import re

import pytest

from harness.configuration.compose import compose
from harness.errors import ConfigError

TASK = ("+task=support_json", "rung=prompt")


@pytest.mark.parametrize(
    ("word", "line"),
    [
        ("seed=abc", "seed=abc: must be a valid integer"),
        ("seed=-1", "seed=-1: must be greater than or equal to 0"),
        ("force=no", "force=no: must be a valid boolean; say true or false"),
        ("controls=maybe", "controls=maybe: must be"),
        ("dev_questions=1.5", "dev_questions=1.5: must be a valid integer"),
        ("contrasts.against=prompt", "contrasts.against=prompt: must be a list: [prompt]"),
        ("isolation.near_duplicate=nan", "isolation.near_duplicate=nan: must be"),
        ("seed=${nothing}", "Interpolation key 'nothing' not found"),
        ("prices.currency=", "prices.currency=: must be a name"),
        ("results=/dev/null/x", "/dev/null is no folder"),
    ],
)
def test_a_value_that_cannot_be_is_one_line(word: str, line: str) -> None:
    (spec,) = compose([*TASK, word])
    with pytest.raises(ConfigError, match=re.escape(line)) as caught:
        spec.check()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("word", "line"),
    [
        ("+sead=1", "sead: there is no such setting (did you mean seed?)"),
        ("++zzz=1", "zzz: there is no such setting; there are: batch_size, "),
        ("~seed", "seed: was taken out; fix: seed=VALUE"),
        ("contrasts=none", "contrasts=none: must be a group of settings"),
        ("~limits", "~limits: there is no such setting (did you mean limit?)"),
    ],
)
def test_a_name_that_means_nothing_is_refused_also_with_a_plus(word: str, line: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(line)):
        compose([*TASK, word])


@pytest.mark.parametrize(
    ("word", "line"),
    [
        ("+task.licenze=x", "task.licenze: there is no such setting (did you mean licence?)"),
        ("+embedder.nam=x", "embedder.nam: there is no such setting (did you mean name?)"),
        ("~embedder.name", "embedder.name: is missing"),
        ("+contrasts.margins=1", "contrasts.margins"),
    ],
)
def test_a_setting_that_a_part_does_not_take_has_the_nearest_name(word: str, line: str) -> None:
    (spec,) = compose([*TASK, word])
    with pytest.raises(ConfigError, match=re.escape(line)):
        spec.build(line.partition(".")[0])
