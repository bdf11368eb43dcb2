"""What people and programs do to a text that they copy, kind by kind.

Edits are drawn by a `random.Random`, so that a seed gives the same ones again. Paraphrases cannot
be drawn: paraphrases.jsonl has 40 for each of two tasks, with the id of the eval example that each
rewords. A language model wrote them one by one, as a person would tell or ask the same again, with
all facts kept and no templates. Those of support_json are CC0-1.0; those of halueval_qa are
CC-BY-SA-4.0, as the questions are.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random
from types import MappingProxyType

from confusable_homoglyphs.confusables import is_confusable

from harness.task import Task

__all__ = ["EDITS", "PARAPHRASE", "Edit", "Source", "paraphrases", "source"]

PARAPHRASE = "paraphrase"
PARAPHRASES = Path(__file__).with_name("paraphrases.jsonl")


@dataclass(frozen=True)
class Source:
    """What an edit may draw from: the other texts of a task."""

    words: tuple[str, ...]
    """All words of train, as often as they occur."""
    texts: tuple[str, ...]
    """Train's inputs."""


Edit = Callable[[str, Random, Source], str | None]
"""The edited text, or None where there is nothing to edit."""


def source(task: Task) -> Source:
    """What this task's edits draw from."""
    texts = tuple(e.input for e in task.materials.train)
    return Source(tuple(word for text in texts for word in text.split()), texts)


def paraphrases(task: str) -> dict[str, str]:
    """The written paraphrases of a task, by the id of the eval example; none for most tasks."""
    rows = map(json.loads, PARAPHRASES.read_text(encoding="utf-8").splitlines())
    return {row["id"]: row["text"] for row in rows if row["task"] == task}


def verbatim(text: str, rng: Random, source: Source) -> str:
    return text


def case_and_punctuation(text: str, rng: Random, source: Source) -> str:
    """Each word in a case of its own; other marks, and more of them."""
    words = [rng.choice((str.upper, str.lower, str.title))(word) for word in text.split()]
    return re.sub(r"[^\w\s]", lambda _: rng.choice(("", ";", " -- ", "...")), " ".join(words)) + "!"


def lookalikes(text: str, rng: Random, source: Source) -> str:
    """Curly quotes, no-break and double spaces, a third of the words in full-width letters."""
    text = text.replace("'", "’").replace('"', "“")
    wide = {code: code + 0xFEE0 for code in range(0x21, 0x7F)}
    words = [word.translate(wide) if rng.random() < 1 / 3 else word for word in text.split()]
    return "".join(word + rng.choice(("\u00a0", "  ", "\t\n", "\u2009")) for word in words)


def zero_width(text: str, rng: Random, source: Source) -> str:
    """Soft hyphens and zero-width characters, one in every fifth place."""
    unseen = ("\u00ad", "\u200b", "\u200d", "\u2060", "\ufeff")
    return "".join(c + rng.choice(unseen) if rng.random() < 1 / 5 else c for c in text)


def cyrillic(text: str, rng: Random, source: Source) -> str:
    """Letters of another script that look the same."""
    return text.translate(str.maketrans("aceopxyACEOPX", "асеорхуАСЕОРХ"))


def any_alphabet(text: str, rng: Random, source: Source) -> str:
    """A third of the letters from whatever alphabet has one that looks the same."""
    return "".join(rng.choice(_twins(c)) if rng.random() < 1 / 3 else c for c in text)


@cache
def _twins(letter: str) -> tuple[str, ...]:
    """Letters that look like one, of Unicode's table; the letter itself where there is none."""
    found = is_confusable(letter) if letter.isalpha() else ()
    twins = [other["c"] for one in found or () for other in one["homoglyphs"]]
    return tuple(c for c in twins if len(c) == 1 and c.isalpha() and not c.isascii()) or (letter,)


def accents(text: str, rng: Random, source: Source) -> str:
    """Combining marks on a fifth of the letters."""
    marks = "\u0301\u0308\u0323\u0332"
    return "".join(
        c + rng.choice(marks) if c.isalpha() and rng.random() < 1 / 5 else c for c in text
    )


