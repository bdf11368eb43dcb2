"""The tables of the first screen: scores, contrasts, and a line of cost for each rung."""

from __future__ import annotations

from harness.analysis.findings import Findings
from harness.analysis.rung_costs import RungCosts
from harness.report import diagnosis
from harness.report.cost_tables import amount, without_blanks
from harness.report.dialogues import decoded_freely
from harness.report.formatting import DASH, Table, footnote, known, percent, short
from harness.report.learning_curve import hidden, line
from harness.report.prompt_search import search_sentences
from harness.report.tables import contrasts, elsewhere, scores
from harness.report.verdicts import chosen, reading

__all__ = ["essence"]


def essence(found: Findings) -> list[Table]:
    """What a reader needs first; `tables` has the rest."""
    tables = [
        *(_scores(table, found) for table in scores(found)),
        *(_contrasts(table, found) for table in contrasts(found)),
        *diagnosis.tables(found)[:1],
        *([_costs(found)] if found.rungs else []),
    ]
    return [table for table in tables if len(table.headings) > 1]


def _scores(table: Table, found: Findings) -> Table:
    """The scores; how many seeds there were stands there only if some rung has several."""
    several = any(len(rung.runs) > 1 for rung in found.rungs)
    beside = [f"{one.control.label} {percent(one.control.primary.value)}" for one in found.controls]
    controls = f"controls: {', '.join(beside)}" if beside else ""
    luck = "" if found.contrasts else chosen(found)
    said = [
        elsewhere(found),
        decoded_freely(found),
        hidden(found),
        line(found),
        *search_sentences(found),
        luck,
        diagnosis.hint(found),
    ]
    notes = [*filter(None, [footnote(found.rungs), controls, *said])]
    return _without(table, "" if several else "seeds", notes)


def _contrasts(table: Table, found: Findings) -> Table:
    """The contrasts without their verdicts, which stand above as sentences."""
    return _without(table, "verdict", [*filter(None, [reading(found), chosen(found)])])


def _costs(found: Findings) -> Table:
    """One line for each rung: of a question, and of a whole run."""
    prices = found.costs.prices
    currency = prices.currency if prices else ""
    headings = ["rung", "prompt tok", "answer tok", "s median", "train s", "peak MB", "run s"]
    money = [f"{currency or 'cost'} / 1,000", f"{currency} once"]
    lines = [[*_line(rung), *_money(rung)] for rung in found.costs.rungs]
    title = "cost of a question (tokens, median seconds) and of a run"
    return without_blanks(f"{title}; money, {currency}" if prices else title,
                          [*headings, *money], lines)  # fmt: skip


def _line(rung: RungCosts) -> list[str]:
    return [
        rung.rung,
        known(rung.answering.prompt_tokens),
        known(rung.answering.completion_tokens),
        known(rung.answering.seconds_median, 3),
        f"{rung.tuning.seconds:.0f}" if rung.tuning else "",
        known(rung.peak_memory_megabytes),
        known(rung.seconds),
    ]


def _money(rung: RungCosts) -> list[str]:
    """Of 1,000 answers, and of what is paid once: training, indexing, labelled examples."""
    money = rung.money
    if money is None:
        return [DASH if rung.seconds is None else "", ""]
    once = (money.machine or 0.0) + (money.labels or 0.0)
    return [short(1000 * money.request) if money.request is not None else "", amount(once)]


def _without(table: Table, heading: str, notes: list[str]) -> Table:
    kept = [place for place, name in enumerate(table.headings) if name != heading]
    return Table(
        table.title,
        [table.headings[place] for place in kept],
        [[line[place] for place in kept] for line in table.lines],
        prose=table.prose,
        notes=notes,
    )
