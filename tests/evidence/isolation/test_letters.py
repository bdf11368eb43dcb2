"""What two texts may differ in and still be compared as the same."""

from __future__ import annotations

import unicodedata

import pytest

from harness.evidence.isolation import normalize


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("The ZIP -- of  my\ttent…", "the zip of my tent"),
        ("Ｔｈｅ ﬁne café", "the fine cafe"),
        ("te\u200bnt t\u00adent \u2066tent\u2069 t\u115fent", "tent tent tent tent"),
        ("сору СОРУ", "copy copy"),  # Cyrillic
        ("ραgе Νοte", "page vote"),  # Greek; of a capital its small letter counts
        ("c\u0323a\u0308\u0332fe\u0301", "cafe"),
        ("Straße", "strasse"),
    ],
)
def test_what_looks_the_same_is_compared_as_the_same(text: str, plain: str) -> None:
    assert normalize(text) == plain


@pytest.mark.parametrize("text", ["нет Нет НЕТ", "αβγ Αβγ ΑΒΓ", "éa Éa ÉA", "ßa ẞa SSA"])
def test_case_is_set_aside_in_every_alphabet(text: str) -> None:
    assert len(set(normalize(text).split())) == 1


@pytest.mark.parametrize("text", ["0", "1", "10 l0 lO", "rn m"])
def test_letters_and_digits_of_ascii_stay_apart(text: str) -> None:
    assert normalize(text) == text.casefold()


def test_other_scripts_keep_their_words_and_their_letters_apart() -> None:
    assert normalize("한국어, 안녕!") == "한국어 안녕"
    assert normalize("東京 大阪") == "東京 大阪"
    assert len({normalize(word) for word in ("дом", "дым", "дам")}) == 3


def test_how_a_text_is_encoded_makes_no_difference() -> None:
    text = "Ångström, déjà vu, 한국"
    assert normalize(unicodedata.normalize("NFD", text)) == normalize(text)
