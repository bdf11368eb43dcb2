"""Many command lines in little time: processes forked from one that has imported everything.

To import torch and the rest takes five seconds of a core, a hundred times over. Here a fork server
(multiprocessing's) imports them once; each command is a fork of it, in a process group of its own,
that runs `python -m harness` as the interpreter would. What differs from a fresh process: imports
are done, so that no moment falls into them. Trials whose moments should fall there start real
processes (`Tiny.harness`).
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from multiprocessing import forkserver
from multiprocessing.context import ForkServerContext
from pathlib import Path

from bench.soak.tiny import LADDER, Tiny

__all__ = ["Forked", "become", "fork", "fork_server"]

PRELOADED = (
    "harness", "torch", "transformers", "peft", "accelerate", "datasets", "evaluate", "faiss",
    "gguf", "sentence_transformers", "llguidance", "pandas", "scipy.stats", "statsmodels.api",
    "sklearn",
    "matplotlib.pyplot", "mlflow", "mlflow.store.tracking.sqlalchemy_store", "alembic", "hydra",
    "transformers.models.llama.modeling_llama", "transformers.trainer", "peft.tuners.lora",
    "harness.run", "harness.experiment", "harness.report.conclude", "harness.report.mlflow",
    "harness.report.figures", "harness.report.pareto_figure", "harness.models.local.load",
    "harness.tuning.adapter", "bench.soak.forks",
)  # fmt: skip


class Forked:
    """One command line that was forked; its output is in `<folder>/tmp/out-<number>`."""

    def __init__(self, process: multiprocessing.process.BaseProcess, output: Path) -> None:
        self.process = process
        self.output = output
        self.pid = int(process.pid or 0)

    def wait(self, timeout: float = 300) -> int:
        """The exit code, -N if signal N killed it. Raises TimeoutError, and kills it then."""
        self.process.join(timeout)
        if self.process.exitcode is None:
            self.kill()
            raise TimeoutError(f"not ended in {timeout:.0f} s; it said: {self.said[-300:]}")
        return self.process.exitcode

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send a signal to the whole process group."""
        try:
            os.killpg(self.pid, number)
        except ProcessLookupError:  # it has ended, or not yet made its group
            self.process.kill()
        if number == signal.SIGKILL:
            self.process.join()

    @property
    def said(self) -> str:
        """All that it wrote to standard output and error."""
        return self.output.read_text(errors="replace") if self.output.exists() else ""


def fork(
    tiny: Tiny,
    words: Sequence[str] = LADDER,
    *,
    env: Mapping[str, str] | None = None,
    before: Callable[[], None] | None = None,
    module: str = "harness",
) -> Forked:
    """Start a command line as `Tiny.harness` does; `before` (a function of a module) runs in it
    first."""
    output = Path(tempfile.mkdtemp(prefix="out-", dir=tiny.folder)) / "said"
    arguments = (tiny, [module, *tiny.typed(words, module)], dict(env or {}), output, before)
    process = fork_server().Process(target=_main, args=arguments, daemon=True)
    process.start()
    return Forked(process, output)


def timed(forked: Forked) -> tuple[int, float]:
    """Exit code and seconds."""
    began = time.perf_counter()
    code = forked.wait()
    return code, time.perf_counter() - began


@lru_cache(maxsize=1)
def fork_server() -> ForkServerContext:
    """That of this process; what libraries read when imported is set before it starts."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(PRELOADED))
    wanted = {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "MPLBACKEND": "agg"}
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    forkserver.ensure_running()
    for name, value in before.items():
        if value is None:
            del os.environ[name]
        else:
            os.environ[name] = value
    return context


def _main(
    tiny: Tiny,
    words: Sequence[str],
    env: Mapping[str, str],
    output: Path,
    before: Callable[[], None] | None,
) -> None:
    """What a fork does: become the command line."""
    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    become(words, tiny.folder, tiny.environment | dict(env), output, output, before)


def become(
    words: Sequence[str],
    folder: Path,
    environment: Mapping[str, str],
    out: Path,
    err: Path,
    before: Callable[[], None] | None = None,
) -> None:
    """Go on as `python -m WORDS` would in a folder, with its output in one file or two."""
    for number, path in ((1, out), (2, err)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND), number)
    sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115 - as the interpreter has them
    sys.stderr = open(2, "w", buffering=1, closefd=False)  # noqa: SIM115
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.path.insert(0, str(folder))
    tempfile.tempdir = None
    if before:
        before()
    module, *sys.argv[1:] = words
    runpy.run_module(module, run_name="__main__", alter_sys=True)
