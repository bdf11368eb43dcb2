"""Results that were cut, swapped, edited or written by others, read again and gone on with."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.evidence.cost import Prices
from harness.record.declaration import declaration_path, declare
from harness.record.doubted import keep_doubted
from harness.record.ledger import record
from harness.record.prices import write_prices
from harness.report.__main__ import main as report
from harness.task import Example
from tests.conftest import example
from tests.generated import edge as edges
from tests.generated.conftest import Edge, make_user
from tests.generated.damage import Damage, copied, cut, flipped, other_value, whole
from tests.generated.edge import generated, snapshot, tried
from tests.record.conftest import ANSWERS, TRAINING, complete_run, sha256

OF_RUN = (
    "metrics.json", "manifest.json", "predictions.jsonl", "scores.jsonl", "complete.json",
    "config.yaml", "system.json", "training.json",
)  # fmt: skip
OF_TASK = ("ledger", "declared", "eval", "prices", "doubted")
WRITTEN = ("findings-", "contrasts-", "ladder-", "report-", "diagnosis-")
"""What a report may write, and nothing else."""


@pytest.fixture(scope="module", autouse=True)
def _without_charts() -> Iterator[None]:
    """Pages are written without their charts: drawing takes longer than all the rest."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("harness.report.page._svg", lambda figure: "")
        yield


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two untuned runs, a tuned one of two seeds, and all that stands beside them."""
    root = tmp_path_factory.mktemp("template") / "results"
    runs = [complete_run(root, "prompt"), complete_run(root, "rag")]
    runs += [complete_run(root, "lora", training=TRAINING, seed=seed) for seed in (0, 1)]
    task = runs[0].path.parents[1]
    for run in runs:
        record(task, run.manifest())
    declared = {"against": ["prompt"], "best_untuned": True, "pairs": [], "margin": None}
    declare(declaration_path(task, sha256("eval")), declared, after=0)
    examples = [Example(i, f"ticket {i}", "red", i, (), {"odd": "no"}, "") for i in ANSWERS]
    runs[0].keep_eval(sha256("eval"), examples)
    write_prices(task, Prices(0.1, 0.2, 1.0, None, "USD"))
    keep_doubted(task, sha256("eval"), {"eval-0": "odd"})
    return root


def vouch(run: Path) -> None:
    """Let complete.json say that the files are as they were written: what is wrong in them is to
    be found without it."""
    mark = run / "complete.json"
    sums = {
        p.relative_to(run).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in run.rglob("*")
        if p.is_file() and p != mark
    }
    mark.write_text(json.dumps({"sha256": sums}))


anything = st.one_of(whole, cut(), flipped(), other_value(), other_value(), other_value())


@generated(50)
@given(
    rung=st.sampled_from(["prompt", "lora"]),
    name=st.sampled_from([*OF_RUN, *OF_RUN, *OF_TASK]),
    damage=anything,
    vouched=st.booleans(),
    part=st.booleans(),
)
def test_report(
    results: Path, rung: str, name: str, damage: Damage, vouched: bool, part: bool
) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        root = copied(results, Path(scratch) / "results")
        run = sorted((root / "tickets" / rung).iterdir())[0]
        found = sorted((root / "tickets").glob(f"{name}*")) if name in OF_TASK else [run / name]
        if not found[0].exists():
            found = [run / "metrics.json"]
        spoil(damage, found[0])
        if vouched and name not in OF_TASK and name != "complete.json":
            vouch(run)
        before = snapshot(root)
        where = root / "tickets" / rung if part else root / "tickets"
        edges.judge(tried(lambda: report([str(where), "--json"])), (rung, name, damage, vouched))
        after = snapshot(root)
        new = {k for k in after if after[k] != before.get(k)} | {*before} - {*after}
        assert all(k.startswith(tuple(f"tickets/{w}" for w in WRITTEN)) for k in new), new
        assert [p.name for p in Path(scratch).iterdir()] == ["results"]


def spoil(damage: Damage, path: Path) -> None:
    """What cannot be read as JSON cannot have another value."""
    try:
        damage.do(path)
    except (json.JSONDecodeError, UnicodeEncodeError):
        path.write_text("{}")


@generated(15)
@given(
    names=st.lists(st.sampled_from(OF_RUN), min_size=2, max_size=2, unique=True), same=st.booleans()
)
def test_swapped_files(results: Path, names: list[str], same: bool) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        root = copied(results, Path(scratch) / "results")
        first, second = (sorted((root / "tickets" / r).iterdir())[0] for r in ("lora", "prompt"))
        if same:  # a file of another run in the place of this one's
            if not (second / names[0]).exists():
                return
            shutil.copy(second / names[0], first / names[0])
        else:  # one file in the place of another
            shutil.copy(first / names[0], first / names[1])
        if names[1] != "complete.json" and not same:
            vouch(first)
        edges.judge(tried(lambda: report([str(root / "tickets"), "--json"])), (names, same))


@pytest.fixture(scope="module")
def answered(edge: Edge, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's folder with a run of answers that were made elsewhere: it needs no model."""
    home = tmp_path_factory.mktemp("answered") / "home"
    make_user(home)
    lines = [json.dumps({"id": f"eval-{i}", "text": "{}"}) + "\n" for i in range(8)]
    (home / "answers.jsonl").write_text("".join(lines))
    outcome = edge.run_unchanged(home, *EXTERNAL)
    assert outcome.code == 0, outcome.said
    return home


EXTERNAL = ("rung=external", "rung.predictions=answers.jsonl")


@generated(20)
@given(
    name=st.sampled_from(
        ["predictions.jsonl", "predictions.jsonl", "clock.json", "config.yaml", "complete.json",
         "manifest.json", "declared", "ledger", "eval", "answers.jsonl"]
    ),
    damage=anything,
    complete=st.booleans(),
)  # fmt: skip
def test_resuming(edge: Edge, answered: Path, name: str, damage: Damage, complete: bool) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        home = copied(answered, Path(scratch) / "home")
        task = home / "results" / "mine"
        (run,) = (p for p in (task / "external_answers").iterdir() if p.is_dir())
        if not complete:
            (run / "complete.json").unlink()
        (run / "clock.json").write_text('{"phases": {"fit": 1.0}, "total": 2.0}')
        found = [home / name, run / name, *sorted(task.glob(f"{name}-*"))]
        spoil(damage, next((p for p in found if p.exists()), run / "predictions.jsonl"))
        outcome = edge.run_unchanged(home, *EXTERNAL)
        edges.judge(outcome, (name, damage, complete))
        assert [p.name for p in Path(scratch).iterdir()] == ["home"]
        if outcome.code == 0:
            ids = [json.loads(line)["id"] for line in (run / "predictions.jsonl").open()]
            assert sorted(ids) == sorted(str(example("eval", i)["id"]) for i in range(8))
