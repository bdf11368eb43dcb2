"""Which model is run on this machine, and in what precision; nothing is loaded yet."""

from __future__ import annotations

from importlib import metadata
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from harness.models.weights import Weights
from harness.values import AtLeastOne, settings

if TYPE_CHECKING:
    from harness.models.local.engine import LocalEngine

__all__ = ["MIXED", "ModelSpec"]

MIXED = "mixed"
"""The dtype of a model whose weights and sums are float32 and whose products are bfloat16."""


@settings("model")
class ModelSpec:
    """A model of transformers' layout, as the configuration names it.

    >>> from harness.models.weights import Hub
    >>> spec = ModelSpec("tiny", Hub("owner/name"), "float32", "MIT", gated=False, device="cpu")
    >>> spec.batch_size is None
    True
    """

    name: str
    weights: Weights
    dtype: Literal["float32", "bfloat16", "float16", "mixed"]
    """float32, bfloat16, float16, or mixed: float32 with matrix products in bfloat16."""
    licence: str
    gated: bool
    """Whether its licence must be accepted before it can be fetched."""
    device: Annotated[str, Field(pattern=r"^(auto|cpu|cuda(:\d+)?)$")]
    """auto (a GPU if there is one), cpu, cuda or cuda:N."""
    batch_size: AtLeastOne | None = None
    """Sequences answered side by side; None finds it from the free memory."""

    def identity(self) -> Any:
        """All that determines its texts, as JSON. Fetches the weights if they are not here."""
        from harness.models.local.engine import device_of

        device = device_of(self.device).type
        same = {"weights": self.weights.fingerprint(), "dtype": self.dtype, "device": device}
        if (self.dtype, device) == ("float32", "cpu"):
            return same
        # Elsewhere the last bits of a sum, and with them a text, depend on who adds it up.
        return same | {name: metadata.version(name) for name in ("torch", "transformers")}

    def load(self) -> LocalEngine:
        """The engine; the last one is kept, as the rungs of a sweep share it."""
        from harness.models.local.load import load_engine

        return load_engine(self)
