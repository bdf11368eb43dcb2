"""What is said to the model."""

from __future__ import annotations

from harness.ladder.prompt import render
from harness.task import Example, Passage

SHOT = Example("s1", "red?", "RED", "g", (), {}, "train.jsonl:1")
PAGE = Passage("P1", "Colours", "Red is red.", "corpus.jsonl:1")


def test_a_bare_prompt_is_instructions_and_question() -> None:
    assert render("Do.", "Q: {input}", "blue {x}?") == [
        {"role": "system", "content": "Do."},
        {"role": "user", "content": "Q: blue {x}?"},
    ]


def test_shots_are_turns_and_passages_stand_before_the_question() -> None:
    messages = render("Do.", "Q: {input}", "blue?", [SHOT], [PAGE])
    assert [m["role"] for m in messages] == ["system", "user", "assistant", "user"]
    assert messages[1]["content"] == "Q: red?"
    assert messages[2]["content"] == "RED"
    assert messages[3]["content"] == "[P1] Colours\nRed is red.\n\nQ: blue?"