def _replaced(text: str, count: int, rng: Random, source: Source) -> str:
    words = text.split()
    for place in rng.sample(range(len(words)), min(count, len(words))):
        old = words[place].casefold()
        words[place] = next(w for w in iter(lambda: rng.choice(source.words), None)
                            if w.casefold() != old)  # fmt: skip
    return " ".join(words)


def replaced(share: float) -> Edit:
    """This share of the words, and at least one, replaced by words of the task."""

    def edit(text: str, rng: Random, source: Source) -> str:
        return _replaced(text, max(1, round(share * len(text.split()))), rng, source)

    return edit


def transposed(share: float) -> Edit:
    """This share of all neighbouring pairs, and at least one, the other way round."""

    def edit(text: str, rng: Random, source: Source) -> str | None:
        words = text.split()
        pairs = range(0, len(words) - 1, 2)
        if not pairs:
            return None
        for i in rng.sample(pairs, max(1, round(share * len(pairs)))):
            words[i], words[i + 1] = words[i + 1], words[i]
        return " ".join(words)

    return edit


def sentences_moved(text: str, rng: Random, source: Source) -> str | None:
    """The sentences in an order in which none follows the one that it followed."""
    sentences = re.split(r"(?<=[.!?])\s+", text.strip())
    return " ".join(reversed(sentences)) if len(sentences) > 1 else None


def first_half(text: str, rng: Random, source: Source) -> str | None:
    words = text.split()
    return " ".join(words[: len(words) // 2]) or None


def second_half(text: str, rng: Random, source: Source) -> str | None:
    words = text.split()
    return " ".join(words[len(words) // 2 :]) if len(words) > 1 else None


def half_embedded(text: str, rng: Random, source: Source) -> str | None:
    """The first half between two inputs of train."""
    half = first_half(text, rng, source)
    return embedded(half, rng, source) if half else None


def every_other_replaced(text: str, rng: Random, source: Source) -> str | None:
    """Every second word replaced by one of the task."""
    words = text.split()
    for place in range(1, len(words), 2):
        words[place] = rng.choice(source.words)
    return " ".join(words) if len(words) > 1 else None


def every_other_left_out(text: str, rng: Random, source: Source) -> str | None:
    words = text.split()
    return " ".join(words[::2]) if len(words) > 1 else None


def word_inserted(text: str, rng: Random, source: Source) -> str:
    """A word of the task behind every word."""
    return " ".join(f"{word} {rng.choice(source.words)}" for word in text.split())


def embedded(text: str, rng: Random, source: Source) -> str:
    """Between two inputs of train."""
    before, after = rng.sample(source.texts, 2)
    return f"{before} {text} {after}"


EDITS: Mapping[str, Edit] = MappingProxyType(
    {
        "verbatim": verbatim,
        "case and punctuation": case_and_punctuation,
        "quotes, spaces, full-width letters": lookalikes,
        "zero-width characters": zero_width,
        "Cyrillic letters that look Latin": cyrillic,
        "look-alikes of all alphabets": any_alphabet,
        "combining marks": accents,
        "one word replaced": replaced(0.0),
        "10% of words replaced": replaced(0.1),
        "20% of words replaced": replaced(0.2),
        "30% of words replaced": replaced(0.3),
        "one pair of words transposed": transposed(0.0),
        "every other pair transposed": transposed(0.5),
        "sentences in another order": sentences_moved,
        "embedded in a longer text": embedded,
        "first half alone": first_half,
        "second half alone": second_half,
        "first half embedded": half_embedded,
        "every other word replaced": every_other_replaced,
        "every other word left out": every_other_left_out,
        "a word inserted behind every word": word_inserted,
    }
)


def edited(task: Task, seed: int) -> list[tuple[str, str, str]]:
    """(kind, id of the eval example, text) for every kind of edit and every example of eval."""
    drawn_from = source(task)
    rows = [
        (kind, e.id, text)
        for kind, edit in EDITS.items()
        for e in task.eval
        if (text := edit(e.input, Random(f"{seed} {kind} {e.id}"), drawn_from))
    ]
    return rows + [(PARAPHRASE, id, text) for id, text in paraphrases(task.name).items()]
