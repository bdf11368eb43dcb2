"""A base model in four bits under an adapter: QLoRA (Dettmers et al. 2023, arXiv:2305.14314)."""

from __future__ import annotations

from importlib.util import find_spec

from peft import LoraConfig, PeftConfig

from harness.errors import ConfigError, RungUnavailableError
from harness.values import settings

__all__ = ["FourBit"]


@settings("rung.tuning.quantization")
class FourBit:
    """The base is 4-bit NormalFloat with double quantization while the adapter is trained."""

    merged: bool
    """What answers. False: the 4-bit base with the adapter, the very model that was trained. True:
    the full base with the adapter merged into it, which answers faster and is another model: what
    the adapter learned to make up for is not there."""

    @property
    def answering(self) -> str:
        """Which weights answer, in words."""
        return "full base, adapter merged" if self.merged else "4-bit base and adapter"

    def check(self, config: PeftConfig) -> None:
        """Raise RungUnavailableError where bitsandbytes is not installed, ConfigError for an
        adapter that does not fit."""
        if not isinstance(config, LoraConfig):
            raise ConfigError(
                f"rung.tuning.config={type(config).__name__}: does not go over a 4-bit base; "
                "take LoraConfig, or say rung.tuning.quantization=null"
            )
        if find_spec("bitsandbytes") is None:
            raise RungUnavailableError(
                "it trains over a 4-bit base, which bitsandbytes makes, and that is not installed; "
                "pip install bitsandbytes, if it has a wheel for this machine"
            )
