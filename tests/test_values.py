"""Values are checked where they enter: whatever is typed makes a sound object or one clear line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from harness.errors import ConfigError
from harness.evidence.contrasts import Contrasts
from harness.evidence.cost import Prices
from harness.evidence.isolation import Isolation
from harness.ladder.retrieval import Retrieval
from harness.ladder.rung import Rung
from harness.ladder.shots import Shots
from harness.models.local import ModelSpec
from harness.models.weights import Folder
from harness.probe.calibration import Calibration
from harness.probe.consistency import Consistency
from harness.probe.forgetting import Forgetting
from harness.tuning.trainer import Training
from harness.values import AtLeastOne, folder_name, settings
from tests.conftest import plan

SOUND: dict[type, dict[str, Any]] = {
    Training: {name: getattr(plan(), name) for name in vars(plan())},
    Shots: {"k": 2, "choice": "similar", "diversity": 0.0, "order": "shared"},
    Retrieval: {"k": 2},
    ModelSpec: {
        "name": "tiny", "weights": Folder("."), "dtype": "float32", "licence": "MIT",
        "gated": False, "device": "cpu", "batch_size": None,
    },
    Isolation: {"near_duplicate": 0.6, "contained": 0.9, "leaks": "stop"},
    Contrasts: {"against": ["prompt"], "best_untuned": True, "pairs": [], "margin": 0.02},
    Prices: {
        "input_per_million": 1.0, "output_per_million": 1.0, "machine_hour": 1.0,
        "labelled_example": None, "currency": "USD",
    },
    Forgetting: {
        "enabled": None, "passages": "general.txt", "field": "text", "count": 100, "tokens": 128,
        "prompts": 16, "instructions": None, "answer_tokens": 48, "max_increase": 0.1,
    },
    Calibration: {"enabled": True, "questions": 100},
    Consistency: {"enabled": False, "questions": 60, "perturbations": ["typos"], "seed": 0},
}  # fmt: skip
"""Settings that are sound, by class."""

NUMERIC = [
    (made, name)
    for made, values in SOUND.items()
    for name, value in values.items()
    if isinstance(value, int | float) and not isinstance(value, bool)
]
ODD = st.one_of(
    st.integers(max_value=-1),
    st.just(0),
    st.integers(min_value=10**12),
    st.floats(),
    st.text(max_size=8),
    st.booleans(),
    st.none(),
    st.lists(st.integers(), max_size=2),
)


@given(case=st.sampled_from(NUMERIC), value=ODD)
@example(case=(Prices, "machine_hour"), value="\n")
def test_a_number_of_any_kind_is_sound_or_refused_in_one_line(
    case: tuple[type, str], value: object
) -> None:
    made, name = case
    try:
        kept = vars(made(**SOUND[made] | {name: value}))[name]
    except ConfigError as error:
        assert "\n" not in str(error)
        assert name in str(error)
    else:
        assert kept is None or (kept == value and not isinstance(kept, bool | str))


@pytest.mark.parametrize("made", SOUND)
def test_sound_settings_are_taken_and_unknown_ones_are_not(made: type) -> None:
    kept: Mapping[str, Any] = vars(made(**SOUND[made]))
    assert {name: kept[name] for name in SOUND[made]} == SOUND[made]
    with pytest.raises((ConfigError, TypeError), match="unheard_of"):
        made(**SOUND[made], unheard_of=1)


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ((0,), "box.count=0: must be greater than or equal to 1"),
        (("3",), "box.count=3: must be a valid integer"),
        ((True,), "box.count=True: must be a valid integer"),
        ((None,), "box.count=null: must be a valid integer"),
        ((1, "lid"), "box.names=lid: must be a list: [lid]"),
    ],
)
def test_a_complaint_names_place_value_and_what_is_wanted(
    values: tuple[Any, ...], complaint: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        Box(*values)
    assert str(caught.value) == complaint


@settings("box")
class Box:
    """Something with a number and names."""

    count: AtLeastOne
    names: Sequence[str] = ()


@pytest.mark.parametrize("name", ["support_json", "few-shot, 8 (fixed)", "заявки", "v1.2+b", "_x"])
def test_a_name_may_be_that_of_one_folder(name: str) -> None:
    assert folder_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "../../x",
        "..",
        ".",
        "",
        "a/b",
        "a\\b",
        "/tmp/x",
        "-rf",
        " a",
        "a ",
        "a.",
        "a\nb",
        "a\0",
        "a:b",
        "x" * 101,
        "é" * 60,
        "\u202egpj.exe",
        "con*",
    ],
)
def test_a_name_that_is_no_folder_s_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="must be the name of one folder"):
        folder_name(name)
    with pytest.raises(ConfigError, match=r"^rung\.name="):
        Rung(name, "full")
