"""The words of a command line become jobs, without any state left behind."""

from __future__ import annotations

import doctest
from collections import Counter
from pathlib import Path
from typing import TextIO

import pytest
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf

from harness.configuration import compose as module
from harness.configuration.compose import compose
from harness.errors import ConfigError
from harness.home import CONF

TASK = "+task=support_json"


def rungs(*words: str) -> list[str]:
    return [str(spec.config.rung.name) for spec in compose([TASK, *words])]


@pytest.mark.parametrize(
    ("words", "jobs"),
    [
        ([], ["prompt", "few_shot", "rag", "lora", "rag_lora"]),
        (["rung=lora"], ["lora"]),
        (["rung=prompt,few_shot"], ["prompt", "few_shot"]),
        (["rung=choice(prompt,rag)"], ["prompt", "rag"]),
        (["rung=glob(rag_n*)"], ["rag_no_shots"]),
        (["+experiment=look"], ["prompt", "few_shot", "rag"]),
        (["+experiment=look", "rung=lora"], ["lora"]),
        (["hydra.sweeper.params.rung='prompt,rag'"], ["prompt", "rag"]),
    ],
)
def test_rungs_are_swept_as_on_the_command_line(words: list[str], jobs: list[str]) -> None:
    assert rungs(*words) == jobs


def test_an_ablation_crosses_three_slots_and_the_decoding() -> None:
    specs = compose([TASK, "+experiment=ablation"])
    slots = ("shots", "retrieval", "tuning")
    cells = {
        (spec.config.decoding, *(spec.config.rung.get(slot) is not None for slot in slots))
        for spec in specs
    }
    assert len(specs) == len(cells) == 16
    assert {spec.job().variant for spec in specs[:2]} == {"decoding=free", "decoding=constrained"}


@pytest.mark.parametrize(
    ("word", "seeds"),
    [("seed=0,1,2", [0, 1, 2]), ("seed=range(0,3)", [0, 1, 2]), ("seed=choice(4,2)", [4, 2])],
)
def test_seeds_are_swept_as_on_the_command_line(word: str, seeds: list[int]) -> None:
    specs = compose([TASK, "rung=lora", word])
    assert [spec.config.seed for spec in specs] == seeds
    assert len({spec.sweep for spec in specs}) == 1


def test_all_combinations_come_in_hydras_order() -> None:
    specs = compose([TASK, "rung=prompt,lora", "seed=0,1"])
    assert [spec.words for spec in specs] == [
        ["rung=prompt", TASK, "seed=0"],
        ["rung=prompt", TASK, "seed=1"],
        ["rung=lora", TASK, "seed=0"],
        ["rung=lora", TASK, "seed=1"],
    ]


def test_a_learning_curve_takes_every_rung_to_every_size_with_every_seed() -> None:
    jobs = [
        (str(s.config.rung.name), s.config.train_share, s.config.seed)
        for s in compose([TASK, "+experiment=learning_curve"])
    ]
    shares = [1, 0.5, 0.25, 0.125, 0.0625, 0.03125]
    ladder = ["prompt", "few_shot", "rag", "lora", "rag_lora"]
    assert jobs == [(r, share, seed) for r in ladder for share in shares for seed in (0, 1, 2)]


def test_other_sizes_and_rungs_are_typed_as_usual() -> None:
    specs = compose(
        [TASK, "+experiment=learning_curve", "train_share=1,0.3", "rung=lora", "seed=0"]
    )
    titles = [spec.title for spec in specs]
    assert titles == ["support_json / lora", "support_json / lora  train_share=0.3"]


def test_without_a_sweep_the_words_are_one_job() -> None:
    (spec,) = compose([TASK], sweep=False)
    assert (spec.title, spec.words) == ("support_json / prompt", [TASK])
    with pytest.raises(ConfigError, match="seed=0,1"):
        compose([TASK, "seed=0,1"], sweep=False)


