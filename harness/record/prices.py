"""`prices.json`: what a task's last sweep was told that things cost; reports show money by it."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from harness.errors import ConfigError, ResultsError
from harness.evidence.cost import Prices
from harness.files import write_whole
from harness.record import file_types

__all__ = ["prices_path", "read_prices", "write_prices"]


def prices_path(task_folder: Path) -> Path:
    """`prices.json`, beside the rungs' folders."""
    return task_folder / "prices.json"


def read_prices(task_folder: Path) -> Prices | None:
    """The prices that the last sweep was given; None without any.

    Raises ResultsError for a file that cannot be read, or holds a price that cannot be.
    """
    path = prices_path(task_folder)
    if not path.exists():
        return None
    fix = "fix it, or run the sweep with prices again"
    found = file_types.value_of(file_types.bytes_of(path, fix), str(path), file_types.PRICES, fix)
    try:
        return Prices(**found)
    except (ConfigError, TypeError) as error:
        raise ResultsError(f"{path}: cannot be read ({error}); {fix}") from error


def write_prices(task_folder: Path, prices: Prices) -> None:
    """Keep the prices for later reports; without any, take away those of an earlier sweep."""
    path = prices_path(task_folder)
    if prices.given:
        write_whole(path, json.dumps(asdict(prices), indent=1), durable=False)
    else:
        path.unlink(missing_ok=True)
