"""The packages that are installed, by their hashes."""

from __future__ import annotations

from tests.conftest import ROOT


def test_every_package_of_the_tested_set_has_hashes() -> None:
    pins = [p for p in (ROOT / "constraints.txt").read_text().splitlines() if "==" in p]
    locked = (ROOT / "requirements.lock").read_text().lower().replace("_", "-").replace(".", "-")
    for pin in pins:
        name = pin.lower().replace("_", "-").replace(".", "-")
        assert f"\n{name} " in locked, f"{pin}: make requirements.lock again"
    assert locked.count("--hash=sha256:") > len(pins)
