"""What a rung costs: by hand-computed cases, and as a thread beside a run sees it."""

from __future__ import annotations

import math
import mmap
import time
from collections.abc import Sequence

import numpy as np
import psutil
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import ttest_rel

from harness.errors import ConfigError
from harness.evidence import cost
from harness.evidence.cost import (
    BreakEven,
    Monitor,
    Prices,
    Spending,
    answering_flops,
    break_even,
    training_flops,
)
from harness.task import Prediction

MEGABYTES = 64


def prices(**given: object) -> Prices:
    """Nothing has a price but what is named."""
    none = dict.fromkeys(
        ("input_per_million", "output_per_million", "machine_hour", "labelled_example")
    )
    return Prices(**(none | {"currency": "USD"} | given))  # type: ignore[arg-type]


ANSWER = Prediction("q", "red", "stop", 1000, 200, 50, 1.8)


def test_flops_are_two_per_parameter_and_token_and_six_to_train() -> None:
    assert answering_flops(135e6, 100) == 2 * 135e6 * 100
    assert training_flops(135e6, 100) == 3 * answering_flops(135e6, 100)


def test_answering_is_paid_by_tokens_as_sent_if_they_have_prices() -> None:
    by_token = prices(input_per_million=2.0, output_per_million=10.0, machine_hour=99.0)
    assert by_token.answer(ANSWER) == pytest.approx(0.002 + 0.0005)
    assert by_token.machine(1800) == 49.5


def test_otherwise_answering_is_paid_by_machine_time() -> None:
    assert prices(machine_hour=2.0).answer(ANSWER) == pytest.approx(0.001)
    assert prices(machine_hour=0).answer(ANSWER) == 0


def test_what_has_no_price_has_no_cost_rather_than_none() -> None:
    assert prices(labelled_example=0.25).labels(400) == 100
    assert prices().labels(400) is None
    assert prices().answer(ANSWER) is None
    assert prices().machine(60) is None
    assert prices().machine(0) == 0
    assert not prices().given
    assert prices(machine_hour=0).given


@pytest.mark.parametrize(
    ("mistake", "words"),
    [
        ({"machine_hour": -1}, "prices.machine_hour=-1: must be a number from 0 up, or null"),
        ({"labelled_example": "dear"}, "prices.labelled_example=dear: must be a number"),
        ({"machine_hour": math.nan}, "prices.machine_hour=nan"),
        ({"machine_hour": True}, "prices.machine_hour=True"),
        ({"input_per_million": 1.0}, "prices.output_per_million=null: give both prices of tokens"),
        ({"output_per_million": 1.0}, "prices.input_per_million=null: give both prices of tokens"),
        ({"currency": " "}, "prices.currency"),
    ],
)  # fmt: skip
def test_a_price_that_cannot_be_is_named_with_its_fix(
    mistake: dict[str, object], words: str
) -> None:
    with pytest.raises(ConfigError, match=words.split(":", maxsplit=1)[0]) as caught:
        prices(**mistake)
    assert words in str(caught.value)


def pays(
    extra: float, tuned: Sequence[float], untuned: Sequence[float], fixed: float = 0.0
) -> BreakEven:
    """A tuned rung that costs `extra` more once than an untuned one that costs `fixed`."""
    return break_even(Spending(fixed + extra, tuned), Spending(fixed, untuned))


def test_tuning_has_paid_for_itself_when_its_savings_reach_what_it_cost() -> None:
    result = pays(100, [1, 1, 1, 1], [3, 3, 3, 3], fixed=20)
    assert (result.extra, result.saving.value, result.requests) == (100, 2, 50)
    assert (result.low, result.high) == (None, None), "no question differs from another"
    assert str(result) == "50"


def test_the_interval_is_the_savings_interval_turned_over() -> None:
    rng = np.random.default_rng(0)
    untuned, tuned = 3 + rng.normal(0, 0.5, 200), 1 + rng.normal(0, 0.5, 200)
    result = pays(1000, list(tuned), list(untuned))
    saving = ttest_rel(untuned, tuned).confidence_interval()
    assert result.low == pytest.approx(1000 / saving.high, rel=0.01)
    assert result.high == pytest.approx(1000 / saving.low, rel=0.01)
    assert result.low < result.requests < result.high  # type: ignore[operator]


