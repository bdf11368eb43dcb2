"""The identity of a task: what its fingerprints are, and that they stay."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import OmegaConf

from harness.answer import Answer, Label, Text
from harness.task import Task
from tests.conftest import ROOT

SUPPORT_JSON = {
    "train": "64a25a181132ad4d74e55f10e0d6bc34614c40fd1af87d26817ed710deca2c3f",
    "dev": "f445b0d04270d74aeb95ddaab74c2decfcb8793ab4617e41d57f98a84ca6350c",
    "eval": "de2d57999e4cc5329424133d6cabca73c95fa5c4ba040de34298c0dac448de94",
    "corpus": "f3bcc5deeb323becde304799611915b2807b0fd98c0009e0a2af398eb4196aa1",
    "prompt": "3ca334b1faa62b43dc5ec62c9e2df85e602e1ccae0561ea7b246793d98aa8cae",
    "scoring": "ec79b098e66e31f57e42dcf8fdd0b3ffab371d1d399e43b98abe5d7c35030b54",
}
"""As results on disk have them: whoever changes the task on purpose records them anew."""


def test_the_shipped_task_is_the_one_that_results_on_disk_are_about(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(ROOT)
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        config = compose("config", overrides=["+task=support_json"]).task
    OmegaConf.resolve(config)
    OmegaConf.set_struct(config, False)
    config.pop("rungs")
    found = instantiate(config, _convert_="all").fingerprints()
    assert {name: found[name] for name in SUPPORT_JSON} == SUPPORT_JSON
    assert found.keys() - SUPPORT_JSON.keys() == {"tools", "variants"}  # which few rungs read


@pytest.mark.parametrize(
    ("answer", "scoring"),
    [
        (Label(["a", "b"]), "fba722a39c0705c54f66f47a4a3bce72a3f992af802b1979654ebde77be1d750"),
        (Text(), "7895a3db8efee1578e929c6c415082a2461f5be658d943b3c33c2475326eda5a"),
    ],
    ids=["label", "text"],
)
def test_formats_are_known_by_their_class_and_rules(
    load: Callable[..., Task], answer: Answer, scoring: str
) -> None:
    task = load()
    other = replace(task, materials=replace(task.materials, answer=answer), primary="accuracy")
    assert other.fingerprints()["scoring"] == scoring