def test_several_rungs_may_share_a_setting_that_not_every_rung_has() -> None:
    specs = compose([TASK, "rung=few_shot,rag", "rung.shots.k=3"])
    assert [spec.config.rung.shots.k for spec in specs] == [3, 3]


def test_folders_of_ones_own_come_beside_harnesss(tmp_path: Path) -> None:
    for name in ("one", "two words"):
        (tmp_path / name / "task").mkdir(parents=True)
        (tmp_path / name / "task" / f"{name[:3]}.yaml").write_text(f"name: {name[:3]}\n")
    folders = [tmp_path / "one", tmp_path / "two words"]
    specs = compose(["+task=one,two", "rung=prompt"], config_dirs=folders)
    assert [spec.config.task.name for spec in specs] == ["one", "two"]
    with pytest.raises(ConfigError, match=r"gone: no such folder; fix --config-dir"):
        compose([TASK], config_dirs=["gone"])


def test_a_file_is_parsed_once_for_all_jobs_and_anew_for_the_next_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: Counter[str] = Counter()
    load = OmegaConf.load

    def counted(file: TextIO) -> object:
        read[Path(file.name).name] += 1
        return load(file)

    monkeypatch.setattr(OmegaConf, "load", counted)
    file = tmp_path / "task" / "mine.yaml"
    file.parent.mkdir()
    for name in "one", "two":
        file.write_text(f"name: {name}")
        first, second = compose(["+task=mine", "rung=prompt", "seed=0,1"], config_dirs=[tmp_path])
        assert first.config.task.name == second.config.task.name == name
    assert read["mine.yaml"] == read["config.yaml"] == 2


def test_tasks_are_listed_where_none_is_named() -> None:
    known = r"say \+task=NAME; there are: banking77, bfcl, halueval_qa, support_json"
    with pytest.raises(ConfigError, match=known):
        compose([])


@pytest.mark.parametrize(
    ("first", "second", "both"),
    [
        ("seed=1", "seed=2", "seed=1,2"),
        ("rung=prompt", "rung=lora", "rung=prompt,lora"),
        ("rung.shots.k=2", "rung.shots.k=4,8", "rung.shots.k=2,4,8"),
        ("+experiment=look", "+experiment=ablation", "+experiment=look,ablation"),
    ],
)
@pytest.mark.parametrize("sweep", [True, False])
def test_a_setting_that_is_typed_twice_is_refused(
    first: str, second: str, both: str, sweep: bool
) -> None:
    with pytest.raises(ConfigError, match=r"limit=3 and limit=3: .* twice; keep one$"):
        compose([TASK, "limit=3", "limit=3"], sweep=sweep)
    with pytest.raises(ConfigError) as caught:
        compose([TASK, first, "force=true", second], sweep=sweep)
    assert str(caught.value) == (
        f"{first} and {second}: are the same setting twice; keep one, or say {both} to run both"
    )


def test_what_an_experiment_sets_may_be_typed_too_and_what_is_taken_out_put_in_again() -> None:
    assert rungs("+experiment=look", "rung=lora", "limit=3") == ["lora"]
    (spec,) = compose([TASK, "rung=prompt", "~task.rungs", "+task.rungs={prompt: {}}"])
    assert spec.config.task.rungs == {"prompt": {}}


def test_an_empty_sweep_is_said() -> None:
    with pytest.raises(ConfigError, match="nothing to run"):
        compose([TASK, "seed=range(0,0)"])


def test_nothing_of_hydras_is_left_behind_after_success_or_failure() -> None:
    compose([TASK])[0].build("prices")
    with pytest.raises(ConfigError):
        compose([TASK, "sead=1"])
    assert not GlobalHydra.instance().is_initialized()
    assert not HydraConfig.initialized()


def test_it_works_inside_a_program_that_uses_hydra_itself() -> None:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        ours = GlobalHydra.instance().hydra
        assert rungs("rung=prompt") == ["prompt"]
        assert GlobalHydra.instance().hydra is ours


def test_the_example_in_its_description_is_true() -> None:
    assert doctest.testmod(module) == doctest.TestResults(failed=0, attempted=1)
