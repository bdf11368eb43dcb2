"""Progress bars for whatever takes longer than a moment; silent when nobody watches."""

from __future__ import annotations

import io
import sys
import time
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stderr
from contextvars import ContextVar
from functools import lru_cache
from types import TracebackType
from typing import TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    SpinnerColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as RichProgress

from harness.inert import say, visible

__all__ = [
    "Progress",
    "hidden",
    "say_again",
    "say_once",
    "silence_libraries",
    "unless_watched",
    "watched",
]

T = TypeVar("T")

_hidden: ContextVar[bool] = ContextVar("hidden", default=False)


@lru_cache
def say_once(line: str) -> None:
    """A line on standard error; the rungs of a sweep would all say the same."""
    say(line)


def say_again() -> None:
    """Forget what was said: the next sweep may say it once more."""
    say_once.cache_clear()


@contextmanager
def hidden(wanted: bool = True) -> Iterator[None]:
    """Draw no bars meanwhile, if that is wanted."""
    before = _hidden.set(wanted)
    try:
        yield
    finally:
        _hidden.reset(before)


def silence_libraries() -> None:
    """Other libraries' bars and notices would garble ours and fill logs; errors still come."""
    import datasets
    import huggingface_hub.utils
    import transformers

    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()
    datasets.disable_progress_bars()
    warnings.filterwarnings("ignore", category=FutureWarning, module="transformers")
    # PEFT takes the ranks that AdaLoRA has allocated for LoRA's, and a layer left without any for
    # broken.
    for notice in ("The following rank_pattern keys", r"Adapter '\w+': \d+ LoRA tensor"):
        warnings.filterwarnings("ignore", message=notice)
    if sys.stderr.isatty():  # gigabytes on their way should be seen
        huggingface_hub.utils.enable_progress_bars()


def watched(
    items: Iterable[T], what: str, total: int | None = None, unit: str = "line"
) -> Iterator[T]:
    """The same items behind a progress bar, which moves once for a thousand of them."""
    with Progress(what, total, unit) as progress:
        for count, item in enumerate(items, start=1):
            yield item
            if count % 1000 == 0:
                progress.advance(1000)


@contextmanager
def unless_watched() -> Iterator[None]:
    """For a library that draws its bar whatever it is told: not into a log."""
    if sys.stderr.isatty():
        yield
    else:
        with redirect_stderr(io.StringIO()):
            yield


class Progress:
    """One bar: `with Progress("answering", total, unit="question") as p: p.advance()`.

    Without a total it is a spinner. Nothing is drawn if standard error is not a terminal.
    """

    def __init__(self, what: str, total: int | None = None, unit: str = "item") -> None:
        console = Console(stderr=True)
        self.unit = unit
        self.notes: dict[str, str] = {}
        self.began = time.perf_counter()
        self.done = 0
        self.counted = 0
        columns = [SpinnerColumn(), TextColumn("{task.description}", markup=False), BarColumn()]
        if total is not None or unit != "item":
            columns.append(MofNCompleteColumn())
        self.bar = RichProgress(
            *columns,
            TextColumn("{task.fields[notes]}", markup=False),
            TimeRemainingColumn(compact=True),
            console=console,
            disable=not console.is_terminal or _hidden.get(),
            transient=True,
        )
        self.task = self.bar.add_task(visible(what), total=total, notes="")

    def __enter__(self) -> Progress:
        self.bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.bar.stop()

    def advance(self, count: int = 1) -> None:
        """Count items that are done, and show how many a second."""
        self.update(self.done + count)
        self.counted += count  # what an earlier run had done took no time now
        rate = self.counted / max(1e-9, time.perf_counter() - self.began)
        self.note(f"{self.unit}s/s", f"{rate:.1f}")

    def update(self, done: int, total: int | None = None) -> None:
        """Set the count, and the total once it is known."""
        self.done = done
        if total is not None:
            self.bar.update(self.task, total=total)
        self.bar.update(self.task, completed=done)

    def note(self, name: str, value: str) -> None:
        """Show a value behind the bar, for instance the loss."""
        self.notes[name] = value
        text = "  ".join(f"{k} {v}" for k, v in self.notes.items())
        self.bar.update(self.task, notes=visible(text))
