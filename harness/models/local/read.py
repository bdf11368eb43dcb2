"""Weights read from a folder into a model: all of them, or none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from transformers import AutoModelForCausalLM, PreTrainedModel

from harness.errors import WeightsError, first_line

__all__ = ["read_model"]


def read_model(folder: Path, **settings: Any) -> PreTrainedModel:
    """The model in a folder of safetensors; `settings` are transformers' own.

    Raises WeightsError for weights that are not this model's: transformers would draw at random
    what is missing.
    """
    try:
        model, told = AutoModelForCausalLM.from_pretrained(
            folder,
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
            **settings,
        )
    except (SafetensorError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise _unfit(folder, first_line(error)) from error
    except RuntimeError as error:
        if "mismatch" not in str(error):
            raise  # such as memory that is not there
        raise _unfit(folder, "tensors of other shapes than config.json says") from error
    if missing := sorted(told["missing_keys"]):
        raise _unfit(folder, f"{len(missing)} tensors are missing, such as {missing[0]}")
    if wrong := sorted(told["mismatched_keys"]):
        raise _unfit(folder, f"{len(wrong)} tensors have other shapes, such as {wrong[0]}")
    read: PreTrainedModel = model
    return read


def _unfit(folder: Path, what: str) -> WeightsError:
    return WeightsError(
        f"{folder}: its weights are not those of its config.json ({what}); fetch it again"
    )
