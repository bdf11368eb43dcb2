"""Are the tests and intervals what they say they are? `python -m harness.evidence.simulate`.

Draws eval sets and seeds whose truth is known and runs the very functions that a report runs.
Under no difference a test at 5% must reject 5% of the time, a 95% interval must cover the truth 95%
of the time, and a true difference of the size that is called detectable must be found 80% of the
time. In every world questions differ in difficulty, which rungs share; a rung has its own luck with
scenarios, with questions and, if it is random, with seeds and answers.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, Literal
from zlib import crc32

import numpy as np
from rich.console import Console
from rich.table import Table

from harness.command import command
from harness.evidence.clusters import Values
from harness.evidence.contrasts import Contrast, Side, compare
from harness.evidence.statistics import Interval, mean_over_seeds

__all__ = ["CONTRASTS", "MEANS", "Rates", "World", "coverage", "main", "rates"]

Spread = Callable[..., Iterator[Any]]
Kind = Literal["any size", "right or wrong", "graded", "fields", "near 1"]

DIFFICULTY, SCENARIO, QUESTION, ANSWER = 0.2, 0.1, 0.2, 0.2
"""Standard deviations: of what the rungs share; of a rung's luck with a scenario, with a question;
and, if it is random, of each answer."""
STRONG = 0.3
"""Of a rung's luck with a scenario where that outweighs all else."""


@dataclass(frozen=True)
class World:
    """A kind of eval set, and of rungs that answer it."""

    name: str
    sizes: tuple[int, ...]
    """Questions of each scenario."""
    kind: Kind
    """What a question's value is; of the baseline too, unless that has its own."""
    seeds: tuple[int | None, int | None] = (None, None)
    """Of the rung and of its baseline; None for one without randomness."""
    noise: float = 1.0
    """How far a seed shifts the mean of its rung, in standard errors due to the questions."""
    scenario: float = SCENARIO
    baseline: Kind | None = None

    def rng(self, seed: int) -> np.random.Generator:
        """Of one eval set: worlds share none."""
        return np.random.default_rng([crc32(self.name.encode()), seed])

    @property
    def groups(self) -> list[str]:
        """Of each question."""
        return [f"{i:05d}" for i, size in enumerate(self.sizes) for _ in range(size)]

    @property
    def shift(self) -> float:
        """Standard deviation of a seed's shift."""
        n, squares = sum(self.sizes), sum(size**2 for size in self.sizes)
        luck = squares / n * self.scenario**2 + QUESTION**2
        return float(self.noise * (2 * luck / n) ** 0.5)

    def answers(
        self,
        rng: np.random.Generator,
        difficulty: Values,
        seeds: int | None,
        kind: Kind,
        better: float = 0.0,
    ) -> Values:
        """[seeds, questions]."""
        n = len(difficulty)
        luck = np.repeat(rng.normal(0.0, self.scenario, len(self.sizes)), self.sizes)
        values: Values = (difficulty + luck + rng.normal(0.0, QUESTION, n))[None]
        variance = DIFFICULTY**2 + self.scenario**2 + QUESTION**2
        if seeds is not None:
            shifts = rng.normal(0.0, self.shift, (seeds, 1))
            values = values + shifts + rng.normal(0.0, ANSWER, (seeds, n))
            variance += self.shift**2 + ANSWER**2
        return values + better if kind == "any size" else _shaped(values / variance**0.5, kind)


def _shaped(values: Values, kind: Kind) -> Values:
    """Standard normal values as those of another kind."""
    from scipy.special import ndtr

    table = quantiles(kind)
    shaped: Values = table[np.minimum((ndtr(values) * len(table)).astype(int), len(table) - 1)]
    return shaped


@cache
def quantiles(kind: Kind) -> Values:
    """Equally likely values; their mean is the truth."""
    from scipy.stats import beta, betabinom

    rank = (np.arange(10_000) + 0.5) / 10_000
    match kind:
        case "right or wrong":
            found = np.where(rank > 0.7, 1.0, 0.0)
        case "graded":
            found = beta(2, 5).ppf(rank)
        case "fields":  # of eight, most of them right
            found = betabinom(8, 6, 1).ppf(rank) / 8
        case "near 1":
            found = beta(9, 1).ppf(rank)
        case _:
            found = np.zeros(1)
    return np.asarray(found, dtype=float)


