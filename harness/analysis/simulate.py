"""How often is the advice wrong? `python -m harness.analysis.simulate`.

Draws worlds in which it is known how good each rung is, lets them answer eval sets, and asks the
very rule that a report asks. Advice is wrong where the advised rung (or the one that is called safe
meanwhile) is worse than the best by more than the margin, needless where a cheaper one is not; both
together may happen 5% of the time. It is right where it names the cheapest that is good enough, and
safe where it is undecided about that, but names one that is good enough.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
from rich.console import Console
from rich.table import Table

from harness.analysis.decision import MARGIN, TRAINING_NOISE, Candidate, Case, decide
from harness.command import command
from harness.evidence.contrasts import Side
from harness.evidence.statistics import Values

__all__ = ["KINDS", "SIZES", "World", "draw", "judged", "main", "shares"]

Spread = Callable[..., Iterator[Any]]
Verdict = Literal["right", "safe", "undecided", "wrong", "needless"]
VERDICTS: tuple[Verdict, ...] = ("right", "safe", "undecided", "wrong", "needless")
SIZES = (50, 100, 200, 400, 800, 1600)
"""Questions of an eval set."""
KINDS = ("any", "all others worse by the margin", "a cheap one worse by the margin")
"""Of worlds: drawn as tasks are; and the two that are hardest, in which one kind of mistake is a
hair away: whatever is advised but the best is wrong, and whatever but the cheapest is needless."""
HAIR = 1e-9

SHARED, SCENARIO = 0.5, 0.15
"""Of the variance of an answer: what all rungs share of a question's difficulty, and what questions
of a scenario share for one rung."""


@dataclass(frozen=True)
class World:
    """Rungs from the cheapest to the dearest, and how they answer."""

    truth: tuple[float, ...]
    """Mean score of each over all questions and seeds there could be."""
    controls: int
    """How many of them, the first ones, need no language model."""
    seeds: tuple[int | None, ...]
    """Of each rung; None for one that is not random."""
    seed_noise: float
    """Standard deviation of a random rung's mean over seeds."""
    graded: bool
    """Scores of any size; otherwise right or wrong."""
    group: int
    """Questions that share a scenario."""

    def case(self, n: int, margin: float, rng: np.random.Generator) -> Case:
        """An eval set of n questions, answered."""
        scenarios = np.arange(n) // self.group
        difficulty = rng.normal(0.0, 1.0, n)
        ids = [f"{i:05d}" for i in range(n)]
        candidates = []
        for place, truth in enumerate(self.truth):
            luck = rng.normal(0.0, 1.0, n)[scenarios]
            runs = []
            for _ in range(self.seeds[place] or 1):
                shift = 0.0 if self.seeds[place] is None else rng.normal(0.0, self.seed_noise)
                mean = float(np.clip(truth + shift, 0.0, 1.0))
                own = rng.normal(0.0, 1.0, n)
                rank = (
                    SHARED**0.5 * difficulty
                    + SCENARIO**0.5 * luck
                    + (1 - SHARED - SCENARIO) ** 0.5 * own
                )
                runs.append(dict(zip(ids, self._scores(rank, mean).tolist(), strict=True)))
            key = f"r{place}"
            control = None if place >= self.controls else "nearest_answer"
            candidates.append(
                Candidate(
                    key=key,
                    at="",
                    side=Side(key, runs, random=self.seeds[place] is not None),
                    order=(float(place),),
                    control=control,
                    tuned=self.seeds[place] is not None,
                )
            )
        groups = {i: f"{g:05d}" for i, g in zip(ids, scenarios, strict=True)}
        return Case(candidates, groups, margin)

    def _scores(self, rank: Values, mean: float) -> Values:
        """Standard normal numbers as scores of this mean: right or wrong, or of Beta."""
        from scipy.stats import beta, norm

        if not self.graded or mean in (0.0, 1.0):
            scores: Values = (rank < norm.ppf(mean)).astype(float)
            return scores
        return np.asarray(beta(4 * mean, 4 * (1 - mean)).ppf(norm.cdf(rank)), dtype=float)


def draw(kind: str, margin: float, rng: np.random.Generator) -> World:
    """A world: two controls, three untuned rungs, two tuned ones."""
    controls, rungs = 2, 7
    if kind == "any":
        truth = [float(rng.uniform(0.1, 0.5))]
        for place in range(1, rungs):
            # A step up, the same as one before, or nearly so.
            steps = [rng.normal(0.08, 0.12), 0.0, rng.uniform(-2, 2) * margin]
            step = rng.choice(steps, p=[0.5, 0.25, 0.25])
            first = truth[int(rng.integers(place))] if place < controls else max(truth)
            truth.append(float(np.clip(first + step, 0.02, 0.98)))
    else:
        best = float(rng.uniform(0.3, 0.99))
        worst = max(0.0, best - margin)
        if kind == KINDS[1]:
            truth = [worst - HAIR] * rungs
            truth[int(rng.integers(rungs))] = best
        else:
            truth = [worst + HAIR] + [best] * (rungs - 1)
    several = int(rng.choice([1, 3]))
    return World(
        truth=tuple(truth),
        controls=controls,
        seeds=(None,) * (rungs - 2) + (several, several),
        seed_noise=float(rng.uniform(0.0, TRAINING_NOISE)),
        graded=bool(rng.random() < 0.3),
        group=int(rng.choice([1, 1, 3])),
    )


def judged(kind: str, n: int, margin: float, seed: int) -> Verdict:
    """What the advice of one world is worth."""
    rng = np.random.default_rng(seed)
    world = draw(kind, margin, rng)
    found = decide(world.case(n, margin, rng))
    truth = {f"r{place}": value for place, value in enumerate(world.truth)}
    enough = [key for key, value in truth.items() if value >= max(world.truth) - margin]
    said = found.advised or found.until
    if said is not None and said.key not in enough:
        return "wrong"
    if found.advised is None:
        return "safe" if said else "undecided"
    return "right" if found.advised.key == enough[0] else "needless"


def shares(
    kind: str, n: int, worlds: int, margin: float = MARGIN, spread: Spread = map
) -> dict[Verdict, float]:
    """How often advice is what, over so many worlds."""
    counts = Counter(spread(partial(judged, kind, n, margin), range(worlds)))
    return {verdict: counts[verdict] / worlds for verdict in VERDICTS}


def main(arguments: list[str] | None = None) -> int:
    """Print one line for each kind of world and size of eval set."""
    parser = argparse.ArgumentParser(
        prog="python -m harness.analysis.simulate", description=(__doc__ or "").split("\n\n")[0]
    )
    parser.add_argument("--worlds", type=int, default=1000, help="of each kind and size")
    parser.add_argument("--margin", type=float, default=MARGIN, help="a difference without matter")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="questions")
    options = parser.parse_args(arguments)
    with ProcessPoolExecutor() as pool:
        Console().print(_table(options, partial(pool.map, chunksize=25)))
    return 0


def _table(options: argparse.Namespace, spread: Spread) -> Table:
    title = (
        f"advice over {options.worlds} worlds a line, margin {100 * options.margin:.1f} points, %"
    )
    table = Table(title=f"{title}; wrong and needless: at most 5 together")
    headings: Sequence[str] = ("worlds", "questions", *VERDICTS)
    for heading in headings:
        table.add_column(heading, justify="left" if heading == "worlds" else "right")
    for kind in KINDS:
        for n in options.sizes:
            found = shares(kind, n, options.worlds, options.margin, spread)
            table.add_row(kind, str(n), *(f"{100 * found[v]:.1f}" for v in VERDICTS))
    return table


if __name__ == "__main__":
    command(main)
