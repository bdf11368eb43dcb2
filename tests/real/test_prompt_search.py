"""A search among two prompts on real weights, four dev questions each."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.experiment import compose
from harness.run import run
from tests.conftest import ROOT

WORDS = [
    "+task=support_json",
    "~task.rungs",
    "rung=prompt_search",
    "rung.shots=null",
    "rung.search.questions=4",
    "limit=2",
    "dev_questions=6",
    "controls=false",
]


def test_the_better_of_two_prompts_answers_eval(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    spec = compose(WORDS)[0]
    task = spec.task()
    m = task.materials
    # `full` with its schema is a thousand tokens a prompt: the two short ones are enough here.
    told = {"full": m.instructions["short"], "short": m.instructions["short"]}
    brief = {"brief": m.variants["brief"]}
    small = {"train": m.train[:8], "dev": m.dev[:12], "instructions": told, "variants": brief}
    fewer = replace(m, **small)  # type: ignore[arg-type]
    job = replace(spec.job(replace(task, materials=fewer)), root=tmp_path, probes=())
    folder = run(job)
    found = folder.manifest()["search"]
    values = {t["name"]: t["value"] for t in found["tried"]}
    assert values.keys() == {"brief", "full", "short"}
    assert values["full"] == values["short"]  # the same text is worth the same
    assert found["chosen"]["value"] == max(values.values()) > 0
    assert found["n"] <= 4
    assert folder.manifest()["dev"]["n"] >= 2
    assert folder.read("metrics.json")["all"]["valid"]["value"] == 1.0