ALONE, THREES, TENS = (1,) * 300, (3,) * 100, (10,) * 10
TWELVES = (12, 3) * 10
UNEQUAL = tuple(round(2 * np.exp(1.5 * z)) for z in np.linspace(-2.0, 2.0, 40))
ARTICLES = (4, 5, 6, 8) * 4

CONTRASTS = (
    World("right or wrong, 300 questions", ALONE, "right or wrong"),
    World("300 questions", ALONE, "any size"),
    World("300 questions in 100 scenarios", THREES, "any size"),
    World("30 questions", (1,) * 30, "any size"),
    World("10 groups of 10", TENS, "any size"),
    World("10 groups of 10, right or wrong", TENS, "right or wrong"),
    World("10 groups of 12, 10 of 3", TWELVES, "any size"),
    World("16 articles", ARTICLES, "fields"),
    World("40 very unequal groups", UNEQUAL, "any size"),
    World("40 very unequal groups, luck with scenarios", UNEQUAL, "any size", scenario=STRONG),
    World("40 very unequal groups, right or wrong", UNEQUAL, "right or wrong"),
    World("30 questions, near 1 against graded", (1,) * 30, "near 1", baseline="graded"),
    World("10 groups of 10, fields against graded", TENS, "fields", baseline="graded"),
    World("3 seeds against 3, right or wrong", ALONE, "right or wrong", (3, 3)),
    World("3 seeds against 3, 100 scenarios", THREES, "any size", (3, 3)),
    World("3 seeds against 3, no noise of seeds", ALONE, "any size", (3, 3), noise=0.0),
    World("3 seeds against 3, 10 groups of 10", TENS, "any size", (3, 3)),
    World("3 seeds against 3, 40 very unequal groups", UNEQUAL, "any size", (3, 3)),
    World("3 seeds against none, right or wrong", ALONE, "right or wrong", (3, None)),
    World("3 seeds against none, 100 scenarios", THREES, "any size", (3, None)),
    World("3 seeds against none, noise of seeds threefold", ALONE, "any size", (3, None), 3.0),
)
MEANS = (
    World("mean, right or wrong, 300 questions", ALONE, "right or wrong"),
    World("mean, 100 questions", (1,) * 100, "graded"),
    World("mean, 30 questions", (1,) * 30, "graded"),
    World("mean, 30 questions, fields", (1,) * 30, "fields"),
    World("mean, 30 questions near 1", (1,) * 30, "near 1"),
    World("mean, right or wrong, 300 in 100 scenarios", THREES, "right or wrong"),
    World("mean, 300 in 100 scenarios", THREES, "graded"),
    World("mean, 10 groups of 10, right or wrong", TENS, "right or wrong"),
    World("mean, 10 groups of 10", TENS, "graded"),
    World("mean, 10 groups of 12, 10 of 3", TWELVES, "graded"),
    World("mean, 16 articles, fields", ARTICLES, "fields"),
    World("mean, 40 very unequal groups", UNEQUAL, "graded"),
    World("mean, 40 very unequal groups, luck with scenarios", UNEQUAL, "graded", scenario=STRONG),
    World("mean, 40 very unequal groups near 1", UNEQUAL, "near 1"),
    World("mean of 3 seeds, right or wrong, 100 scenarios", THREES, "right or wrong", (3, None)),
    World("mean of 3 seeds, 100 scenarios", THREES, "graded", (3, None)),
    World("mean of 3 seeds, 10 groups of 10", TENS, "graded", (3, None)),
)


