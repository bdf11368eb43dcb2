"""Which code a YAML may name."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.configuration.compose import compose
from harness.errors import ConfigError


@pytest.mark.parametrize(
    "target",
    ["pandas.read_pickle", "logging.FileHandler", "pip.main", "os.system", "nowhere.to_be_found"],
)
def test_code_outside_of_harness_is_refused_before_it_is_imported(target: str) -> None:
    (spec,) = compose(["+task=support_json", "rung=prompt", f"prices._target_={target}"])
    with pytest.raises(ConfigError, match=r"outside of harness and peft.*trusted=\["):
        spec.build("prices")


@pytest.mark.parametrize(
    "target",
    [
        "harness.files.os.system",
        "harness.files.write_whole",
        "peft.peft_model.os.system",
        "harness.run.shutil",
    ],
)
def test_of_harness_only_what_builds_something_can_be_named(target: str) -> None:
    (spec,) = compose(["+task=support_json", "rung=prompt", f"prices._target_={target}"])
    with pytest.raises(ConfigError, match="is no class of"):
        spec.build("prices")


def test_a_package_is_trusted_on_the_command_line_alone(tmp_path: Path) -> None:
    words = ["+task=support_json", "rung=prompt", "prices._target_=fractions.Fraction"]
    (spec,) = compose([*words, "trusted=[fractions]"])
    with pytest.raises(ConfigError, match="unexpected keyword"):  # it was called
        spec.build("prices")
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "sly.yaml").write_text("# @package _global_\ntrusted: [fractions]\n")
    (spec,) = compose([*words, "+experiment=sly"], config_dirs=[tmp_path])
    with pytest.raises(ConfigError, match="trusted: no YAML can say so"):
        spec.build("prices")
