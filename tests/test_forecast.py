"""What a sweep over sizes of train will take."""

from __future__ import annotations

from harness.forecast import Forecast


def told(seconds: float, unknown: list[str]) -> str:
    return str(Forecast("tickets", [50, 400], 12, 7, 6, 1350, seconds, unknown))


def test_it_says_how_many_trainings_are_left_and_how_long_they_take() -> None:
    assert told(7200, []) == (
        "tickets: 50, 400 train examples: 7 of 12 runs to do; 6 trainings over 1,350 examples an "
        "epoch; about 2.0 h as finished runs took"
    )
    assert "; about 20 min as finished runs took; no finished run tells how long lora" in told(
        1200, ["lora"]
    )
    assert told(0.0, ["rag", "lora"]).endswith("no finished run tells how long rag, lora takes")
