"""Manifests of older versions are read as if they said what held then."""

from __future__ import annotations

from typing import Any

import pytest

from harness.record.manifest import LAST, MEASURES, answered_with, upgraded
from tests.record.conftest import MANIFEST

OLD: dict[str, Any] = {"task": "tickets", "rung": "rag", "contrasts": {"against": ["prompt"]}}


def test_what_an_older_manifest_does_not_say_is_filled_in() -> None:
    told = upgraded(OLD)
    assert told["contrasts"] == {
        "against": ["prompt"], "best_untuned": False, "pairs": [], "margin": None,
    }  # fmt: skip
    assert (told["place"], told["measures"]) == (30, list(MEASURES))
    assert (told["control"], told["trials"], told["decoding"]) == (None, [], "free")
    assert OLD.keys() == {"task", "rung", "contrasts"}, "it was changed in place"


def test_an_older_run_that_read_train_learned_from_what_eval_was_compared_with() -> None:
    compared = {"isolation": {"compared": {"train": 50}}}
    read = {"identity": {"task": {"train": "abc", "eval": "def"}}}
    assert upgraded(OLD | compared | read)["train_size"] == 50
    assert upgraded(OLD | compared | {"identity": {"task": {"eval": "def"}}})["train_size"] is None


def test_what_a_manifest_says_stays() -> None:
    said = MANIFEST | {"rung": "prompt", "place": 7, "measures": ["exact"]}
    assert upgraded(said) == said


def test_slots_have_their_names_of_today() -> None:
    old, new = {"name": "lora", "adapter": {"r": 16}}, {"name": "lora", "tuning": {"r": 16}}
    first: dict[str, Any] = {"identity": {"rung": old}, "chosen": 0}
    assert answered_with(first) == new
    tried = {"identity": {"rung": {}, "trials": [{"name": "prompt"}, old]}, "chosen": 1}
    assert answered_with(tried) == new
    control = {"identity": {"rung": {"of": old}}, "chosen": 0}
    assert answered_with(control) == {"of": new}
    of_a_baseline = {"of": "lora", "kind": "majority"}
    assert answered_with({"identity": {"rung": of_a_baseline}, "chosen": 0}) == of_a_baseline
    assert upgraded(OLD | first)["identity"] == first["identity"], "hashes are of it"


def test_a_rung_unknown_then_stands_behind_the_others() -> None:
    assert upgraded(OLD | {"rung": "mine"})["place"] == LAST


@pytest.mark.parametrize(
    ("kind", "judges", "shows"),
    [
        ("majority", True, "always the commonest answer"),
        ("shuffled_targets", True, "trained on other examples' targets"),
        ("nearest_answer", False, "copying the answer of the most similar training example"),
        ("unheard_of", False, "unheard_of"),
    ],
)
def test_an_older_control_judges_and_shows_what_it_did(kind: str, judges: bool, shows: str) -> None:
    control = upgraded(OLD | {"control": {"kind": kind, "of": None}})["control"]
    assert control == {"kind": kind, "of": None, "judges": judges, "shows": shows}


def test_a_control_that_speaks_for_itself_is_believed() -> None:
    control = {"kind": "majority", "of": None, "judges": False, "shows": "the commonest"}
    assert upgraded(OLD | {"control": control})["control"] == control