def test_a_saving_that_may_be_none_has_never_as_its_upper_bound() -> None:
    result = pays(10, [2, 1, 2, 1, 2, 1], [3, 1, 1, 2, 2, 3])
    assert result.saving.low is not None and result.saving.low < 0
    assert result.requests == pytest.approx(20)
    assert result.high == math.inf
    assert str(result).startswith("20 (") and str(result).endswith("–never)")


@pytest.mark.parametrize(
    ("extra", "tuned", "untuned", "said"),
    [
        (10, 3, 1, "never"),
        (10, 1, 1, "never"),
        (0, 3, 1, "never"),
        (0, 1, 3, "at once"),
        (-10, 1, 3, "at once"),
        (-10, 1, 1, "at once"),
        (-10, 3, 1, "only up to 5"),
        (0.001, 1, 3, "1"),
        (1e6, 1, 1.5, "2,000,000"),
    ],
)  # fmt: skip
def test_which_is_cheaper_once_and_which_by_request_makes_the_cases(
    extra: float, tuned: float, untuned: float, said: str
) -> None:
    assert str(pays(extra, [tuned] * 3, [untuned] * 3)) == said


def test_a_rung_that_starts_cheaper_may_lose_that_with_volume() -> None:
    result = pays(-10, [1, 2, 2, 1], [2, 1, 1.5, 2])
    assert result.shrinking and result.requests == math.inf
    assert str(result).startswith("at once, up to any (") and str(result).endswith("–any)")


def test_other_questions_cannot_be_set_against_each_other() -> None:
    with pytest.raises(ValueError, match="2 and 1 requests: not the same questions"):
        pays(1, [1, 1], [1])


MONEY = st.floats(1e-3, 1e3)


@given(st.lists(st.tuples(MONEY, MONEY), min_size=2, max_size=5), MONEY, MONEY)
def test_at_break_even_both_have_cost_the_same(
    questions: list[tuple[float, float]], fixed: float, other: float
) -> None:
    tuned, untuned = (
        Spending(once, [q[side] for q in questions]) for side, once in enumerate((fixed, other))
    )
    at = break_even(tuned, untuned).requests
    assume(at < math.inf)
    assert tuned.total(at) == pytest.approx(untuned.total(at), rel=1e-6)


def resident() -> float:
    return float(psutil.Process().memory_info().rss / 1e6)


def straight_from_the_system() -> np.ndarray:
    """Megabytes that are in use; the C library may have as much left from before."""
    held = np.frombuffer(mmap.mmap(-1, MEGABYTES * 10**6), dtype=np.uint8)
    held.fill(1)
    return held


def test_what_a_block_holds_at_its_end_is_in_the_peak() -> None:
    before = resident()
    with Monitor() as monitor:
        held = straight_from_the_system()
    assert held.all()
    assert monitor.peak_memory_mb > before + 0.9 * MEGABYTES


def test_what_a_block_has_freed_is_in_the_peak(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cost, "PERIOD", 0.01)
    before = resident()
    with Monitor() as monitor:
        held = straight_from_the_system()
        seen, deadline = len(monitor.samples), time.monotonic() + 10
        while len(monitor.samples) < seen + 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        del held
    assert monitor.samples[-1]["process_memory_megabytes"] < before + 0.5 * MEGABYTES
    assert monitor.peak_memory_mb > before + 0.9 * MEGABYTES


def test_samples_are_in_the_order_of_time_and_have_a_beginning_and_an_end() -> None:
    began = time.time()
    with Monitor() as monitor:
        pass
    times = [sample["time"] for sample in monitor.samples]
    assert len(times) >= 2
    assert began <= times[0] and times == sorted(times) and times[-1] <= time.time()
    for sample in monitor.samples:
        assert 0 <= sample["cpu_utilization_percentage"] <= 100
        assert 0 < sample["system_memory_usage_percentage"] <= 100


def test_an_error_ends_the_watch_and_goes_on() -> None:
    monitor = Monitor()
    with pytest.raises(ZeroDivisionError), monitor:
        _ = 1 / 0
    assert not monitor._thread.is_alive()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
def test_a_gpus_peak_is_that_of_the_block_and_not_of_an_earlier_one() -> None:
    earlier = torch.ones(256 * 10**6, dtype=torch.uint8, device="cuda")
    del earlier
    with Monitor() as monitor:
        held = torch.ones(MEGABYTES * 10**6, dtype=torch.uint8, device="cuda")
    assert held.all()
    peak = max(sample["gpu_memory_megabytes"] for sample in monitor.samples)
    assert 0.9 * MEGABYTES < peak < 256
