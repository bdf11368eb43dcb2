"""What each rung costs, in tables: to answer, to tune, to run, and in money if there are prices."""

from __future__ import annotations

from collections.abc import Sequence

from harness.analysis.rung_costs import Costs, Payoff, RungCosts
from harness.evidence.cost import Prices
from harness.report.formatting import DASH, Table, known, percent, short

__all__ = ["amount", "costs", "without_blanks"]

MACHINES = " The runs had different machines: seconds do not compare."


def costs(found: Costs) -> list[Table]:
    """The cost tables of one ladder, one line per rung: its seeds are averaged."""
    if not found.rungs:
        return []
    tables = [
        _answering(found),
        *_tuning(found.rungs),
        *_taught(found.rungs),
        _running(found.rungs),
    ]
    if any(rung.money for rung in found.rungs):
        tables.append(_money(found.rungs, found.prices))
    if found.prices is not None:
        tables += _break_even(found.payoffs, found.prices)
    return [table for table in tables if len(table.headings) > 1]


def _answering(found: Costs) -> Table:
    """What a question takes."""
    lines = []
    for rung in found.rungs:
        a = rung.answering
        lines.append(
            [
                rung.rung,
                known(a.prompt_tokens),
                known(a.computed_tokens),
                known(a.completion_tokens),
                known(a.seconds_median, 3),
                known(a.seconds_p95, 3),
                DASH if a.flop_sent is None else short(a.flop_sent / 1e9),
                DASH if a.flop_computed is None else short(a.flop_computed / 1e9),
            ]
        )
    machines = "" if found.same_machine else MACHINES
    averaged = " Seeds of a rung are averaged." if found.averaged else ""
    return without_blanks(
        "cost of answering, per question",
        ["rung", "prompt tok", "computed", "answer tok", "s median", "s p95",
         "GFLOP as sent", "as computed"],
        lines,
        "computed: after prefixes that prompts share were computed once. Seconds: a question's "
        "share of its batch, without retrieval. GFLOP of answering: 2 × parameters × tokens "
        f"(Liu et al. 2022), as sent and as computed.{machines}{averaged}{_dash(lines)}",
    )  # fmt: skip


def _tuning(rungs: Sequence[RungCosts]) -> list[Table]:
    """What changing the weights took."""
    lines = [
        [
            rung.rung,
            f"{rung.tuning.seconds:.0f}",
            f"{rung.tuning.tokens:,.0f}",
            f"{rung.tuning.trainable:,.0f}",
            f"{rung.tuning.parameters:,.0f}",
            short(rung.tuning.flop / 1e12),
            f"{rung.tuning.megabytes:.1f}",
            _whole(rung.tuning.weights_megabytes),
            _whole(rung.tuning.peak_megabytes),
            rung.tuning.answering or "",
        ]
        for rung in rungs
        if rung.tuning
    ]
    table = without_blanks(
        "cost of training, per run",
        ["rung", "train s", "tokens", "trainable", "parameters", "TFLOP", "disk MB", "weights MB",
         "peak MB", "answers with"],
        lines,
        "TFLOP of training: 6 × parameters × tokens (Liu et al. 2022); frozen weights need up to a "
        "third less. disk: what training left. weights: memory of all weights while training; "
        "peak: the most that training held, these among it.",
    )  # fmt: skip
    return [table] * bool(lines)


def _taught(rungs: Sequence[RungCosts]) -> list[Table]:
    """What teachers answered to train, and how much of it was kept."""
    lines = [
        [
            rung.rung,
            rung.taught.teacher,
            rung.taught.targets,
            f"{rung.taught.asked:.0f}",
            f"{rung.taught.answered:.0f}",
            f"{rung.taught.unparsed:.0f}",
            f"{rung.taught.below:.0f}" if rung.taught.min_score is not None else "",
            f"{rung.taught.leaked:.0f}" if rung.taught.leaked else "",
            f"{rung.taught.kept:.0f}",
            _whole(rung.taught.prompt_tokens),
            _whole(rung.taught.completion_tokens),
            _whole(rung.taught.seconds),
            f"{rung.taught.cost:g}" if rung.taught.cost is not None else "",
        ]
        for rung in rungs
        if rung.taught
    ]
    least = {r.taught.min_score for r in rungs if r.taught and r.taught.min_score is not None}
    below = " and ".join(f"{score:g}" for score in sorted(least))
    table = without_blanks(
        "cost of a teacher: its answers to train, once for all seeds",
        ["rung", "teacher", "targets", "asked", "answered", "unparsed", "below", "leaked", "kept",
         "prompt tok", "answer tok", "s", "told cost"],
        lines,
        "Rungs with one teacher share its answers. Unparsed: cannot be read, cut off, or longer "
        "than an answer may be."
        + (f" Below: scored less than {below} against the target of train." if below else "")
        + " Targets: what the student learns, the teacher's answers or, for comparison, the "
        "targets that train has for the same examples.",
    )  # fmt: skip
    return [table] * bool(lines)


