"""What tells runs of one ladder apart in tables."""

from __future__ import annotations

from pathlib import Path

from harness.analysis.labels import shared_words
from harness.analysis.runs import read_ladder
from harness.record.results import find_runs
from tests.analysis.conftest import labels
from tests.record.conftest import complete_run


def test_a_rung_that_ran_once_has_only_its_name(tmp_path: Path) -> None:
    complete_run(tmp_path, "prompt", seed=None)
    complete_run(tmp_path, "lora", seed=3)
    assert labels(tmp_path) == ["prompt", "lora"]


def test_overrides_tell_runs_of_a_rung_apart(tmp_path: Path) -> None:
    complete_run(tmp_path, "rag", variant="rung.retrieval.k=5")
    complete_run(tmp_path, "rag")
    assert labels(tmp_path) == ["rag", "rag rung.retrieval.k=5"]


def test_overrides_that_all_runs_share_stand_in_no_name(tmp_path: Path) -> None:
    every = "training.epochs=1 task.question=Ticket: {input}"
    complete_run(tmp_path, "prompt", variant=every)
    for own in ("decoding=free", "decoding=constrained", "rung.retrieval.k=5"):
        complete_run(tmp_path, "rag", variant=f"{every} {own}", decoding=own.partition("=")[2])
    found = read_ladder(find_runs(tmp_path))
    labels = [run.label for run in found.runs]
    assert labels == ["prompt", "rag", "rag decoding=free", "rag rung.retrieval.k=5"]
    shared = shared_words([run.manifest for run in found.runs])
    assert shared == ["training.epochs=1", "task.question=Ticket: {input}"]


def test_where_all_runs_are_decoded_freely_no_name_says_so(tmp_path: Path) -> None:
    """A task without a grammar is, whether that was typed or not."""
    complete_run(tmp_path, "prompt", variant="decoding=free", decoding="free")
    complete_run(tmp_path, "rag", decoding="free")
    assert labels(tmp_path) == ["prompt", "rag"]
    complete_run(tmp_path, "lora", decoding="constrained")
    assert labels(tmp_path) == ["prompt decoding=free", "rag", "lora"]


def test_what_no_model_answered_was_not_decoded(tmp_path: Path) -> None:
    complete_run(tmp_path, "prompt", variant="decoding=free")
    complete_run(tmp_path, "rag", variant="decoding=constrained", decoding="constrained")
    constant = {"kind": "majority", "of": None}
    complete_run(tmp_path, "majority", variant="decoding=free", control=constant)
    assert sorted(labels(tmp_path)) == ["majority", "prompt decoding=free", "rag"]


def test_seeds_tell_runs_apart_where_they_matter(tmp_path: Path) -> None:
    complete_run(tmp_path, "prompt", seed=None)
    complete_run(tmp_path, "lora", seed=1)
    complete_run(tmp_path, "lora", seed=0)
    assert labels(tmp_path) == ["prompt", "lora seed=0", "lora seed=1"]


def test_models_tell_runs_apart_and_each_has_its_own_ladder(tmp_path: Path) -> None:
    for model in ("small", "large"):
        for rung in ("lora", "prompt"):
            complete_run(tmp_path, rung, model=model)
    assert labels(tmp_path) == ["prompt large", "lora large", "prompt small", "lora small"]


def test_runs_that_nothing_else_tells_apart_carry_their_folders_hash(tmp_path: Path) -> None:
    """The same command before and after train.jsonl was edited, or the weights were replaced."""
    first = complete_run(tmp_path, "few_shot", weights="1" * 64)
    second = complete_run(tmp_path, "few_shot", weights="2" * 64)
    complete_run(tmp_path, "prompt")
    hashed = sorted(f"few_shot {run.path.name[:6]}" for run in (first, second))
    assert labels(tmp_path) == ["prompt", *hashed]
