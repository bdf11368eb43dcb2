"""`python -m harness.diagnose`: is the advice true where the truth is known?

Generates seven small tasks, runs them on the default model, and prints truth against advice. What
is finished is not run again.
"""

from __future__ import annotations

from harness.command import command, listen

if __name__ == "__main__":
    listen()  # before what follows, which takes a while

import argparse
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.analysis.findings import Findings
from harness.diagnose.tasks import KNOWN, Known
from harness.errors import ConfigError, HarnessError, LeakError
from harness.experiment import compare
from harness.home import CONF
from harness.inert import say, visible
from harness.report.advice import advice

__all__ = ["MARGIN", "Graded", "grade", "main"]

MARGIN = 0.1
"""Differences that do not matter here: a hundred questions cannot show smaller ones."""


@dataclass(frozen=True)
class Graded:
    """What was advised on one task."""

    known: Known
    advice: str
    right: bool | None
    """None where it could not be asked."""
    seconds: float = 0.0


def grade(known: Known, found: Findings, refused: bool = False) -> Graded:
    """Hold the advice of a ladder against the truth; `refused` says that leaks were."""
    told = found.recommendation
    if told is None:
        return Graded(known, "none", False)
    names = {rung.key: rung.manifest["rung"] for rung in found.rungs}
    rung = names.get(told.rung or "", told.rung)
    right = (
        told.outcome in known.outcomes
        and (not known.advised or rung in known.advised)
        and (not known.kinds or told.kind.name in known.kinds)
        and (refused or not known.leaks)
    )
    words = [told.outcome, *([str(rung)] if rung else []), f"({told.kind.name})"]
    before = "refused; forced: " if refused else ""
    return Graded(known, before + " ".join(words), right)


def main(arguments: list[str] | None = None) -> int:
    """Run and print; returns the exit code, 2 for what the user can fix."""
    parser = argparse.ArgumentParser(
        prog="python -m harness.diagnose", description=(__doc__ or "").split("\n\n")[1]
    )
    parser.add_argument("--folder", default="results/diagnose", help="of tasks and their results")
    parser.add_argument("--seed", type=int, default=0, help="from which tasks are generated")
    parser.add_argument("--only", nargs="+", default=[], metavar="TASK", help="these tasks alone")
    parser.add_argument("--set", nargs="+", default=[], metavar="NAME=VALUE", help="other settings")
    options = parser.parse_args(arguments)
    try:
        wanted = _wanted(options.only)
        root = Path(options.folder).resolve() / f"seed-{options.seed}"
        graded = list(_graded(wanted, root, options.seed, options.set))
    except HarnessError as error:
        say(f"error: {error}")
        return 2
    Console().print(_table(graded))
    return 0


def _wanted(only: Sequence[str]) -> list[Known]:
    """Raises ConfigError for a name that no task has."""
    names = [known.name for known in KNOWN]
    for name in only:
        if name not in names:
            raise ConfigError(f"--only {name}: is no task; there are {', '.join(names)}")
    return [known for known in KNOWN if not only or known.name in only]


def _graded(
    wanted: Sequence[Known], root: Path, seed: int, words: Sequence[str]
) -> Iterator[Graded]:
    settings: dict[str, Any] = {"contrasts.margin": MARGIN, "tracking": "none"}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals:
            raise ConfigError(f"--set {word}: must be NAME=VALUE")
        settings[name] = _plain(value)
    for known in wanted:
        known.make(random.Random(f"{known.name} {seed}")).write(known.name, root)
        if known.needs and not (CONF / "rung" / f"{known.needs}.yaml").exists():
            yield Graded(known, f"skipped: no {known.needs} rung", None)
            continue
        say("")
        say(f"{known.name}: {known.truth}")
        began = time.perf_counter()
        one = _run(known, root, settings)
        yield Graded(known, one.advice, one.right, time.perf_counter() - began)


def _run(known: Known, root: Path, settings: dict[str, Any]) -> Graded:
    def run(**more: Any) -> Findings:
        return compare(
            known.name,
            rungs=known.rungs,
            results=root / "results",
            config_dirs=[root / "conf"],
            **settings,
            **more,
        )

    refused = False
    if known.leaks:
        try:
            run()
        except LeakError as error:
            say(f"refused: {error}")
            refused = True
    found = run(**({"isolation.leaks": "allow"} if known.leaks else {}))
    for sentence in advice(found):
        say(sentence)
    return grade(known, found, refused)


def _plain(value: str) -> Any:
    import yaml

    return yaml.safe_load(value)


def _table(graded: Sequence[Graded]) -> Table:
    asked = [one for one in graded if one.right is not None]
    right = sum(bool(one.right) for one in asked)
    table = Table(title=f"truth against advice: {right} of {len(asked)} right")
    for heading in ("task", "truth", "advice", "right", "minutes"):
        table.add_column(heading, justify="right" if heading == "minutes" else "left")
    for one in graded:
        minutes = f"{one.seconds / 60:.1f}" if one.seconds else ""
        mark = {True: "✓", False: "✗", None: ""}[one.right]
        cells = (one.known.name, one.known.truth, one.advice, mark, minutes)
        table.add_row(*(Text(visible(cell)) for cell in cells))
    return table


if __name__ == "__main__":
    command(main)
