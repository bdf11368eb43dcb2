"""What each rung costs, in tables: to answer, to fit, and in money if there are prices."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from harness.errors import ResultsError
from harness.evidence.contrasts import Contrast, adjusted
from harness.evidence.cost import Prices, Spending, answering_flops, break_even, training_flops
from harness.report.contrasts import against
from harness.report.entries import Entry
from harness.report.ladder import Row
from harness.report.text import Table, percent
from harness.task import Prediction

__all__ = ["costs", "prices_path", "read_prices", "write_prices"]


def costs(ladder: Sequence[Entry], found: Sequence[Contrast]) -> list[Table]:
    """The cost tables of one ladder, one line per rung: its seeds are averaged.

    Money is shown if `prices.json` stands beside the rungs' folders; `found` are the ladder's
    contrasts, which say whether a cheaper rung is a worse one.
    """
    if not ladder:
        return []
    rungs = [_Rung(entry) for entry in ladder]
    tuned = [rung for rung in rungs if rung.tuned]
    made = [_answering(rungs), *([_training(tuned)] if tuned else []), _fitting(rungs)]
    prices = read_prices(ladder[0].rows[0].folder.path.parents[1])
    if prices is None:
        return made
    pairs = [(t, u) for t in tuned for u in rungs if not u.tuned and t.model == u.model]
    lines = [_pays(*pair, prices, found) for pair in pairs]
    return [*made, _money(rungs, prices), *([_break_even(lines)] if lines else [])]


def prices_path(task_folder: Path) -> Path:
    """`prices.json`, beside the rungs' folders."""
    return task_folder / "prices.json"


