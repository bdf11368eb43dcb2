"""What tests on real weights share."""

from __future__ import annotations

import pytest

from harness.tuning import adapter


@pytest.fixture(autouse=True)
def _few_tokens_before_the_first_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every training first checks that its adapter changes nothing yet: by 3 tokens, not 16."""
    monkeypatch.setattr(adapter, "ZERO_STEP_TOKENS", 3)
