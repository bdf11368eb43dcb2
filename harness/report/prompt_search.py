"""Searches among prompts, in a sentence and a table each."""

from __future__ import annotations

from harness.analysis.findings import Findings
from harness.analysis.prompt_search import PromptSearch
from harness.report.formatting import Table, percent

__all__ = ["search_sentences", "search_tables"]


def search_sentences(found: Findings) -> list[str]:
    """What won, by how much it did where it was picked, and what it is worth elsewhere."""
    return [f"{_name(one)}: {_sentence(one)}." for one in found.searches]


def search_tables(found: Findings) -> list[Table]:
    """All prompts that were tried, best first; one table for each search."""
    return [_table(one, found.primary) for one in found.searches]


def _name(one: PromptSearch) -> str:
    return one.rung if one.seed is None else f"{one.rung} seed={one.seed}"


def _sentence(one: PromptSearch) -> str:
    parts = [
        f"{one.chosen.prompt} is the best of {len(one.tried)} prompts on {one.n} dev questions "
        f"({percent(one.chosen.value)}; median {percent(one.middle)}"
    ]
    written = one.written
    if written and written != one.chosen:
        parts[0] += f", {written.prompt} {percent(written.value)}"
    parts[0] += ")"
    if one.held_out is not None:
        parts.append(
            f"{percent(one.held_out)} on {one.held_out_n} dev questions that did not pick it"
        )
    if one.dropped:
        first = one.dropped[0]
        count = len(one.dropped)
        left = f"{count} {'prompt was' if count == 1 else 'prompts were'} left out"
        parts.append(f"{left} ({first['prompt']}: {first['why']})")
    return "; ".join(parts)


def _table(one: PromptSearch, primary: str) -> Table:
    ranked = sorted(one.tried, key=lambda t: -t.value)
    lines = [
        [
            t.prompt + (" (chosen)" if t == one.chosen else ""),
            percent(t.value),
            f"{t.tokens:.0f}",
            f"{t.seconds:.0f}",
        ]
        for t in ranked
    ]
    took = f"{one.asked:,} dev questions answered, {one.tokens:,} tokens, {one.seconds:.0f} s"
    if one.reflector:
        took += (
            f", {one.reflections} reflections by {one.reflector} with {one.proposed} proposals "
            "in them"
        )
    return Table(
        f"prompts tried for {_name(one)}: {primary} on {one.n} dev questions, %",
        ["prompt", primary, "tokens a question", "s"],
        lines,
        notes=[
            f"{search_note(one)} The search took {took}: beside the trials that every rung has.",
        ],
    )


def search_note(one: PromptSearch) -> str:
    """What the value of the best on its own questions is worth."""
    if one.held_out is None:
        return "The best of many looks better here than it is."
    return (
        f"The best of many looks better here than it is; on {one.held_out_n} dev questions that "
        f"did not pick it it has {percent(one.held_out)}, by which rungs are chosen."
    )
