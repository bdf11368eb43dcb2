"""Are the tests and intervals what they say they are? `python -m harness.evidence.simulate`.

Draws eval sets whose truth is known and runs the very functions that a report runs. Under no
difference a test at 5% must reject 5% of the time, a 95% interval must cover the truth 95% of the
time, and a true difference of the size that is called detectable must be found 80% of the time.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table

from harness.evidence.contrasts import Contrast, compare
from harness.evidence.statistics import mean_interval

__all__ = ["Rates", "Setting", "main", "rates"]

Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Setting:
    """A kind of eval set."""

    name: str
    questions: int
    group: int
    """Questions that share a scenario."""
    graded: bool
    """Values of any size; otherwise right or wrong."""


SETTINGS = (
    Setting("right or wrong, 300 questions", 300, 1, graded=False),
    Setting("graded, 300 questions", 300, 1, graded=True),
    Setting("graded, 300 questions in 100 scenarios", 300, 3, graded=True),
)


def contrast(setting: Setting, shift: float, seed: int) -> Contrast:
    """Compare two rungs on one eval set; the first is better by `shift` on every question.

    Questions differ in difficulty, which both rungs share; each rung does better on some scenarios
    and on some questions than on others, by chance.
    """
    rng = np.random.default_rng(seed)
    n = setting.questions
    scenario = np.arange(n) // setting.group
    difficulty = rng.normal(0.0, 0.2, n)

    def rung() -> Values:
        luck = rng.normal(0.0, 0.1, scenario[-1] + 1)[scenario] + rng.normal(0.0, 0.2, n)
        values: Values = difficulty + luck
        return values

    a, b = rung() + shift, rung()
    if not setting.graded:
        a, b = (a > 0.0).astype(float), (b > 0.0).astype(float)
    ids = [f"{i:05d}" for i in range(n)]
    ours, theirs = (dict(zip(ids, values.tolist(), strict=True)) for values in (a, b))
    groups = dict(zip(ids, map(str, scenario), strict=True))
    return compare("a", "b", "value", [ours], [theirs], groups, seed=seed)


@dataclass(frozen=True)
class Rates:
    """Shares of the drawn eval sets."""

    rejected: float
    """Under no difference, at 5%."""
    covered: float
    """By the 95% interval of the difference."""
    power: float | None
    """At the difference that was called detectable."""


def rates(setting: Setting, draws: int, spread: Callable[..., Iterator[Contrast]] = map) -> Rates:
    """How often things happen over `draws` eval sets."""
    null = list(spread(partial(contrast, setting, 0.0), range(draws)))
    detectable = float(np.mean([c.detectable for c in null]))
    covered = [c.delta.low is None or c.delta.low <= 0.0 <= (c.delta.high or 0.0) for c in null]
    power = None
    if setting.graded:  # only there is the true difference the shift
        found = spread(partial(contrast, setting, detectable), range(draws, 2 * draws))
        power = float(np.mean([c.p < 0.05 for c in found]))
    return Rates(float(np.mean([c.p < 0.05 for c in null])), float(np.mean(covered)), power)


def mean_coverage(draw: Callable[[np.random.Generator], Values], truth: float, draws: int) -> float:
    """How often the interval of a single rung's mean covers the truth."""
    covered = 0
    for seed in range(draws):
        interval = mean_interval(draw(np.random.default_rng(seed)).tolist(), seed)
        low, high = interval.low, interval.high
        covered += low is not None and high is not None and low <= truth <= high
    return covered / draws


def main(arguments: list[str] | None = None) -> int:
    """Print one line per kind of eval set."""
    parser = argparse.ArgumentParser(
        prog="python -m harness.evidence.simulate", description=(__doc__ or "").split("\n\n")[0]
    )
    parser.add_argument("--draws", type=int, default=4000, help="eval sets of each kind")
    options = parser.parse_args(arguments)
    table = Table(title=f"{options.draws} eval sets of each kind; nominal 5%, 95%, 80%")
    for heading in ("eval set", "rejected under no difference", "covered", "power"):
        table.add_column(heading, justify="left" if heading == "eval set" else "right")
    with ProcessPoolExecutor() as pool:
        spread = partial(pool.map, chunksize=50)
        for setting in SETTINGS:
            r = rates(setting, options.draws, spread)
            power = "" if r.power is None else f"{r.power:.1%}"
            table.add_row(setting.name, f"{r.rejected:.1%}", f"{r.covered:.1%}", power)
    single = {
        "mean of right or wrong, 100 questions": (lambda g: (g.random(100) < 0.3) * 1.0, 0.3),
        "mean of graded values, 100 questions": (lambda g: g.beta(2, 5, 100), 2 / 7),
    }
    for name, (draw, truth) in single.items():
        table.add_row(name, "", f"{mean_coverage(draw, truth, options.draws):.1%}", "")
    Console().print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
