"""From a reference to weights to an engine on this machine."""

from __future__ import annotations

import gc
import shutil
from functools import lru_cache
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from harness.files import changed, make_durable, vouch, writing
from harness.models.local.allocator import keep_freed_memory
from harness.models.local.engine import LocalEngine
from harness.models.local.spec import ModelSpec
from harness.models.vetting import check_gguf, check_model
from harness.models.weights import cache_folder, exclusive
from harness.progress import unless_watched

__all__ = ["load_engine"]


@lru_cache(maxsize=1)
def load_engine(spec: ModelSpec) -> LocalEngine:
    """The engine of a spec; the last one is kept, as the rungs of a sweep share it."""
    gc.collect()
    keep_freed_memory()
    path = spec.weights.resolve()
    fingerprint = spec.weights.fingerprint()
    folder = _dequantized(path, fingerprint) if path.suffix == ".gguf" else path
    check_model(folder)
    return LocalEngine(spec, folder, fingerprint)


def _dequantized(path: Path, fingerprint: str) -> Path:
    """A GGUF file as a folder of safetensors in float32: written once, then loaded in seconds."""
    target = cache_folder("dequantized") / fingerprint[:16]
    if target.exists() and not changed(target, content=False):
        return target
    with exclusive(target.parent), writing(target):
        if target.exists() and changed(target, content=False):
            shutil.rmtree(target)  # a loss of power, or somebody's hand
        if not target.exists():
            check_gguf(path)
            scratch = target.parent / f"fetch-{target.name}"
            with unless_watched():
                model = AutoModelForCausalLM.from_pretrained(
                    path.parent, gguf_file=path.name, dtype=torch.float32
                )
            # What is saved is not quantized any more and must not say that it is.
            model.hf_quantizer = None
            del model.config.quantization_config
            model.save_pretrained(scratch)
            AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name).save_pretrained(scratch)
            vouch(scratch)
            scratch.rename(target)
            make_durable(target.parent)
    return target
