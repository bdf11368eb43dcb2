"""Generated tasks: they load, they are sealed (but for the one that must not be), and stay the same."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from harness.diagnose.tasks import KNOWN, Known
from harness.errors import LeakError
from harness.evidence.isolation import Isolation
from harness.experiment import compose
from harness.task import Task

IDS = [known.name for known in KNOWN]
SEALED = Isolation(near_duplicate=0.6, contained=0.9, leaks="stop")


def made(known: Known, root: Path, seed: int = 0) -> Task:
    known.make(random.Random(f"{known.name} {seed}")).write(known.name, root)
    words = [f"+task={known.name}", "rung=prompt"]
    (spec,) = compose(words, config_dirs=[root / "conf"])
    return spec.task()


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("known", KNOWN, ids=IDS)
def test_a_task_loads_and_is_sealed_unless_it_is_the_one_that_leaks(
    known: Known, seed: int, tmp_path: Path
) -> None:
    task = made(known, tmp_path, seed)
    assert len(task.eval) >= 100
    if known.leaks:
        with pytest.raises(LeakError, match=r"eval\.jsonl:\d+ and .*train\.jsonl:\d+"):
            SEALED.certify(task)
    else:
        assert SEALED.certify(task)[1].decision == "sealed"


@pytest.mark.parametrize("known", KNOWN, ids=IDS)
def test_the_same_seed_is_the_same_task(known: Known, tmp_path: Path) -> None:
    first, again = made(known, tmp_path / "a"), made(known, tmp_path / "b")
    assert first.fingerprints() == again.fingerprints()
    assert made(known, tmp_path / "c", seed=1).fingerprints() != first.fingerprints()


def test_only_the_corpus_knows_the_people_that_eval_asks_about(tmp_path: Path) -> None:
    task = made(next(k for k in KNOWN if k.name == "knowledge_only"), tmp_path)
    seen = {e.input for e in task.materials.train}
    passages = {p.id: p.text for p in task.materials.corpus}
    for example in task.eval:
        assert example.input not in seen
        (source,) = example.gold_passages
        assert example.target in passages[source]
        assert example.input in passages[source]


def test_the_habit_of_the_house_is_the_same_in_all_splits(tmp_path: Path) -> None:
    task = made(next(k for k in KNOWN if k.name == "behaviour_only"), tmp_path)
    desks: dict[str, set[str]] = {}
    for example in (*task.materials.train, *task.eval):
        desks.setdefault(example.input.split()[-1], set()).add(example.target)
    assert all(len(of) == 1 for of in desks.values())
    assert set(desks) == {e.input.split()[-1] for e in task.materials.train}
