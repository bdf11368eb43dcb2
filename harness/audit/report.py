"""All that an audit found: the checks, and the most doubtful examples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from harness.audit.copied import not_in_input
from harness.audit.endings import cut_off, length_outliers
from harness.audit.finding import CHECKS, Finding
from harness.audit.losses import loss_suspects, trained_runs
from harness.audit.pairs import same_inputs, shared_groups
from harness.audit.values import Shares, drift, imbalance, shares
from harness.ladder.transform import Suspects
from harness.models.embedder import Embedder
from harness.task import Materials

__all__ = ["Audit", "Doubtful", "audit", "inspect"]

SHOWN = 20


@dataclass(frozen=True)
class Doubtful:
    """An example whose target may be wrong."""

    where: str
    """`file:line`."""
    id: str
    doubt: float
    flagged: bool
    """Whether the audit itself calls it wrong; losses only rank."""
    why: str
    """What speaks against its target, in words; empty if only its loss does."""
    input: str
    target: str


@dataclass(frozen=True)
class Audit:
    """What was found in one task's train and dev."""

    train: int
    dev: int
    """Examples of each."""
    findings: Sequence[Finding]
    """In the order of CHECKS."""
    shares: Mapping[str, Shares]
    """Of each key that may be missing and each value that repeats, by field."""
    judges: Sequence[str]
    """What the doubtful were ranked by, in words; none if nothing could judge them."""
    flagged: int
    """How many examples are called wrong."""
    only_ranked: int
    """How many could not have been called wrong, as too few have their label."""
    doubtful: Sequence[Doubtful]
    """The most doubtful first."""

    def record(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


def inspect(materials: Materials, near_duplicate: float) -> list[Finding]:
    """Every check that needs no model."""
    found = [
        *same_inputs(materials, near_duplicate),
        *shared_groups(materials),
        *drift(materials),
        *imbalance(materials),
        *not_in_input(materials),
        *cut_off(materials),
        *length_outliers(materials),
    ]
    order = list(CHECKS)
    return sorted(found, key=lambda finding: order.index(finding.check))


def audit(
    materials: Materials,
    near_duplicate: float,
    *,
    embedder: Embedder | None = None,
    trained: tuple[Path, str] | None = None,
) -> Audit:
    """Everything that can be seen before training, and after it if something was trained.

    Without an `embedder` no classifier is asked. `trained` is where finished runs of the task lie,
    and the SHA-256 of its train: the losses of the runs on it judge too.
    """
    judges: dict[str, Suspects] = {}
    runs = trained_runs(*trained) if trained else []
    if runs:
        names = ", ".join(f"{run.path.parent.name}/{run.path.name}" for run in runs)
        judges[f"loss in training ({names})"] = loss_suspects(runs)
    if embedder is not None:
        from harness.audit.classifier import label_suspects

        found = label_suspects(materials, embedder)
        if found:
            judges["out-of-fold linear classifiers (cleanlab)"] = found
    return Audit(
        train=len(materials.train),
        dev=len(materials.dev),
        findings=inspect(materials, near_duplicate),
        shares=shares(materials),
        judges=list(judges),
        flagged=len({i for one in judges.values() for i in one.flagged}),
        only_ranked=max((one.only_ranked for one in judges.values()), default=0),
        doubtful=_worst(materials, list(judges.values())),
    )


def _worst(materials: Materials, judges: Sequence[Suspects]) -> list[Doubtful]:
    """The most doubtful by the mean of their places in the rankings, 1 at the top and 0 below."""
    ranks = [_ranks(one) for one in judges]
    flagged = {i for one in judges for i in one.flagged}
    told = []
    for example in materials.train:
        seen = [rank[example.id] for rank in ranks if example.id in rank]
        if seen:
            doubt = sum(seen) / len(seen)
            why = next((w for one in judges if (w := one.why.get(example.id))), "")
            text = (why, example.input, example.target)
            told.append(Doubtful(example.where, example.id, doubt, example.id in flagged, *text))
    return sorted(told, key=lambda one: -one.doubt)[:SHOWN]


def _ranks(suspects: Suspects) -> dict[str, float]:
    """By id, the share of the others that are less doubtful."""
    order = sorted(suspects.doubt, key=lambda i: suspects.doubt[i])
    last = max(1, len(order) - 1)
    return {i: place / last for place, i in enumerate(order)}
