"""`prices.json`, kept for later reports."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from harness.errors import ResultsError
from harness.evidence.cost import Prices
from harness.record.prices import prices_path, read_prices, write_prices

HOUR = Prices(None, None, 3600.0, None, "EUR")


def test_prices_are_kept_and_taken_away_with_the_sweep_that_has_none(tmp_path: Path) -> None:
    for _ in range(2):
        write_prices(tmp_path, HOUR)
        assert read_prices(tmp_path) == HOUR
    for _ in range(2):
        write_prices(tmp_path, Prices(None, None, None, None, "EUR"))
        assert read_prices(tmp_path) is None
        assert not prices_path(tmp_path).exists()


@pytest.mark.parametrize("text", ["{", '{"colour": 1}', "3"])
def test_prices_that_cannot_be_read_are_one_line(tmp_path: Path, text: str) -> None:
    prices_path(tmp_path).write_text(text)
    with pytest.raises(ResultsError, match=r"prices.json: cannot be read .*fix it"):
        read_prices(tmp_path)


def test_a_price_edited_to_what_cannot_be_is_told(tmp_path: Path) -> None:
    prices_path(tmp_path).write_text(json.dumps(asdict(HOUR) | {"machine_hour": -2}))
    with pytest.raises(ResultsError, match=r"prices.json: .*prices.machine_hour=-2.*fix it"):
        read_prices(tmp_path)
