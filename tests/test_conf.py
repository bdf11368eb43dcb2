"""Every YAML composes, and what it describes fits the constructor that it names."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hydra.utils import get_object
from omegaconf import OmegaConf

from harness.experiment import compose
from harness.home import CONF, HOME

OPTIONS = sorted(
    (path.parent.name, path.stem)
    for path in CONF.glob("*/*.yaml")
    if path.parent.name not in ("task", "experiment")
)
ELSEWHERE = "external"
"""The rung of answers that were made elsewhere: named after their file, with nothing to try."""
RUNGS = sorted(path.stem for path in (CONF / "rung").glob("*.yaml") if path.stem != ELSEWHERE)
TASKS = sorted(path.stem for path in (CONF / "task").glob("*.yaml"))


BESIDE = ("candidates", "rungs", "perturbations")
"""What the command line reads itself: settings to try, those chosen for a task, and what leaves its
targets alone."""


def composed(*words: str) -> dict[str, Any]:
    """The configuration of the first job that the words describe, unresolved."""
    given = any(word.startswith("+task=") for word in words)
    return plain(*([] if given else ["+task=support_json"]), *words)[0]


def plain(*words: str) -> list[dict[str, Any]]:
    """The configuration of each job that the words describe, unresolved."""
    configs = [OmegaConf.to_container(spec.config, resolve=False) for spec in compose(words)]
    return [config for config in configs if isinstance(config, dict)]  # type: ignore[misc]


def targets(node: Any) -> Iterator[dict[str, Any]]:
    """Every description of an object, however deep."""
    if isinstance(node, dict):
        if "_target_" in node:
            yield node
        for value in node.values():
            yield from targets(value)


def assert_fits(node: Any) -> None:
    for described in targets(node):
        taken = inspect.signature(get_object(described["_target_"]))
        beside = {"_target_", *(name for name in BESIDE if name not in taken.parameters)}
        taken.bind(**{k: v for k, v in described.items() if k not in beside})


@pytest.mark.parametrize(("group", "option"), OPTIONS)
def test_every_option_fits_what_it_targets(group: str, option: str) -> None:
    config = composed(f"{group}={option}")
    described = list(targets(config[group]))
    assert described, f"conf/{group}/{option}.yaml describes no object"
    assert_fits(config)


@pytest.mark.parametrize("name", TASKS)
def test_every_task_fits_load_task_and_has_its_folder(name: str) -> None:
    config = composed(f"+task={name}")
    assert_fits(config)
    assert config["task"]["name"] == name
    folder = HOME / config["task"]["folder"]
    assert {"README.md", "instructions.full.md", "instructions.short.md"} <= {
        path.name for path in folder.iterdir()
    }


@pytest.mark.parametrize("path", sorted((CONF / "experiment").glob("*.yaml")), ids=lambda p: p.stem)
def test_every_experiment_changes_what_the_configuration_has(path: Path) -> None:
    usual = plain("+task=support_json")
    changed = plain("+task=support_json", f"+experiment={path.stem}")
    assert set(changed[0]) == set(usual[0])
    assert changed != usual
    assert_fits(changed[0])


def test_an_option_is_called_what_its_file_is_called() -> None:
    for group in ("rung", "model", "embedder"):
        for path in (CONF / group).glob("*.yaml"):
            named = composed(f"{group}={path.stem}")[group]["name"]
            assert path.stem in (named, ELSEWHERE)


@pytest.mark.parametrize(
    ("rung", "slots"),
    [
        ("prompt", set()),
        ("few_shot", {"shots"}),
        ("prompt_search", {"search", "shots"}),
        ("rag", {"retrieval", "shots"}),
        ("lora", {"tuning"}),
        ("qlora", {"tuning"}),
        ("full_ft", {"tuning"}),
        ("rag_lora", {"retrieval", "tuning"}),
        ("rag_lora_bolted", {"retrieval", "tuning"}),
        ("rag_lora_raft", {"retrieval", "tuning"}),
        ("distilled", {"transform", "tuning"}),
        ("distilled_gold", {"transform", "tuning"}),
        ("rag_no_shots", {"retrieval"}),
        ("few_shot_lora", {"shots", "tuning"}),
        ("rag_few_shot_lora", {"shots", "retrieval", "tuning"}),
        ("prefix", {"tuning"}),
        ("ia3", {"tuning"}),
        ("bottleneck", {"tuning"}),
        ("rslora", {"tuning"}),
        ("dora", {"tuning"}),
        ("adalora", {"tuning"}),
        ("retry", {"dialogue"}),
        ("tools", {"shots", "dialogue"}),
    ],
)
def test_a_rung_fills_its_own_slots_and_no_other(rung: str, slots: set[str]) -> None:
    filled = {k for k, v in composed(f"rung={rung}")["rung"].items() if v is not None}
    assert filled - {"_target_", "name", "instructions", "role", "place", "candidates"} == slots


@pytest.mark.parametrize("rung", RUNGS)
def test_every_rung_has_as_many_settings_to_try(rung: str) -> None:
    assert len(composed(f"rung={rung}")["rung"]["candidates"]) == 3


@pytest.mark.parametrize("rung", RUNGS)
def test_candidates_change_what_the_configuration_has(rung: str) -> None:
    config = OmegaConf.create(composed(f"rung={rung}"))
    for changes in config.rung.candidates:
        for key in changes:
            assert OmegaConf.select(config, key, default="?") != "?", key


def test_answers_that_were_made_elsewhere_are_named_after_their_file() -> None:
    specs = compose(["+task=support_json", "rung=external", "rung.predictions=a.jsonl,b/c d.csv"])
    assert [spec.config.rung.name for spec in specs] == ["external_a", "external_c_d"]


def test_every_model_says_under_which_licence_it_comes() -> None:
    for path in (CONF / "model").glob("*.yaml"):
        model = composed(f"model={path.stem}")["model"]
        assert model["licence"]
        assert isinstance(model["gated"], bool)


@pytest.mark.parametrize("name", TASKS)
def test_settings_chosen_for_a_task_are_those_of_rungs_that_there_are(name: str) -> None:
    for rung, changes in (composed(f"+task={name}")["task"].get("rungs") or {}).items():
        config = OmegaConf.create(composed(f"rung={rung}"))
        for key in changes:
            assert OmegaConf.select(config, key, default="?") != "?", f"{rung}: {key}"


def test_decoding_is_constrained_and_one_setting_is_tried_unless_it_is_said() -> None:
    config = composed()
    assert (config["decoding"], config["trials"], config["controls"]) == ("constrained", 1, None)
    assert config["training"]["learning_rate"] is None
    pairs = config["contrasts"]["pairs"]
    assert ["rag_lora", "lora"] in pairs and ["rag_lora", "rag"] in pairs
    assert {name for pair in pairs for name in pair} <= set(RUNGS)
