"""Trials of what is promised under faults: `python -m bench.soak [TRIAL ...] [--seed N] [--quick]`.

Each trial runs `harness` on a tiny model in a folder of its own, on a CPU and without a network.
Exit code 1 if a promise was not held; the folder then stays, and is named.
"""

from __future__ import annotations

import argparse
import importlib
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bench.soak.trial import Outcome, Place

__all__ = ["main", "rows", "run"]

TRIALS = (
    "kill",
    "cut",
    "disk",
    "signals",
    "together",
    "tracking",
    "memory",
    "surroundings",
    "scale",
    "long",
)
"""In the order in which they run, but for SIDE_BY_SIDE."""
SIDE_BY_SIDE = ("long", "tracking", "memory", "surroundings")
"""Of one process each; tracking mostly waits."""


def parse(words: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description=__doc__)
    parser.add_argument("trials", nargs="*", metavar="TRIAL", help=", ".join(TRIALS))
    parser.add_argument("--seed", type=int, default=0, help="of moments, offsets and levels")
    parser.add_argument("--quick", action="store_true", help="a few cases of each")
    parser.add_argument("--markdown", action="store_true", help="rows for docs/reliability.md")
    given = parser.parse_args(words)
    unknown = [name for name in given.trials if name not in TRIALS]
    if unknown:
        parser.error(f"{unknown[0]}: is not one of {', '.join(TRIALS)}")
    return given


def run(name: str, place: Place) -> list[Outcome]:
    """The outcomes of one trial; one that breaks has not been held."""
    module = importlib.import_module(f"bench.soak.{name}")
    place.folder.mkdir(parents=True)
    try:
        outcomes: list[Outcome] = module.run(place)
    except Exception as error:  # noqa: BLE001 - the other trials still run
        line = f"seed {place.seed}: {type(error).__name__}: {error}"
        return [Outcome(module.PROMISE, name, 1, 0, "the trial itself broke", (line,))]
    return outcomes


def rows(name: str, outcomes: Sequence[Outcome], words: str) -> Iterator[tuple[str, ...]]:
    """Cells of the table: promise, trial, held, figure, command."""
    for one in outcomes:
        held = f"{one.held} of {one.tried}"
        yield one.promise, one.trial, held, one.figure, f"python -m bench.soak {name}{words}"


def main(words: Sequence[str] | None = None) -> int:
    """Run the trials; print each outcome as it comes, the table at the end."""
    given = parse(words)
    folder = Path(tempfile.mkdtemp(prefix="soak-"))
    options = f" --seed {given.seed}" * (given.seed != 0) + " --quick" * given.quick
    table: list[tuple[str, ...]] = []
    kept = True
    for names in _groups(given.trials or TRIALS):
        places = [Place(folder / name, given.seed, given.quick) for name in names]
        with ThreadPoolExecutor(len(names)) as pool:
            done = list(pool.map(_told, names, places))
        for name, outcomes in zip(names, done, strict=True):
            table += rows(name, outcomes, options)
            kept &= all(one.kept for one in outcomes) and bool(outcomes)
    _show(table, markdown=given.markdown)
    if kept:
        shutil.rmtree(folder, ignore_errors=True)
        return 0
    print(f"what the trials left is in {folder}", file=sys.stderr)
    return 1


def _groups(names: Sequence[str]) -> list[list[str]]:
    """What runs at a time, one group after the other."""
    together = [name for name in names if name in SIDE_BY_SIDE]
    apart = [[name] for name in names if name not in SIDE_BY_SIDE]
    return [*apart, together] if together else apart


def _told(name: str, place: Place) -> list[Outcome]:
    """Run a trial and print its outcomes."""
    print(f"{name}: begins", file=sys.stderr, flush=True)
    began = time.perf_counter()
    outcomes = run(name, place)
    lines = [f"{name}: {time.perf_counter() - began:.0f} s"]
    for one in outcomes:
        lines.append(f"  {one.trial}: {one.held} of {one.tried}; {one.figure}")
        lines += [f"    not held: {failure}" for failure in one.failures]
    print("\n".join(lines), file=sys.stderr, flush=True)
    return outcomes


def _show(table: Sequence[tuple[str, ...]], *, markdown: bool) -> None:
    if markdown:
        for promise, trial, held, figure, command in table:
            print(f"| {promise} | {trial} | {held}; {figure} | `{command}` |")
        return
    shown = Table("promise", "trial", "held", "figure", "command")
    for cells in table:
        shown.add_row(*map(escape, cells))
    console = Console()
    Console(width=console.width if console.is_terminal else 180).print(shown)


if __name__ == "__main__":
    sys.exit(main())
