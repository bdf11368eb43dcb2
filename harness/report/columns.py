"""Tables in a terminal: wide ones are split between columns, never inside a word or a number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len

from harness.report.formatting import Table

__all__ = ["GAP", "Part", "parts"]

GAP = 2
"""Blanks behind each column."""
PROSE = 24
"""Columns that words are broken into, if there is room; more if a word is longer."""


@dataclass(frozen=True)
class Part:
    """Some columns of a table, the first among them, and how wide each is drawn."""

    headings: Sequence[str]
    lines: Sequence[Sequence[str]]
    widths: Sequence[int]


def parts(table: Table, width: int) -> list[Part]:
    """A table as parts that are no wider than `width` characters, the first column in each.

    Headings are broken between words where that saves a part. A single word or number that is
    wider than all the room there is cannot be helped.
    """
    everything = list(range(len(table.headings)))
    for whole in (True, False):
        widths = [_least(table, place, whole) for place in everything]
        if _total(widths) <= width:
            return [_part(table, everything, widths, width)]
    shown: list[list[int]] = [[0]]
    for place in everything[1:]:
        if len(shown[-1]) > 1 and _total([widths[p] for p in (*shown[-1], place)]) > width:
            shown.append([0])
        shown[-1].append(place)
    return [_part(table, some, [widths[p] for p in some], width) for some in shown]


def _least(table: Table, place: int, whole: bool) -> int:
    """How much room a column needs, its heading in one line (`whole`) or broken."""
    heading = table.headings[place]
    cells = [line[place] for line in table.lines]
    head = cell_len(heading) if whole else _longest_word([heading])
    if heading in table.prose:
        room = min(PROSE, max(map(cell_len, cells), default=0))
        return max(head, room, _longest_word(cells))
    return max(head, *map(cell_len, cells), 0)


def _part(table: Table, places: Sequence[int], least: Sequence[int], width: int) -> Part:
    headings = [table.headings[place] for place in places]
    lines = [[line[place] for place in places] for line in table.lines]
    widths = list(least)
    room = width - _total(widths)
    for i, heading in enumerate(headings):
        if room > 0 and heading in table.prose:
            wanted = max(cell_len(text) for text in (heading, *(line[i] for line in lines)))
            more = min(room, max(0, wanted - widths[i]))
            widths[i], room = widths[i] + more, room - more
    while room < 0:  # a name is too long: break it, or what stands beside it, between words
        slack = [
            w - _longest_word([headings[i], *(line[i] for line in lines)])
            for i, w in enumerate(widths)
        ]
        most = max(range(len(widths)), key=slack.__getitem__)
        if slack[most] <= 0:
            break
        less = min(slack[most], -room)
        widths[most], room = widths[most] - less, room + less
    return Part(headings, lines, widths)


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + GAP * len(widths)


def _longest_word(texts: Sequence[str]) -> int:
    return max((cell_len(word) for text in texts for word in text.split()), default=0)
