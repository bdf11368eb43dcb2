"""All that one ladder shows, found once: for the terminal, the page and MLflow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.evidence import sanity
from harness.evidence.contrasts import Contrast
from harness.evidence.sanity import Badge
from harness.evidence.statistics import expected_optimism
from harness.record.ledger import configuration, ledger_path, read
from harness.report.contrasts import against, contrasts, planned, reading
from harness.report.controls import Held, held
from harness.report.entries import Entry, entries
from harness.report.ladder import Row
from harness.report.text import percent, with_interval

__all__ = ["Findings", "Verdict", "curve", "findings"]

JUDGING = ("majority", "shuffled_targets")
"""Controls that a tuned rung must be above, or its training taught it nothing of the task."""


@dataclass(frozen=True)
class Verdict:
    """A declared contrast in words."""

    contrast: Contrast
    text: str
    """One sentence: which is better, and by how much."""
    detail: str
    """What else must be known to read it; often nothing."""
    blocked: str
    """Why it is not to be acted on, or nothing."""

    @property
    def kind(self) -> str:
        """holds, open (nothing detectable was found) or blocked."""
        if self.blocked:
            return "blocked"
        return "open" if self.contrast.verdict == "no detectable difference" else "holds"


@dataclass(frozen=True)
class Findings:
    """What the runs of one ladder prove, and how far that can be trusted."""

    ladder: Sequence[Entry]
    """The rungs, in ladder order."""
    controls: Sequence[Held]
    contrasts: Sequence[Contrast]
    """The declared family."""
    badges: Mapping[str, Sequence[Badge]]
    """Of each rung, by its key."""
    judged: int
    """How many configurations this eval set has judged; 0 if no ledger was kept."""

    @property
    def verdicts(self) -> list[Verdict]:
        """One for each declared contrast."""
        labels = {entry.key: entry.label for entry in self.ladder}
        return [
            Verdict(c, *_sentences(c, labels), sanity.blocked(c, self.badges))
            for c in self.contrasts
        ]

    @property
    def notes(self) -> list[str]:
        """How to read the verdicts."""
        return [
            *filter(None, [planned(self.ladder)]),
            *([reading(self.contrasts)] if self.contrasts else []),
            *filter(None, [self.chosen]),
        ]

    @property
    def chosen(self) -> str:
        """What the choice among all that was judged adds to the best score; often nothing."""
        if self.judged < 2 or not self.ladder:
            return ""
        said = f"This eval set has judged {self.judged} configurations"
        best = max((entry.primary for entry in self.ladder), key=lambda primary: primary.value)
        optimism = expected_optimism(self.judged, best)
        if optimism is None:
            return f"{said}."
        return (
            f"{said}; the best of {self.judged} equally good ones would look up to about "
            f"{percent(optimism)} points better than it is, by chance."
        )


def findings(rows: Sequence[Row]) -> Findings:
    """Compare the rungs of one ladder, hold its controls against them, and check them."""
    lines = entries(rows)
    ladder = [entry for entry in lines if entry.control is None]
    controls = held([entry for entry in lines if entry.control is not None], ladder)
    return Findings(
        ladder=ladder,
        controls=controls,
        contrasts=contrasts(rows),
        badges={entry.key: _badges(entry, ladder, controls) for entry in ladder},
        judged=_judged(rows),
    )


def curve(row: Row) -> list[dict[str, float]]:
    """The points of a run's training curve; none for an untuned rung."""
    if row.manifest["training"] is None:
        return []
    points: list[dict[str, float]] = row.folder.read("training.json")["curve"]["points"]
    return points


def _judged(rows: Sequence[Row]) -> int:
    """Configurations in the ledger, and runs here that are older than it; 0 without a ledger."""
    first = rows[0]
    path = ledger_path(first.folder.path.parents[1], first.manifest["fingerprints"]["eval"])
    if not path.exists():
        return 0
    own = [row.manifest["identity"] for row in rows if row.manifest["control"] is None]
    return len({one.configuration for one in read(path)} | set(map(configuration, own)))


def _badges(entry: Entry, ladder: Sequence[Entry], controls: Sequence[Held]) -> list[Badge]:
    model = entry.manifest["model"]
    alike = [row for e in ladder for row in e.rows if row.manifest["model"] == model]
    templates = {row.manifest["template"] for row in alike} - {None}
    made = sanity.worst(
        [sanity.badges(r.manifest, r.metrics, curve(r), templates) for r in entry.rows]
    )
    judges = {
        one.control.label: one.contrast
        if one.rung is entry and one.contrast
        else against(entry, one.control)
        for one in controls
        if _judges(one, entry)
    }
    if judges:
        made.append(sanity.above(judges))
    most = max(len(e.trials) for e in ladder)
    return [*made, sanity.effort(len(entry.trials), most)] if most else made


def _judges(one: Held, entry: Entry) -> bool:
    """Whether a control is one that this rung must be above."""
    of: Any = one.control.manifest["control"]["of"]
    measured = one.contrast is not None and all(row.values for row in entry.rows)
    ours = of is None or one.rung is entry
    return entry.tuned and one.control.control in JUDGING and ours and measured


def _sentences(c: Contrast, labels: Mapping[str, str]) -> tuple[str, str]:
    """A contrast in words, and what else must be known."""
    rung, baseline = labels[c.rung], labels[c.baseline]
    if c.identical:
        return f"{rung} and {baseline} scored the same on every question", ""
    difference = f"{with_interval(c.delta)} points of {c.metric}"
    match c.verdict:
        case "better" | "worse":
            return f"{rung} is {c.verdict} than {baseline}: {difference}", ""
        case "equivalent":
            text = f"{rung} and {baseline} are equivalent within the stated margin: {difference}"
            return text, ""
        case _:
            found = percent(c.detectable)
            return (
                f"no detectable difference between {rung} and {baseline}: {difference}",
                f"a true difference of {found} points would have been found 4 times in 5",
            )
