"""Are the tests and intervals what they say they are? `python -m harness.evidence.simulate`.

Draws eval sets and seeds whose truth is known and runs the very functions that a report runs.
Under no difference a test at 5% must reject 5% of the time, a 95% interval must cover the truth 95%
of the time, and a true difference of the size that is called detectable must be found 80% of the
time.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from harness.evidence.contrasts import Contrast, Side, compare
from harness.evidence.statistics import Interval, Values, mean_over_seeds

__all__ = ["MEANS", "SETTINGS", "Rates", "Setting", "coverage", "main", "rates"]

Spread = Callable[..., Iterator[Any]]

DIFFICULTY, SCENARIO, QUESTION, ANSWER = 0.2, 0.1, 0.2, 0.2
"""Standard deviations: of what the rungs share; of a rung's luck with a scenario, with a question;
and, if it is random, of each answer."""


@dataclass(frozen=True)
class Setting:
    """A kind of eval set, and of rungs that answer it."""

    name: str
    questions: int
    group: int
    """Questions that share a scenario."""
    graded: bool
    """Values of any size; otherwise right or wrong."""
    seeds: tuple[int | None, int | None] = (None, None)
    """Of the rung and of its baseline; None for one without randomness."""
    noise: float = 1.0
    """How far a seed shifts the mean of its rung, in standard errors due to the questions."""

    @property
    def scenario(self) -> list[str]:
        return [f"{i // self.group:05d}" for i in range(self.questions)]

    @property
    def shift(self) -> float:
        """Standard deviation of a seed's shift."""
        luck = self.group * SCENARIO**2 + QUESTION**2
        return float(self.noise * (2 * luck / self.questions) ** 0.5)

    def answers(self, rng: np.random.Generator, difficulty: Values, seeds: int | None) -> Values:
        """[seeds, questions]: normal, around 0."""
        n = self.questions
        scenario = np.arange(n) // self.group
        luck = rng.normal(0.0, SCENARIO, n)[scenario] + rng.normal(0.0, QUESTION, n)
        values: Values = difficulty + luck[None]
        if seeds is not None:
            shifts = rng.normal(0.0, self.shift, (seeds, 1))
            values = values + shifts + rng.normal(0.0, ANSWER, (seeds, n))
        return values


SETTINGS = (
    Setting("right or wrong, 300 questions", 300, 1, graded=False),
    Setting("graded, 300 questions", 300, 1, graded=True),
    Setting("graded, 300 questions in 100 scenarios", 300, 3, graded=True),
    Setting("3 seeds against 3, right or wrong", 300, 1, graded=False, seeds=(3, 3)),
    Setting("3 seeds against 3, graded, in 100 scenarios", 300, 3, graded=True, seeds=(3, 3)),
    Setting("3 seeds against 3 without noise of seeds", 300, 1, True, (3, 3), noise=0.0),
    Setting("3 seeds against none, right or wrong", 300, 1, graded=False, seeds=(3, None)),
    Setting("3 seeds against none, graded, in 100 scenarios", 300, 3, True, (3, None)),
    Setting("3 seeds against none, noise of seeds threefold", 300, 1, True, (3, None), noise=3.0),
)
MEANS = (
    Setting("mean, right or wrong, 100 questions", 100, 1, graded=False),
    Setting("mean, graded, 100 questions", 100, 1, graded=True),
    Setting("mean, right or wrong, 300 in 100 scenarios", 300, 3, graded=False),
    Setting("mean, graded, 300 in 100 scenarios", 300, 3, graded=True),
    Setting("mean of 3 seeds, right or wrong, 300 in 100 scenarios", 300, 3, False, (3, None)),
    Setting("mean of 3 seeds, graded, 300 in 100 scenarios", 300, 3, True, (3, None)),
)


def contrast(setting: Setting, shift: float, seed: int) -> Contrast:
    """Compare two rungs on one eval set; the first is better by `shift` on every question.

    Questions differ in difficulty, which both rungs share; each rung does better on some scenarios
    and on some questions than on others, by chance. Right is what lies above 0.
    """
    rng = np.random.default_rng(seed)
    difficulty = rng.normal(0.0, DIFFICULTY, setting.questions)
    ids = [f"{i:05d}" for i in range(setting.questions)]

    def side(name: str, better: float, seeds: int | None) -> Side:
        values = setting.answers(rng, difficulty, seeds) + better
        if not setting.graded:
            values = (values > 0.0).astype(float)
        runs = [dict(zip(ids, run, strict=True)) for run in values.tolist()]
        return Side(name, runs, random=seeds is not None)

    ours, theirs = side("a", shift, setting.seeds[0]), side("b", 0.0, setting.seeds[1])
    return compare(ours, theirs, "value", dict(zip(ids, setting.scenario, strict=True)), seed=seed)


@dataclass(frozen=True)
class Rates:
    """Shares of the drawn eval sets."""

    rejected: float
    """Under no difference, at 5%."""
    covered: float
    """By the 95% interval of the difference."""
    power: float | None
    """At the difference that was called detectable."""


def rates(setting: Setting, draws: int, spread: Spread = map) -> Rates:
    """How often things happen over `draws` eval sets."""
    null = list(spread(partial(contrast, setting, 0.0), range(draws)))
    detectable = float(np.mean([c.detectable for c in null]))
    covered = [c.delta.low is None or c.delta.low <= 0.0 <= (c.delta.high or 0.0) for c in null]
    power = None
    if setting.graded:  # only there is the true difference the shift
        found = spread(partial(contrast, setting, detectable), range(draws, 2 * draws))
        power = float(np.mean([c.p < 0.05 for c in found]))
    return Rates(float(np.mean([c.p < 0.05 for c in null])), float(np.mean(covered)), power)


def mean(setting: Setting, seed: int) -> Interval:
    """Of a single rung: 30% right, or values of Beta(2, 5)."""
    from scipy.stats import beta, norm

    rng = np.random.default_rng(seed)
    seeds = setting.seeds[0]
    difficulty = rng.normal(0.0, DIFFICULTY, setting.questions)
    random = 0.0 if seeds is None else setting.shift**2 + ANSWER**2
    spread = (DIFFICULTY**2 + SCENARIO**2 + QUESTION**2 + random) ** 0.5
    rank = norm.cdf(setting.answers(rng, difficulty, seeds) / spread)
    values = beta(2, 5).ppf(rank) if setting.graded else (rank > 0.7).astype(float)
    return mean_over_seeds(values.tolist(), setting.scenario, seed)


def coverage(setting: Setting, draws: int, spread: Spread = map) -> float:
    """How often the interval of a single rung's mean covers the truth."""
    truth = 2 / 7 if setting.graded else 0.3
    found = spread(partial(mean, setting), range(draws))
    return float(np.mean([i.low is not None and i.low <= truth <= i.high for i in found]))


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
        for setting in MEANS:
            table.add_row(setting.name, "", f"{coverage(setting, options.draws, spread):.1%}", "")
    Console().print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