def read_prices(task_folder: Path) -> Prices | None:
    """The prices that the last sweep was given; None without any.

    Raises ConfigError for a price that cannot be, ResultsError for a file that cannot be read.
    """
    path = prices_path(task_folder)
    if not path.exists():
        return None
    try:
        return Prices(**json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise ResultsError(
            f"{path}: cannot be read ({error}); mend it, or run the sweep with prices again"
        ) from error


def write_prices(task_folder: Path, prices: Prices) -> None:
    """Keep the prices for later reports; without any, take away those of an earlier sweep."""
    path = prices_path(task_folder)
    if prices.given:
        path.write_text(json.dumps(asdict(prices), indent=1), encoding="utf-8")
    else:
        path.unlink(missing_ok=True)


@dataclass(frozen=True)
class _Rung:
    """A line of the report and what its runs cost."""

    entry: Entry

    @property
    def key(self) -> str:
        return self.entry.key

    @property
    def rows(self) -> Sequence[Row]:
        return self.entry.rows

    @property
    def model(self) -> str:
        return str(self.entry.manifest["model"])

    @property
    def tuned(self) -> bool:
        return self.entry.tuned

    @cached_property
    def predictions(self) -> list[list[Prediction]]:
        """Of each seed, in the order of ids."""
        return [sorted(row.folder.predictions(), key=lambda p: p.id) for row in self.rows]

    @property
    def labelled(self) -> float | None:
        """Labelled examples that it needed; None if its runs are older than this count."""
        counts = [row.manifest.get("labelled") for row in self.rows]
        return None if None in counts else _mean(counts)

    def mean(self, *names: str) -> float:
        """Of a number in the manifest; what a run does not have counts as nothing."""
        return _mean(_inside(row.manifest, names) for row in self.rows)

    def per_question(self, *names: str) -> float:
        """Of the sum of some of a prediction's counts."""
        answers = [p for seed in self.predictions for p in seed]
        return _mean(sum(getattr(p, name) for name in names) for p in answers)


def _inside(record: Any, names: Sequence[str]) -> float:
    for name in names:
        record = record[name] if record else 0.0
    return float(record)


def _mean(values: Iterable[Any]) -> float:
    return float(np.mean(list(values)))


def _answering(rungs: Sequence[_Rung]) -> Table:
    """What a question takes."""
    lines = []
    for rung in rungs:
        parameters = rung.mean("parameters")
        seconds = [p.seconds for seed in rung.predictions for p in seed]
        sent = rung.per_question("prompt_tokens", "completion_tokens")
        computed = rung.per_question("computed_tokens", "completion_tokens")
        lines.append(
            [
                rung.key,
                f"{rung.per_question('prompt_tokens'):.0f}",
                f"{rung.per_question('computed_tokens'):.0f}",
                f"{rung.per_question('completion_tokens'):.0f}",
                *(f"{s:.3f}" for s in np.percentile(seconds, [50, 95])),
                _short(answering_flops(parameters, sent) / 1e9),
                _short(answering_flops(parameters, computed) / 1e9),
            ]
        )
    return Table(
        "cost of answering, per question",
        ["rung", "prompt tok", "computed", "answer tok", "s median", "s p95",
         "GFLOP as sent", "as computed"],
        lines,
        notes=[
            "computed: after prefixes that prompts share were computed once. Seconds: a question's "
            "share of its batch, without retrieval. GFLOP of answering: 2 × parameters × tokens "
            f"(Liu et al. 2022), as sent and as computed.{_machines(rungs)}{_averaged(rungs)}"
        ],
    )  # fmt: skip


def _training(tuned: Sequence[_Rung]) -> Table:
    """What changing the weights took."""
    lines = []
    for rung in tuned:
        parameters, tokens = rung.mean("parameters"), rung.mean("training", "tokens")
        lines.append(
            [
                rung.key,
                f"{rung.mean('training', 'seconds'):.0f}",
                f"{tokens:,.0f}",
                f"{rung.mean('training', 'trainable'):,.0f}",
                f"{parameters:,.0f}",
                _short(training_flops(parameters, tokens) / 1e12),
                f"{rung.mean('training', 'megabytes'):.1f}",
            ]
        )
    return Table(
        "cost of training, per run",
        ["rung", "train s", "tokens", "trainable", "parameters", "TFLOP", "adapter MB"],
        lines,
        notes=[
            "TFLOP of training: 6 × parameters × tokens (Liu et al. 2022); frozen weights need up "
            "to a third less."
        ],
    )


def _fitting(rungs: Sequence[_Rung]) -> Table:
    """What a run took beside training: labels, index, memory, time."""
    lines = []
    for rung in rungs:
        indexed = rung.rows[0].manifest["index"] is not None
        lines.append(
            [
                rung.key,
                f"{rung.labelled:.0f}" if rung.labelled is not None else "",
                f"{rung.mean('index', 'seconds'):.1f}" if indexed else "",
                f"{rung.mean('index', 'megabytes'):.2f}" if indexed else "",
                f"{rung.mean('peak_memory_mb'):.0f}",
                f"{rung.mean('seconds', 'total'):.0f}",
            ]
        )
    headings = ["rung", "labelled", "index s", "index MB", "peak MB", "run s"]
    return _without_blanks("cost of a run", headings, lines)


def _money(rungs: Sequence[_Rung], prices: Prices) -> Table:
    lines = []
    for rung in rungs:
        asked = _requests(rung, prices)
        lines.append(
            [
                rung.key,
                _short(1000 * float(np.mean(asked))) if asked is not None else "",
                _amount(_machine(rung, prices)),
                _amount(_labels(rung, prices)),
            ]
        )
    how = "by tokens as sent" if prices.by_token else "by machine time"
    labels = "" if prices.labelled_example is not None else "; labelled examples have no price"
    return _without_blanks(
        f"money, {prices.currency}",
        ["rung", "1,000 answers", "training, indexing", "labelled examples"],
        lines,
        f"Answering is paid {how}, training and indexing by machine time, labelled examples by the "
        f"piece{labels}. Blank: nothing to pay, or no price.",
    )


def _pays(
    tuned: _Rung, untuned: _Rung, prices: Prices, found: Sequence[Contrast]
) -> tuple[str, ...]:
    """From when on tuning pays, as a line."""
    name = f"{tuned.key} – {untuned.key}"
    contrast = _contrast(tuned, untuned, found)
    quality = "not tested" if contrast is None else contrast.verdict
    ours, theirs = _spending(tuned, prices), _spending(untuned, prices)
    if ours is None or theirs is None:
        known = prices.machine_hour is not None
        return name, "", "", "unknown: old runs" if known else "needs prices.machine_hour", quality
    result = break_even(ours, theirs)
    requests = str(result)
    if contrast is not None and quality in ("better", "worse"):
        points = percent(abs(contrast.delta.value))
        if quality == "worse":
            requests = f"no: scores lower by {points} points"
        else:
            quality = f"better by {points} points"
    return name, _short(result.extra), _short(1000 * result.saving.value), requests, quality


def _break_even(lines: Sequence[Sequence[str]]) -> Table:
    return Table(
        "break-even: after how many requests tuning has paid for itself (95% interval)",
        ["tuned – untuned", "more once", "less per 1,000", "requests", "verdict"],
        lines,
        notes=[
            "At matched quality: not given where the tuned rung is detectably worse. more once: in "
            "training, indexing and labelled examples. The interval is over questions (paired "
            "bootstrap of the cost of a request); what training itself varies by is not in it."
        ],
    )


def _spending(rung: _Rung, prices: Prices) -> Spending | None:
    """None if an answer, or machine time, has no price, or if priced labels were not counted."""
    requests, machine = _requests(rung, prices), _machine(rung, prices)
    labels = _labels(rung, prices)
    counted = labels is not None or prices.labelled_example is None
    if requests is None or machine is None or not counted:
        return None
    return Spending(machine + (labels or 0.0), requests)


def _requests(rung: _Rung, prices: Prices) -> list[float] | None:
    """The cost of each question, averaged over seeds."""
    paid = [[prices.answer(p) for p in seed] for seed in rung.predictions]
    if any(cost is None for seed in paid for cost in seed):
        return None
    return [_mean(costs) for costs in zip(*paid, strict=True)]


def _machine(rung: _Rung, prices: Prices) -> float | None:
    return prices.machine(rung.mean("training", "seconds") + rung.mean("index", "seconds"))


def _labels(rung: _Rung, prices: Prices) -> float | None:
    return prices.labels(rung.labelled) if rung.labelled is not None else None


def _contrast(tuned: _Rung, untuned: _Rung, found: Sequence[Contrast]) -> Contrast | None:
    """The declared contrast of the two, or one of its own; None without values per question."""
    for contrast in found:
        if (contrast.rung, contrast.baseline) == (tuned.key, untuned.key):
            return contrast
    if not all(row.values for rung in (tuned, untuned) for row in rung.rows):
        return None
    return adjusted([against(tuned.entry, untuned.entry)])[0]


def _machines(rungs: Sequence[_Rung]) -> str:
    """A warning if the runs' seconds do not compare."""
    places = {
        tuple(row.manifest["machine"][k] for k in ("processor", "cores", "device"))
        for rung in rungs
        for row in rung.rows
    }
    return "" if len(places) == 1 else " The runs had different machines: seconds do not compare."


def _averaged(rungs: Sequence[_Rung]) -> str:
    return " Seeds of a rung are averaged." if any(len(rung.rows) > 1 for rung in rungs) else ""


def _without_blanks(
    title: str, headings: Sequence[str], lines: Sequence[Sequence[str]], *notes: str
) -> Table:
    """A table without the columns in which nothing stands."""
    kept = [place for place in range(len(headings)) if any(line[place] for line in lines)]
    return Table(title, [headings[p] for p in kept], [[line[p] for p in kept] for line in lines],
                 notes=notes)  # fmt: skip


def _amount(value: float | None) -> str:
    """Money; blank without a price, and where there is nothing to pay."""
    return _short(value) if value else ""


def _short(value: float) -> str:
    """A number in three figures at least: 0.0123, 4.56, 789, 12,346; or <0.001."""
    if 0 < value < 0.001:
        return "<0.001"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
