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
    messages = render("Do.", "Q: {input}", "blue?", [(SHOT, ())], [PAGE])
    assert [m["role"] for m in messages] == ["system", "user", "assistant", "user"]
    assert messages[1]["content"] == "Q: red?"
    assert messages[2]["content"] == "RED"
    assert messages[3]["content"] == "[P1] Colours\nRed is red.\n\nQ: blue?"


def test_a_shot_shows_passages_of_its_own_as_the_question_does() -> None:
    other = Passage("P2", "", "Blue is blue.", "corpus.jsonl:2")
    _, shot, _, asked = render("Do.", "Q: {input}", "blue?", [(SHOT, [PAGE, other])], [other])
    assert shot["content"] == "[P1] Colours\nRed is red.\n\nBlue is blue.\n\nQ: red?"
    assert asked["content"] == "Blue is blue.\n\nQ: blue?"


def test_instructions_in_the_users_turn_stand_above_the_first_thing_that_is_said() -> None:
    assert render("Do.", "{input}", "blue?", role="user") == [
        {"role": "user", "content": "Do.\n\nblue?"}
    ]
    shown = render("Do.", "{input}", "blue?", [(SHOT, [PAGE])], [PAGE], "user")
    assert shown == [
        {"role": "user", "content": "Do.\n\n[P1] Colours\nRed is red.\n\nred?"},
        {"role": "assistant", "content": "RED"},
        {"role": "user", "content": "[P1] Colours\nRed is red.\n\nblue?"},
    ]
