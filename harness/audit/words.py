"""An audit in words: one line for each thing that was found, with file and line first."""

from __future__ import annotations

from collections.abc import Iterator

from harness.audit.finding import CHECKS, quote
from harness.audit.report import Audit

__all__ = ["lines"]

SHOWN = 10
"""Lines of each check, unless all are wanted."""


def lines(task: str, found: Audit, *, everything: bool = False) -> Iterator[str]:
    """The audit of a task, the checks first, then the most doubtful examples."""
    yield f"{task}: {found.train} examples of train and {found.dev} of dev; eval takes no part"
    for check, about in CHECKS.items():
        own = [finding for finding in found.findings if finding.check == check]
        if not own:
            continue
        yield ""
        yield f"{check}: {about} ({len(own)})"
        for finding in own if everything else own[:SHOWN]:
            places = ", ".join(finding.where)
            yield f"  {places}: {finding.text}" if places else f"  {finding.text}"
        if not everything and len(own) > SHOWN:
            yield f"  and {len(own) - SHOWN} more: --full"
    clean = [check for check in CHECKS if all(f.check != check for f in found.findings)]
    if clean:
        yield ""
        yield f"nothing found: {', '.join(clean)}"
    if everything:
        yield from _shares(found)
    yield ""
    yield from _doubtful(found)


def _shares(found: Audit) -> Iterator[str]:
    for name, column in found.shares.items():
        yield ""
        yield f"{name}: % of train / % of dev"
        for value, (train, dev) in column.items():
            yield f"  {100 * train:5.1f} / {'-' if dev is None else f'{100 * dev:5.1f}'}  {value}"


def _doubtful(found: Audit) -> Iterator[str]:
    if not found.judges:
        yield (
            "no example was judged by its target: that takes labels, or fields of JSON whose "
            "values repeat (without --quick), or a finished run of a tuned rung on this train"
        )
        return
    judges = " and ".join(found.judges)
    yield f"the {len(found.doubtful)} most doubtful examples of train, by {judges}"
    for one in found.doubtful:
        mark = "wrong? " if one.flagged else ""
        told = one.why or quote(one.target, 100)
        yield f"  {one.where}: {mark}{quote(one.input)} → {told}"
    if found.flagged:
        yield f"{found.flagged} of {found.train} contradict what the others say (wrong?)"
    if found.only_ranked:
        yield (
            f"{found.only_ranked} of {found.train} are ranked only: where a label has ten examples "
            "or fewer, cleanlab calls none of them wrong"
        )
