"""Rungs that contrasts and tasks name: each is somewhere, or one line says what was meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.configuration.compose import compose
from harness.configuration.rung_names import check_rung_names
from harness.errors import ConfigError

TASK = "+task=support_json"


def check(*words: str, config_dirs: tuple[Path, ...] = ()) -> None:
    check_rung_names(compose([TASK, *words], config_dirs=config_dirs))


@pytest.mark.parametrize(
    ("word", "complaint"),
    [
        (
            "contrasts.against=[prmopt]",
            "contrasts.against: there is no rung 'prmopt' (did you mean prompt?); there are: ",
        ),
        (
            "contrasts.pairs=[[lroa,lora]]",
            "contrasts.pairs: there is no rung 'lroa' (did you mean lora?); there are: adalora, ",
        ),
        (
            "+task.rungs.externl={}",
            "task.rungs: there is no rung 'externl' (did you mean external?); there are: adalora, ",
        ),
        ("contrasts.against=[people]", "contrasts.against: there is no rung 'people'; there are: "),
    ],
)
def test_a_rung_that_is_nowhere_is_refused(tmp_path: Path, word: str, complaint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check("rung=prompt,lora", f"results={tmp_path}", word)
    assert str(caught.value).startswith(complaint)


@pytest.mark.parametrize("preset", ["look", "ablation", "diagnosis", "knowledge_update"])
def test_what_harness_declares_itself_names_rungs_that_there_are(preset: str) -> None:
    check(f"+experiment={preset}")


def test_a_rung_may_be_one_of_the_sweep_under_a_name_of_its_own(tmp_path: Path) -> None:
    here = f"results={tmp_path}"
    check("rung=prompt", "rung.name=people", "contrasts.against=[people]", here)
    files = "rung.predictions=a.jsonl,b.jsonl"
    check("rung=external", files, "contrasts.pairs=[[external_a,external_b]]", here)


def test_a_rung_may_be_that_of_a_users_own_yaml(tmp_path: Path) -> None:
    (tmp_path / "rung").mkdir()
    (tmp_path / "rung" / "mine.yaml").write_text("defaults: [prompt, _self_]\nname: mine\n")
    against = "contrasts.against=[mine]"
    check("rung=prompt", against, config_dirs=(tmp_path,))
    check("rung=prompt", against, f"hydra.searchpath=['file://{tmp_path}']")


def test_a_rung_may_have_run_before(tmp_path: Path) -> None:
    (tmp_path / "support_json" / "external_gpt" / "0a1b").mkdir(parents=True)
    check("rung=prompt", "contrasts.against=[external_gpt]", f"results={tmp_path}")