def contrast(world: World, better: float, seed: int) -> Contrast:
    """Compare two rungs on one eval set; the first is better by that much on every question."""
    rng = world.rng(seed)
    groups = world.groups
    ids = [f"{i:05d}" for i in range(len(groups))]
    difficulty = rng.normal(0.0, DIFFICULTY, len(ids))

    def side(name: str, seeds: int | None, kind: Kind, better: float) -> Side:
        values = world.answers(rng, difficulty, seeds, kind, better)
        runs = [dict(zip(ids, run, strict=True)) for run in values.tolist()]
        return Side(name, runs, random=seeds is not None)

    ours = side("a", world.seeds[0], world.kind, better)
    theirs = side("b", world.seeds[1], world.baseline or world.kind, 0.0)
    return compare(ours, theirs, "value", dict(zip(ids, groups, strict=True)), seed=seed)


@dataclass(frozen=True)
class Rates:
    """Shares of the drawn eval sets."""

    rejected: float | None
    """Under no difference, at 5%; None where there is one."""
    covered: float
    """By the 95% interval of the difference."""
    power: float | None
    """At the difference that was called detectable; None where that is not what a shift means."""


def rates(world: World, draws: int, spread: Spread = map) -> Rates:
    """How often things happen over `draws` eval sets."""
    truth = quantiles(world.kind).mean() - quantiles(world.baseline or world.kind).mean()
    drawn = np.array(list(spread(partial(_drawn, world, 0.0, float(truth)), range(draws))))
    rejected, covered, detectable = drawn.mean(0)
    power = None
    if world.kind == "any size":
        again = spread(partial(_drawn, world, detectable, detectable), range(draws, 2 * draws))
        power = float(np.mean([found[0] for found in again]))
    return Rates(None if truth else float(rejected), float(covered), power)


def _drawn(world: World, better: float, truth: float, seed: int) -> tuple[bool, bool, float]:
    """Whether a contrast is found and its interval holds the truth; and what is detectable."""
    c = contrast(world, better, seed)
    return c.p < 0.05, _holds(c.delta, truth), c.detectable


def _holds(interval: Interval, truth: float) -> bool:
    """No interval leaves nothing out."""
    return interval.low is None or interval.high is None or interval.low <= truth <= interval.high


def mean(world: World, seed: int) -> Interval:
    """Of a single rung."""
    rng = world.rng(seed)
    difficulty = rng.normal(0.0, DIFFICULTY, sum(world.sizes))
    values = world.answers(rng, difficulty, world.seeds[0], world.kind)
    return mean_over_seeds(values.tolist(), world.groups)


def coverage(world: World, draws: int, spread: Spread = map) -> float:
    """How often the interval of a single rung's mean covers the truth."""
    truth = float(quantiles(world.kind).mean())
    return float(np.mean([_holds(i, truth) for i in spread(partial(mean, world), range(draws))]))


def main(arguments: list[str] | None = None) -> int:
    """Print one line per kind of eval set."""
    parser = argparse.ArgumentParser(
        prog="python -m harness.evidence.simulate", description=(__doc__ or "").split("\n\n")[0]
    )
    parser.add_argument("--draws", type=int, default=4000, help="eval sets of each kind")
    parser.add_argument("--only", default="", help="worlds whose name contains this")
    options = parser.parse_args(arguments)
    table = Table(
        title=f"{options.draws} eval sets of each kind; nominal 5%, 95%, 80%",
        caption="Right or wrong takes few values: an exact test rejects less often, and the "
        "interval that agrees with it covers more.",
    )
    for heading in ("eval set", "rejected under no difference", "covered", "power"):
        table.add_column(heading, justify="left" if heading == "eval set" else "right")
    with ProcessPoolExecutor() as pool:
        spread = partial(pool.map, chunksize=50)
        for world in (w for w in CONTRASTS if options.only in w.name):
            r = rates(world, options.draws, spread)
            table.add_row(world.name, *map(_percent, (r.rejected, r.covered, r.power)))
        for world in (w for w in MEANS if options.only in w.name):
            table.add_row(world.name, "", _percent(coverage(world, options.draws, spread)), "")
    Console().print(table)
    return 0


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.1%}"


if __name__ == "__main__":
    command(main)
