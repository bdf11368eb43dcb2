"""The whole ladder: `python -m harness` against the ladder of an afternoon (bench/afternoon.py).

    python -m bench sweep --limit 12

Both start as processes of their own and begin at nothing: imports, weights, index, training,
answers, scores. Training takes EPOCHS of the 400 examples and looks at dev once, in both; an
eval set of a few questions is what is measured, not scaled up to the whole one.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path

from bench.experiment import experiment
from bench.table import Row
from harness.home import HOME

__all__ = ["rows"]

TASK = "support_json"
RUNGS = ("prompt", "few_shot", "rag", "lora")
EPOCHS = 0.2
SAME_WORK = (
    f"--config-dir={Path(__file__).with_name('conf')}",
    "rung=prompt,fixed_shots,bare_rag,lora",
    "dev_questions=0",
    "controls=false",
    "decoding=free",
    "task.max_new_tokens=76",
)
"""Without what harness does beyond the afternoon's ladder."""
AIM = 8.0


def rows(arguments: Namespace) -> Iterator[Row]:
    """One line: both ladders, and on how many questions they say the same."""
    asked = experiment([f"+task={TASK}", *arguments.overrides])  # fetches the weights, once
    what = f"{TASK}, {len(RUNGS)} rungs, {arguments.limit} questions, {EPOCHS:g} epochs"
    other = "lm-eval + TRL + FAISS, float32 (bench/afternoon.py)"
    with tempfile.TemporaryDirectory() as name:
        ours, theirs = Path(name) / "harness", Path(name) / "afternoon"
        theirs.mkdir()
        limit = str(arguments.limit)
        mine = _seconds(
            *("harness", f"+task={TASK}", f"limit={limit}", "force=true", "tracking=none"),
            *(f"results={ours}", f"training.epochs={EPOCHS}", *SAME_WORK, *arguments.overrides),
        )
        words = (
            *("bench.afternoon", "--data", HOME / "tasks" / TASK, "--out", theirs),
            *("--model", asked.model.folder, "--embedder", asked.embedder.weights.resolve()),
            *("--limit", limit, "--epochs", EPOCHS),
        )
        try:
            its = _seconds(*map(str, words))
        except subprocess.CalledProcessError as error:
            last = (error.stderr or "").strip().splitlines()[-1:]
            yield Row(what, "s", mine, other, None, AIM, f"not run: {' '.join(last)}")
            return
        yield Row(what, "s", mine, other, its, AIM, _same(ours / TASK, theirs))


def _seconds(*words: str) -> float:
    """Wall time of `python -m ...` in the checkout's root; what it prints is kept for errors."""
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", *words], cwd=HOME, check=True, capture_output=True, text=True
    )
    return time.perf_counter() - began


def _same(ours: Path, theirs: Path) -> str:
    """By rung, how many answers are the same; the adapters of lora are not the same weights."""
    found = []
    for rung in RUNGS:
        mine = _texts(next(ours.glob(f"{rung}/*/predictions.jsonl")))
        its = _texts(theirs / f"{rung}.jsonl")
        found.append(f"{rung} {sum(mine[i] == its[i] for i in its)}/{len(its)}")
    return "same text: " + ", ".join(found)


def _texts(path: Path) -> dict[str, str]:
    rows = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    return {row["id"]: row["text"] for row in rows}
