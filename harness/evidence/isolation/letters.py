"""Texts as they are compared: what a reader does not see, or sees as the same, set aside."""

from __future__ import annotations

import re
import unicodedata

__all__ = ["normalize"]

BLANK = "\u115f\u1160\u2800"
"""Letters and symbols without ink, which Unicode does not count among format characters."""


def normalize(text: str) -> str:
    """Words in small letters with single blanks between them, for comparison alone.

    Set aside are case, width and other compatibility forms (NFKC), accents and other combining
    marks, what cannot be seen, punctuation, and which alphabet a letter is taken from if it looks
    like one of ASCII (Unicode Technical Standard 39, its table by confusable-homoglyphs).

    >>> normalize("Ｃafé, «сору»\u200b!")
    'cafe copy'
    """
    if text.isascii():
        text = text.casefold()
    else:
        folded = unicodedata.normalize("NFKC", text).casefold()
        # Marks come apart from their letters, fall away, and Hangul is put together again.
        plain = unicodedata.normalize("NFKD", folded).translate(PLAIN)
        text = unicodedata.normalize("NFC", plain)
    return " ".join(re.findall(r"\w+", text))


class _Plain(dict[int, str]):
    """What each letter is replaced by, found when it is first met."""

    def __missing__(self, code: int) -> str:
        self[code] = _plain(chr(code))
        return self[code]


def _plain(letter: str) -> str:
    """The ASCII letters or digits that a letter looks like, nothing for what cannot be seen, or the
    letter itself.

    Letters of ASCII are never taken for others: a 0 is no O, as numbers are facts.
    """
    from confusable_homoglyphs.confusables import is_confusable  # a megabyte of JSON

    if letter.isascii():
        return letter
    if unicodedata.category(letter) in ("Mn", "Mc", "Me", "Cf") or letter in BLANK:
        return ""
    # Many a small letter looks like none of ours where its capital does: the Cyrillic н and Н.
    for form in (letter, letter.upper()):
        if form.isascii():
            return form.casefold()
        for found in is_confusable(form) or ():
            for other in found["homoglyphs"]:
                if other["c"].isascii() and other["c"].isalnum():
                    return str(other["c"]).casefold()
    return letter


PLAIN = _Plain()
