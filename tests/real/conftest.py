"""What tests on real weights share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from harness.experiment import JobSpec, compose
from harness.tuning import adapter


@pytest.fixture(scope="package", autouse=True)
def _few_tokens_before_the_first_step() -> Iterator[None]:
    """Every training first checks that its adapter changes nothing yet: by 3 tokens, not 16."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(adapter, "ZERO_STEP_TOKENS", 3)
        yield


def configured(*words: str) -> JobSpec:
    """What the words describe, without the settings that were chosen for the task."""
    return compose(["+task=support_json", "~task.rungs", *words])[0]
