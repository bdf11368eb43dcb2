"""Is train good, in tables: the noise curve, what the audit found of it, and the doubtful lines."""

from __future__ import annotations

from pathlib import Path
from textwrap import shorten

from harness.analysis.data_quality import Cell, DataQuality
from harness.analysis.findings import Findings
from harness.evidence.contrasts import Contrast
from harness.report.formatting import Table, percent, seeds, with_interval

__all__ = ["data_quality"]

JUDGES = {"classifier": "the classifier's suspects", "losses": "those of the highest losses"}
QUOTED = 120
"""Characters of an input and a target in a table."""


def data_quality(found: Findings) -> list[Table]:
    """Empty where no rung kept its losses and no errors were planted."""
    told = found.data_quality
    return [
        *_noise(told, found.primary),
        *_precision(told),
        *_dropping(told, found.primary),
        *_doubtful(told),
    ]


def _noise(told: DataQuality, primary: str) -> list[Table]:
    if not told.cells:
        return []
    lines = [
        [
            cell.rung,
            percent(cell.planted),
            _left_out(cell),
            with_interval(cell.result.primary),
            percent(dev.value) if (dev := cell.result.dev) else "",
            seeds(cell.result),
        ]
        for cell in told.cells
    ]
    headings = ["rung", "wrong targets, %", "left out", primary, "dev", "seeds"]
    title = f"planted errors: {primary} by share of wrong targets in train, % (95% interval)"
    note = "Wrong targets are those of other examples; eval and dev have none."
    return [Table(title, headings, lines, prose=["left out"], notes=[note])]


def _left_out(cell: Cell) -> str:
    """How many examples were left out, whose suspects they were, and how many had been planted."""
    if cell.without is None:
        return "-"
    caught = f", {cell.caught:.0f} of them planted" if cell.planted else ""
    return f"{cell.dropped:.0f}, {JUDGES[cell.without]}{caught}"


def _precision(told: DataQuality) -> list[Table]:
    if not told.precisions:
        return []
    lines = [
        [
            one.judge,
            percent(one.planted),
            str(one.k) + (" (as many as were planted)" if one.k == one.wrong else ""),
            with_interval(one.value),
            percent(one.planted),
        ]
        for one in told.precisions
    ]
    headings = ["judge", "wrong targets, %", "most doubtful", "planted among them", "by chance"]
    return [Table("does the audit find what was planted? precision at k, %", headings, lines)]


def _dropping(told: DataQuality, primary: str) -> list[Table]:
    if not told.droppings:
        return []
    lines = [
        [
            one.cell.rung,
            percent(one.cell.planted),
            _left_out(one.cell),
            _difference(one.dev),
            _difference(one.eval),
        ]
        for one in told.droppings
    ]
    headings = ["rung", "wrong targets, %", "left out", "on dev", "on eval"]
    title = f"does leaving out the suspects help? {primary}, without – with them, points"
    note = "Exploratory: none of this was declared, and nothing is corrected. Decide on dev."
    return [Table(title, headings, lines, prose=["left out"], notes=[note])]


def _difference(contrast: Contrast | None) -> str:
    if contrast is None:
        return ""
    return f"{with_interval(contrast.delta)}, p {contrast.p:.3f}"


def _doubtful(told: DataQuality) -> list[Table]:
    if not told.doubtful:
        return []
    places = [Path(one.where) for one in told.doubtful]
    folders = {place.parent for place in places}
    shared = len(folders) == 1 and places[0].is_absolute()
    lines = [
        [place.name if shared else one.where, f"{one.loss:.2f}",
         *(shorten(text, QUOTED, placeholder=" …") for text in (one.input, one.target))]
        for one, place in zip(told.doubtful, places, strict=True)
    ]  # fmt: skip
    title = f"the {len(lines)} most doubtful examples of train: loss per token in {told.judge}"
    note = (
        "A high loss in every epoch is a hard example or a wrong target (Swayamdipta et al. 2020): "
        "look at it. `python -m harness.audit +task=NAME` looks for more."
    )
    notes = [f"Lines of files in {places[0].parent}.", note] if shared else [note]
    headings = ["line", "loss", "input", "target"]
    return [Table(title, headings, lines, prose=["input", "target"], notes=notes)]
