"""A language model on this machine: transformers, with shared-prefix decoding."""

from harness.models.local.spec import ModelSpec

__all__ = ["ModelSpec"]
