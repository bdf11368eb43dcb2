"""What came before the answers that count, in tables."""

from __future__ import annotations

from harness.analysis.findings import Findings
from harness.report.formatting import Table, percent, short

__all__ = ["decoded_freely", "dialogue_tables"]


def dialogue_tables(found: Findings) -> list[Table]:
    """Empty where every rung took the first answer."""
    return [*_retries(found), *_calls(found)]


def decoded_freely(found: Findings) -> str:
    """Which rungs answer freely by declaration, where others are held to the constraint."""
    free = [found.labels[one.rung] for one in found.dialogues if one.free]
    held = any(rung.manifest["decoding"] == "constrained" for rung in found.rungs)
    if not free or not held:
        return ""
    verb = "answers" if len(free) == 1 else "answer"
    return f"{' and '.join(free)} {verb} without the constraint, by declaration"


def _retries(found: Findings) -> list[Table]:
    told = [(one, one.retries) for one in found.dialogues if one.retries]
    if not told:
        return []
    most = max(len(retries.repaired) for _, retries in told)
    lines = [
        [
            found.labels[one.rung],
            f"{one.answers:.2f}",
            percent(1 - retries.refused),
            *(percent(share) for share in retries.repaired),
            *[""] * (most - len(retries.repaired)),
            percent(retries.left),
            "" if retries.repeated is None else percent(retries.repeated),
            percent(one.earlier_tokens),
        ]
        for one, retries in told
    ]
    headings = [
        "rung", "answers a question", "accepted at once",
        *(f"repaired by retry {n}" for n in range(1, most + 1)),
        "never valid", "same text again", "tokens before the last",
    ]  # fmt: skip
    note = (
        "Shares of the questions; same text again: of the retries; tokens before the last: of all "
        "tokens sent and written. Valid is about form: a retry never learns what is right."
    )
    return [Table("retries: what asking again repaired, %", headings, lines, notes=[note])]


def _calls(found: Findings) -> list[Table]:
    lines = [
        [
            found.labels[one.rung],
            tool.tool or "(unreadable)",
            f"{tool.calls:.2f}",
            percent(tool.questions),
            percent(tool.failed),
            short(tool.seconds),
        ]
        for one in found.dialogues
        for tool in one.tools
    ]
    headings = ["rung", "tool", "calls a question", "questions, %", "failed, %", "s a call"]
    shares = [
        f"{found.labels[one.rung]} called a tool in {percent(one.calling)}% of its questions; "
        f"{percent(one.earlier_tokens)}% of its tokens went into calls."
        for one in found.dialogues
        if one.calling is not None
    ]
    table = Table("calls of tools", headings, lines, notes=shares)
    return [table] * bool(shares)
