"""`+experiment=data_quality`, from the words of the command line to the noise curve."""

from __future__ import annotations

from pathlib import Path

import pytest

import harness
from harness.configuration.compose import compose
from harness.ladder.transform import PlantedErrors, WithoutSuspects
from tests.conftest import TASK


@pytest.fixture
def words(
    tmp_path: Path, tiny_folder: Path, task_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> list[str]:
    """A task of the user's own and a tiny model, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "conf" / "task").mkdir(parents=True)
    (tmp_path / "conf" / "task" / "mine.yaml").write_text(TASK.format(folder=task_folder))
    return ["+task=mine", "model=folder", f"model.weights.path={tiny_folder}", "tracking=none",
            "dev_questions=2"]  # fmt: skip


def test_the_sweep_is_over_rungs_shares_and_suspects(words: list[str]) -> None:
    jobs = compose([*words, "+experiment=data_quality"], config_dirs=["conf"])
    assert len(jobs) == 2 * 4 * 2
    made = [job.job() for job in jobs[:4]]
    assert [job.rung.name for job in made] == ["few_shot"] * 4
    nothing, cleaned, planted, both = (job.rung.transform for job in made)
    assert (nothing, planted) == (None, PlantedErrors(0.05))
    assert cleaned == WithoutSuspects("classifier", None, None)
    assert both == WithoutSuspects("classifier", None, PlantedErrors(0.05))
    told = [{word for word in job.variant.split() if "transform" in word} for job in made[:3:2]]
    assert told == [set(), {"rung.transform.planted=0.05", "rung.transform.without=null"}]


def test_a_rung_on_train_as_it_is_is_run_once_and_the_curve_begins_with_it(
    words: list[str],
) -> None:
    shots = ["rung=few_shot", "rung.shots.choice=fixed", "rung.shots.k=2"]
    harness.compare_all([*words, *shots], config_dirs=["conf"], progress=False)
    noisy = [
        "+experiment=data_quality",
        "rung.transform.planted=0,0.5",
        "rung.transform.without=null",
    ]
    (found,) = harness.compare_all([*words, *shots, *noisy], config_dirs=["conf"], progress=False)
    assert [rung.key for rung in found.rungs] == ["few_shot"]
    assert [(c.planted, c.without) for c in found.data_quality.cells] == [(0.0, None), (0.5, None)]
    transformed = list(Path("results").rglob("transform.json"))
    assert len(transformed) == 1
    assert found.judged == 1
