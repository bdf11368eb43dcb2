"""How long a sweep waits for a store: what stalls is left behind, what works is not hurried."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from harness.report import patience
from harness.report.patience import Patience, Watched


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "QUICK", 0.05)
    monkeypatch.setattr(patience, "LOOK", 0.005)


class Store:
    """A client whose every call takes so many seconds."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.calls = 0

    def ask(self) -> int:
        self.calls += 1
        time.sleep(self.seconds)
        return self.calls


def asking(store: Store, patience: Patience, calls: int) -> Callable[[], None]:
    client = Watched(store, patience)

    def action() -> None:
        for _ in range(calls):
            client.ask()

    return action


def test_many_quick_calls_are_work_and_may_take_longer_than_patience() -> None:
    store, few = Store(0.01), Patience(0.1)
    few.within(asking(store, few, calls=30))
    assert store.calls == 30
    assert few.left == 0.1, "what came to its end lost nothing"


def test_slow_calls_are_left_behind_when_patience_has_run_out_and_end_at_their_next_call() -> None:
    store, some = Store(0.1), Patience(0.25)
    began = time.monotonic()
    with pytest.raises(TimeoutError, match="its calls took 0 seconds"):
        some.within(asking(store, some, calls=99))
    assert time.monotonic() - began < 1
    time.sleep(0.3)
    called = store.calls
    time.sleep(0.3)
    assert store.calls == called <= 4


def test_patience_is_for_all_attempts_together_and_then_nothing_is_asked() -> None:
    store, some = Store(9), Patience(0.2)
    for _ in range(5):
        with pytest.raises(TimeoutError):
            some.within(asking(store, some, calls=1))
    assert store.calls == 1


def test_an_attempt_that_fails_soon_leaves_patience_for_the_next() -> None:
    some = Patience(1)

    def failing() -> None:
        raise ValueError("no")

    for _ in range(3):
        with pytest.raises(ValueError, match="no"):
            some.within(failing)
    assert some.left is not None and some.left > 0.5


def test_without_a_limit_it_waits() -> None:
    store, any_ = Store(0.1), Patience(None)
    any_.within(asking(store, any_, calls=3))
    assert store.calls == 3
