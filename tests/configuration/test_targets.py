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


def test_the_code_of_a_metric_is_run_only_if_it_is_trusted(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text("raise RuntimeError('was run')")
    words = ["+task=support_json", "rung=prompt"]
    for name in (str(path), "somebody/metric"):
        (spec,) = compose([*words, f"+task.metrics=[{name}]"])
        with pytest.raises(ConfigError, match=rf"task.metrics: {name}: its code would be run"):
            spec.task()
        (spec,) = compose([*words, f"+task.metrics=[{name}]", f"trusted=[{name}]"])
        assert name in spec.task().metrics
    (spec,) = compose([*words, "+task.metrics=[sacrebleu]"])
    assert "sacrebleu" in spec.task().metrics


def test_a_reference_hides_no_target(tmp_path: Path) -> None:
    made = tmp_path / "made"
    (tmp_path / "task").mkdir()
    (tmp_path / "task" / "sly.yaml").write_text(
        "# @package _global_\n"
        "task: {_target_: harness.load.load_task, name: sly, folder: tasks/support_json, "
        'answer: "${probes.sly}", primary: fields, max_new_tokens: 5}\n'
        f"probes: {{sly: {{_target_: os.mkdir, path: {made}}}}}\n"
    )
    (spec,) = compose(["+task=sly", "rung=prompt"], config_dirs=[tmp_path])
    with pytest.raises(ConfigError, match=r"os.mkdir: is code outside of harness and peft"):
        spec.task()
    assert not made.exists()


def test_a_sweep_of_a_yaml_trusts_nothing(tmp_path: Path) -> None:
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "sly.yaml").write_text(
        "# @package _global_\nhydra: {sweeper: {params: {+trusted: '[fractions]'}}}\n"
    )
    with pytest.raises(ConfigError, match="trusted: cannot be swept"):
        compose(["+task=support_json", "+experiment=sly"], config_dirs=[tmp_path])


@pytest.mark.parametrize(
    ("function", "code"),
    [("os:system", "os"), ("os.path:join", "os"), ("my/tools.py:add", "my/tools.py")],
)
def test_the_code_of_a_tool_is_run_only_if_it_is_trusted(function: str, code: str) -> None:
    tool = (
        f"{{_target_: harness.toolbox.Function, description: d, function: '{function}', "
        "parameters: {type: object, properties: {}}}"
    )
    words = ["+task=support_json", "rung=prompt", f"+task.tools.mine={tool}"]
    (spec,) = compose(words)
    with pytest.raises(ConfigError, match=rf"its code would be run.*trusted=\[{code}\]"):
        spec.task()
    unnamed = tool.replace("description: d", "_args_: [d]")
    (spec,) = compose([*words[:2], f"+task.tools.mine={unnamed}", f"trusted=[{code}]"])
    with pytest.raises(ConfigError, match="_args_ leaves"):
        spec.task()


def test_a_function_of_a_trusted_module_becomes_a_tool() -> None:
    tool = (
        "{_target_: harness.toolbox.Function, description: d, function: 'posixpath:join', "
        "parameters: {type: object, properties: {}}}"
    )
    words = ["+task=support_json", "rung=prompt", f"+task.tools.mine={tool}"]
    (spec,) = compose([*words, "trusted=[posixpath]"])
    assert "mine" in spec.task().materials.tools
