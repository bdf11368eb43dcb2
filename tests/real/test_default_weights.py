"""The default weights pass the checks that forged ones fail."""

from __future__ import annotations

import hydra
import pytest
from omegaconf import OmegaConf

from harness.models.vetting import check_embedder, check_gguf
from tests.conftest import ROOT


@pytest.mark.parametrize(
    ("name", "check"),
    [("model/smollm2_135m", check_gguf), ("embedder/minilm", check_embedder)],
)
def test_the_default_weights_are_what_their_headers_say(name: str, check: object) -> None:
    weights = hydra.utils.instantiate(OmegaConf.load(ROOT / f"conf/{name}.yaml").weights)
    check(weights.resolve())  # type: ignore[operator]
