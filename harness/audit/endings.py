"""Targets that seem to end early, and texts of unusual length."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from harness.audit.columns import texts
from harness.audit.finding import Finding, quote
from harness.task import Example, Materials

__all__ = ["cut_off", "length_outliers"]

PAIRS = {"(": ")", "[": "]", "{": "}", "“": "”", "«": "»"}
QUOTE = '"'
OPEN = re.compile(r"[,;:(\[{“«–—-]$")
"""What nothing ends with."""
UNFINISHED = re.compile(
    r"(?<![\w-])(a|an|the|and|or|but|of|to|is|are|was|were|because|than)$", re.I
)
"""English words that no sentence ends with, nearly."""
FINAL = re.compile(r"[.!?…。！？][\"'”’»)\]]*$")
CUSTOM = 0.9
"""Share of texts that end with such a mark, from which those without are told."""
SENTENCE = 4
"""Words from which a text is taken for a sentence."""
LIMIT = 5
"""So many different texts of the greatest length look like a limit on characters."""
FAR = 3.5
"""Modified z-score (Iglewicz and Hoaglin 1993) of the logarithm of a length."""


def cut_off(materials: Materials) -> list[Finding]:
    """Texts of targets, in train and dev, that end as if something were missing."""
    examples = [*materials.train, *materials.dev]
    found: list[tuple[int, Finding]] = []
    place = {example.id: i for i, example in enumerate(examples)}
    for name, column in _columns(materials, examples).items():
        limit, punctuated = _limit(column), _punctuated(column)
        for i, text in column.items():
            why = _why(text, limit, punctuated)
            if why:
                field = "" if name == "target" else f"{name} "
                said = f"{field}ends in {quote(text[-40:])}: {why}"
                found.append((place[i], Finding("cut off", (examples[place[i]].where,), said)))
    return [finding for _, finding in sorted(found, key=lambda one: one[0])]


def length_outliers(materials: Materials) -> list[Finding]:
    """Inputs and targets that are much longer or shorter than the rest of their kind."""
    examples = [*materials.train, *materials.dev]
    found: list[Finding] = []
    columns = {"input": {e.id: e.input for e in examples}}
    if materials.answer.labels is None:
        columns["target"] = {e.id: e.target for e in examples}
    for name, column in columns.items():
        lengths = np.array([len(text) for text in column.values()])
        logs = np.log1p(lengths)
        middle = np.median(logs)
        spread = np.median(np.abs(logs - middle))
        if not spread:
            continue
        far = 0.6745 * (logs - middle) / spread
        for i in np.argsort(-np.abs(far), kind="stable"):
            if abs(far[i]) > FAR:
                usual = f"the median is {np.median(lengths):.0f}"
                text = f"{name} of {lengths[i]:,} characters, {usual}"
                found.append(Finding("length", (examples[i].where,), text))
    return found


def _columns(materials: Materials, examples: Sequence[Example]) -> dict[str, dict[str, str]]:
    """Free text, that is: with blanks in it at least sometimes."""
    return {
        name: column
        for name, column in texts(materials, examples).items()
        if any(" " in text.strip() for text in column.values())
    }


def _limit(column: Mapping[str, str]) -> int | None:
    """The number of characters at which texts seem to have been cut."""
    lengths = Counter(len(text) for text in set(column.values()))
    longest = max(lengths)
    return longest if lengths[longest] >= LIMIT else None


def _punctuated(column: Mapping[str, str]) -> bool:
    """Whether nearly all sentences end with a full stop or its like."""
    sentences = [text for text in column.values() if len(text.split()) >= SENTENCE]
    ended = sum(bool(FINAL.search(text.rstrip())) for text in sentences)
    return len(sentences) > 1 and ended >= CUSTOM * len(sentences)


def _why(text: str, limit: int | None, punctuated: bool) -> str:
    """Why a text seems to end early; nothing if it does not."""
    end = text.rstrip()
    opened = [o for o, c in (*PAIRS.items(), (QUOTE, "")) if _unclosed(end, o, c)]
    if opened:
        return f"{'a quotation mark' if opened[0] == QUOTE else opened[0]} is never closed"
    if OPEN.search(end):
        return f"{end[-1]} has nothing behind it"
    if len(end.split()) < SENTENCE or FINAL.search(end):
        return ""
    if UNFINISHED.search(end):
        return "the sentence goes on"
    if len(text) == limit:
        return f"as long as the longest, {limit} characters"
    return "no final punctuation, which others have" if punctuated else ""


def _unclosed(text: str, opening: str, closing: str) -> bool:
    """Whether a bracket stays open; a mark without a closing one of its own stands in twos."""
    if not closing:
        return text.count(opening) % 2 == 1
    return text.count(opening) > text.count(closing)