def _running(rungs: Sequence[RungCosts]) -> Table:
    """What a run took beside training: labels, index, memory, time."""
    lines = [
        [
            rung.rung,
            f"{rung.labelled:.0f}" if rung.labelled is not None else _blank(rung),
            f"{rung.indexing.seconds:.1f}" if rung.indexing else "",
            f"{rung.indexing.megabytes:.2f}" if rung.indexing else "",
            f"{rung.searching.asked:,.0f}" if rung.searching else "",
            f"{rung.searching.tokens:,.0f}" if rung.searching else "",
            f"{rung.searching.seconds:.0f}" if rung.searching else "",
            known(rung.peak_memory_megabytes),
            known(rung.seconds),
        ]
        for rung in rungs
    ]
    headings = ["rung", "labelled", "index s", "index MB", "search: answers", "search tok",
                "search s", "peak MB", "run s"]  # fmt: skip
    return without_blanks("cost of a run", headings, lines)


def _blank(rung: RungCosts) -> str:
    """In place of a number: a dash if it was answered elsewhere; nothing for older runs, or without
    a price."""
    return DASH if rung.seconds is None else ""


def _dash(lines: Sequence[Sequence[str]]) -> str:
    """What the dash means, if there is one."""
    return f" {DASH}: answered elsewhere, not known." if any(DASH in line for line in lines) else ""


def _money(rungs: Sequence[RungCosts], prices: Prices | None) -> Table:
    lines = []
    for rung in rungs:
        money = rung.money
        lines.append(
            [
                rung.rung,
                short(1000 * money.request)
                if money and money.request is not None
                else _blank(rung),
                amount(money.machine if money else None),
                amount(money.labels if money else None),
            ]
        )
    if prices is None:
        title = "money, as it was told with the answers"
        return without_blanks(title, ["rung", "1,000 answers"], [line[:2] for line in lines])
    how = "by tokens as sent" if prices.by_token else "by machine time"
    asked = [
        name
        for name, some in (
            ("searches for a prompt", any(rung.searching for rung in rungs)),
            ("a teacher's answers", any(rung.taught for rung in rungs)),
        )
        if some
    ]
    also = f"; {' and '.join(asked)} stand there too, paid as answering" if asked else ""
    labels = "" if prices.labelled_example is not None else "; labelled examples have no price"
    return without_blanks(
        f"money, {prices.currency}",
        ["rung", "1,000 answers", "training, indexing", "labelled examples"],
        lines,
        f"Answering is paid {how}, training and indexing by machine time{also}; labelled "
        f"examples by the piece{labels}. Blank: nothing to pay, or no price.",
    )


def _break_even(payoffs: Sequence[Payoff], prices: Prices) -> list[Table]:
    table = Table(
        "break-even: after how many requests tuning has paid for itself (95% interval)",
        ["tuned – untuned", "more once", "less per 1,000", "requests", "verdict"],
        [_pays(payoff, prices) for payoff in payoffs],
        notes=[
            "At matched quality: not given where the tuned rung is detectably worse. more once: in "
            "training, indexing, searches, a teacher's answers and labelled examples. The interval "
            "is over questions (paired bootstrap of the cost of a request); what training itself "
            "varies by is not in it."
        ],
    )
    return [table] * bool(payoffs)


def _pays(payoff: Payoff, prices: Prices) -> list[str]:
    """From when on tuning pays, as a line."""
    name = f"{payoff.tuned} – {payoff.untuned}"
    quality = payoff.contrast.verdict if payoff.contrast else "not tested"
    reached = payoff.break_even
    if reached is None:
        known = prices.machine_hour is not None
        return [
            name,
            "",
            "",
            "unknown: old runs" if known else "needs prices.machine_hour",
            quality,
        ]
    requests = str(reached)
    if payoff.contrast and quality in ("better", "worse"):
        points = percent(abs(payoff.contrast.delta.value))
        if quality == "worse":
            requests = f"no: scores lower by {points} points"
        else:
            quality = f"better by {points} points"
    return [name, short(reached.extra), short(1000 * reached.saving.value), requests, quality]


def without_blanks(
    title: str, headings: Sequence[str], lines: Sequence[Sequence[str]], *notes: str
) -> Table:
    """A table without the columns in which nothing stands, or nothing that is known."""
    nothing = ("", DASH)
    kept = [p for p in range(len(headings)) if any(line[p] not in nothing for line in lines)]
    return Table(title, [headings[p] for p in kept], [[line[p] for p in kept] for line in lines],
                 notes=notes)  # fmt: skip


def _whole(value: float | None) -> str:
    """A number without decimals; blank if it is not known."""
    return "" if value is None else f"{value:,.0f}"


def amount(value: float | None) -> str:
    """Money; blank without a price, and where there is nothing to pay."""
    return short(value) if value else ""
