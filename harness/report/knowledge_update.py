"""When facts change, in a sentence, in tables and as a picture."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import groupby
from typing import TYPE_CHECKING

from harness.analysis.findings import Findings
from harness.analysis.knowledge_update import KnowledgeUpdate, Outcomes
from harness.analysis.update_costs import VOLUME
from harness.evidence.statistics import Interval
from harness.report.cost_tables import without_blanks
from harness.report.figures import INK, TUNED, UNTUNED, WIDTH, as_written, brief
from harness.report.formatting import Table, footnote, percent, short, with_interval
from harness.report.slice_tables import WIDEST

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["facts_known", "sentence", "tables", "update_chart"]

NEITHER = "#d9dfe5"
PAYING = (
    "The first training is paid for in the last column. No limit: an update costs the tuned rung "
    "The first training is paid for in the last column. no limit: an update costs the tuned rung "
    "no more; whether it pays at all, the break-even of requests says. Quality is not in it: the "
    "tables above say who follows."
)
WAYS = {
    "index": "index the corpus",
    "train": "train again",
    "examples": "answer its examples anew",
    "none": "nothing: it reads no facts",
}


def sentence(found: Findings) -> str:
    """Who follows most, and who stays most with what was; nothing if no rung was asked."""
    update = found.knowledge_update
    if update is None:
        return ""
    said = f"facts changed behind {update.changed} of {update.questions} questions"
    known = {r.rung: r.facts for r in update.rungs if r.facts}
    if not known:
        return f"{said}, and none of them was asked"
    most = max(known, key=lambda rung: known[rung].follows.value)
    stuck = max(known, key=lambda rung: known[rung].stays.value)
    follows, stays = known[most].follows, known[stuck].stays
    parts = [said]
    if follows.value:
        parts.append(f"{found.labels[most]} follows {_points(follows)} of them, not trained again")
    else:
        parts.append("no rung follows without being trained again")
    if stays.value:
        who = "it" if stuck == most else found.labels[stuck]
        parts.append(f"{who} states the old fact in {_points(stays)}")
    return "; ".join(parts)


def facts_known(found: Findings) -> bool:
    """Whether a rung was asked about a fact that changed."""
    update = found.knowledge_update
    return update is not None and any(rung.facts for rung in update.rungs)


def tables(found: Findings) -> list[Table]:
    """What became of the facts, what else it changed, what an update costs; none if not asked."""
    update = found.knowledge_update
    if update is None:
        return []
    return [
        *_outcomes(update, found),
        *_by_field(update, found),
        *_by_slice(update, found),
        _scores(update, found),
        _costs(update, found),
        *_payoffs(update, found),
    ]


@as_written
def update_chart(found: Findings) -> Figure:
    """Shares of the changed facts that each rung follows, keeps and loses, first rung on top."""
    from matplotlib.figure import Figure

    update = found.knowledge_update
    known = [(r.rung, r.facts) for r in update.rungs if r.facts] if update else []
    figure = Figure(figsize=(WIDTH, 1.6 + 0.45 * len(known)), layout="constrained")
    axes = figure.add_subplot()
    for y, (_, facts) in enumerate(known):
        left = 0.0
        for what, colour, ink in (
            ("follows", UNTUNED, "white"),
            ("stays", TUNED, "white"),
            ("neither", NEITHER, INK),
        ):
            share = 100 * getattr(facts, what).value
            label = {"follows": "new fact", "stays": "old fact"}.get(what, what)
            axes.barh(y, share, left=left, height=0.62, color=colour, label=None if y else label)
            if share >= 8:
                axes.text(left + share / 2, y, f"{share:.0f}", color=ink, ha="center", va="center")
            left += share
    axes.set_yticks(range(len(known)), [brief(found.labels[rung]) for rung, _ in known])
    axes.invert_yaxis()
    axes.set_xlim(0, 100)
    axes.set_xlabel("changed facts, %")
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside upper left", ncols=3, frameon=False)
    return figure


def _outcomes(update: KnowledgeUpdate, found: Findings) -> list[Table]:
    lines = [
        [
            found.labels[rung.rung],
            "yes" if rung.asked_again else "no",
            *(with_interval(share) for share in _shares(rung.facts)),
            with_interval(rung.found) if rung.found else "",
        ]
        for rung in update.rungs
        if rung.facts
    ]
    if not lines:
        return []
    shown = [rung for rung in found.rungs if rung.key in {r.rung for r in update.rungs}]
    return [
        without_blanks(
            f"when facts change ({update.changed} of {update.questions} questions): the changed "
            "facts, % (95% interval)",
            ["rung", "asked again", "right before", "new fact", "old fact", "neither",
             "passages found"],
            lines,
            *filter(None, [_reading(update), _loud(update), footnote(shown)]),
        )
    ]  # fmt: skip


def _reading(update: KnowledgeUpdate) -> str:
    said = (
        "Nothing is trained again: the new corpus is indexed, tuned weights and worked examples "
        "stay, so that the examples' answers state old facts beside passages looked up anew. A "
        "rung that reads no corpus answers as before; its share of new facts is chance. neither: "
        "lost, or never known."
    )
    if update.left_out:
        said += f" Left out, as they were asked about another update: {', '.join(update.left_out)}."
    return said


def _loud(update: KnowledgeUpdate) -> str:
    """What makes the shares of new facts too high; nothing if nothing does."""
    said = []
    if update.leaks:
        said.append(f"NOT ISOLATED: {update.leaks} questions stand in the new corpus")
    if update.ahead:
        said.append(f"{update.ahead} training examples state a new fact already")
    return f"{'; '.join(said)}: shares of new facts are inflated." if said else ""


def _by_field(update: KnowledgeUpdate, found: Findings) -> list[Table]:
    """New and old by what changed, where there is more than one field."""
    fields = {rung.rung: rung.fields for rung in update.rungs}
    names = list(dict.fromkeys(name for each in fields.values() for name in each))
    if len(names) < 2:
        return []
    return [_parts("changed facts by field, %", fields, {name: name for name in names}, found)]


def _by_slice(update: KnowledgeUpdate, found: Findings) -> list[Table]:
    """New and old by each tag of few values; findings have them all."""
    slices = {rung.rung: rung.slices for rung in update.rungs}
    tags = list(dict.fromkeys(tag for each in slices.values() for tag in each))
    made = []
    for name, of_name in groupby(tags, key=lambda tag: tag.partition("=")[0]):
        shown = {tag: tag.removeprefix(f"{name}=") for tag in of_name}
        if 1 < len(shown) <= WIDEST // 2:
            made.append(_parts(f"changed facts by {name}, %", slices, shown, found))
    return made


def _parts(
    title: str,
    outcomes: Mapping[str, Mapping[str, Outcomes]],
    shown: Mapping[str, str],
    found: Findings,
) -> Table:
    """New and old of some parts of the facts, by rung; `shown` has the heading of each part."""
    lines = []
    for rung, parts in outcomes.items():
        line = [found.labels[rung]]
        for part in shown:
            facts = parts.get(part)
            pair = [facts.follows, facts.stays] if facts else []
            line += [percent(share.value) for share in pair] or ["", ""]
        lines.append(line)
    counts = {part: facts.before.n for parts in outcomes.values() for part, facts in parts.items()}
    headings = [
        f"{heading} (n={counts[part]}): {what}"
        for part, heading in shown.items()
        for what in ("new", "old")
    ]
    return without_blanks(title, ["rung", *headings], lines)


def _scores(update: KnowledgeUpdate, found: Findings) -> Table:
    lines = [
        [
            found.labels[rung.rung],
            with_interval(rung.score_before),
            with_interval(rung.score_after),
            with_interval(rung.unchanged) if rung.unchanged else "",
            with_interval(rung.kept) if rung.kept and rung.asked_again else "",
        ]
        for rung in update.rungs
    ]
    rest = update.questions - update.changed
    return without_blanks(
        f"when facts change: {update.measure}, % (95% interval, each on its own)",
        ["rung", "all, before", "all, after", f"unchanged (n={rest}), before", "after – before"],
        lines,
        "all, after: by what is right now. unchanged: questions whose facts stay, a control; blank "
        "where nothing was asked again.",
    )


def _costs(update: KnowledgeUpdate, found: Findings) -> Table:
    prices = found.costs.prices
    lines = [
        [
            rung.rung,
            WAYS[rung.cost.way],
            f"{rung.cost.seconds:.1f}" if rung.cost.seconds else "",
            f"{rung.cost.labelled:.0f}" if rung.cost.labelled else "",
            short(rung.cost.money) if rung.cost.money is not None else "",
        ]
        for rung in update.rungs
    ]
    currency = prices.currency if prices else "money"
    return without_blanks(
        "what one update costs each rung",
        ["rung", "to do", "machine s", "examples to answer anew", currency],
        lines,
        "What is measured above is indexing alone; that a rung follows once it was trained again, "
        "or its examples answered anew, is taken for granted. Training is counted as its run took.",
    )


def _payoffs(update: KnowledgeUpdate, found: Findings) -> list[Table]:
    prices = found.costs.prices
    if not update.payoffs or prices is None:
        return []
    lines = [
        [
            f"{payoff.tuned} – {payoff.untuned}",
            short(payoff.extra),
            _volume(payoff.answers, payoff.low, payoff.high, "no limit", "never pays"),
            _volume(payoff.updates, payoff.updates_low, payoff.updates_high, "0", "no limit"),
        ]
        for payoff in update.payoffs
    ]
    return [
        Table(
            "break-even of updates: after how many does tuning stop paying? (95% interval)",
            ["tuned – untuned", f"more an update, {prices.currency}",
             "answers between two updates, at least", f"updates in {VOLUME:,} answers, at most"],
            lines,
            notes=[PAYING],
        )
    ]  # fmt: skip


def _volume(value: float, low: float | None, high: float | None, zero: str, infinity: str) -> str:
    def word(number: float) -> str:
        if number == math.inf:
            return infinity
        return f"{number:,.0f}" if number >= 1 else short(number) if number else zero

    if low is None or high is None or low == high:
        return word(value)
    return f"{word(value)} ({word(low)}–{word(high)})"


def _shares(facts: Outcomes | None) -> list[Interval]:
    return [facts.before, facts.follows, facts.stays, facts.neither] if facts else []


def _points(share: Interval) -> str:
    """A share with its interval, and the sign: 33.2% (31.2–35.6)."""
    value, _, rest = with_interval(share).partition(" ")
    return " ".join(filter(None, [f"{value}%", rest]))
