"""A busy neighbour: what answering and training lose beside it, by how long threads spin.

    python -m bench.neighbour --questions 32 --steps 4 --spins 1000 300000

The few_shot requests of support_json, and training steps of lora, each in a fresh process; alone,
and beside one process that only counts. 300,000 is what libgomp does by itself; the first number
is what the others are compared with.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from itertools import product
from pathlib import Path

import harness.waiting
from bench.table import Row, show

__all__ = ["main"]

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    """Measure each way once and print the table, or, as its child, one rate."""
    parser = argparse.ArgumentParser(prog="python -m bench.neighbour", description=__doc__)
    parser.add_argument("--questions", type=int, default=32, help="to answer; 32")
    parser.add_argument("--steps", type=int, default=4, help="of training; 4")
    usual = [int(harness.waiting.SPINS), 300_000]
    parser.add_argument("--spins", type=int, nargs="+", default=usual, help="1000 300000")
    parser.add_argument("--child", choices=("answering", "training"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child == "answering":
        print(_answering(given.questions))
    elif given.child == "training":
        print(_training(given.steps))
    else:
        show(_rows(given))


def _rows(given: argparse.Namespace) -> Iterator[Row]:
    for child, beside in product(("answering", "training"), (False, True)):
        size = (
            ("--questions", given.questions) if child == "answering" else ("--steps", given.steps)
        )
        rates: list[float] = []
        for spins in given.spins:
            with _busy() if beside else nullcontext():
                rates.append(_run(child, size, spins))
        unit = "questions/s" if child == "answering" else "tokens/s"
        what = f"{child}, {'beside a busy process' if beside else 'alone'}, {given.spins[0]} spins"
        for spins, rate in zip(given.spins[1:], rates[1:], strict=True):
            row = Row(what, unit, rates[0], f"{spins} spins", rate)
            print(" | ".join(row.cells()), file=sys.stderr, flush=True)
            yield row


def _run(child: str, size: tuple[str, int], spins: int) -> float:
    words = [sys.executable, "-m", "bench.neighbour", "--child", child, *map(str, size)]
    environment = os.environ | {"GOMP_SPINCOUNT": str(spins)}
    done = subprocess.run(words, env=environment, cwd=ROOT, stdout=subprocess.PIPE, check=True)
    return float(done.stdout.split()[-1])


@contextmanager
def _busy() -> Iterator[None]:
    counting = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        counting.kill()
        counting.wait()


def _answering(questions: int) -> float:
    """Questions per second."""
    from bench.experiment import experiment
    from harness.models.local.allocator import keep_freed_memory

    keep_freed_memory()
    asked = experiment(["+task=support_json", "rung=few_shot"])
    predictor, task = asked.predictor(), asked.task.limited(questions)
    list(predictor(task.questions[:2]))  # nobody pays for what is only set up once
    began = time.perf_counter()
    list(predictor(task.questions))
    return questions / (time.perf_counter() - began)


def _training(steps: int) -> float:
    """Tokens per second, in bfloat16."""
    from bench.experiment import experiment
    from bench.training import Job
    from harness.models.local.allocator import keep_freed_memory

    keep_freed_memory()
    return Job.of(experiment(["+task=support_json", "rung=lora"]), steps).harness("bfloat16").rate


if __name__ == "__main__":
    main()
