"""What a folder of weights may hold: read before any library loads it.

Weights are safetensors: a pickle is a program. Configurations name no code: none that comes with
the weights is run.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness.errors import WeightsError
from harness.models.headers import check_gguf, check_safetensors

__all__ = ["check_adapter", "check_embedder", "check_gguf", "check_model"]

PICKLES = {".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".joblib", ".h5", ".msgpack", ".npy"}
"""Endings of weights that are programs, or that nothing here reads."""
CODE = {"auto_map", "auto_mapping", "custom_pipelines", "custom_generate"}
"""What a configuration names code by."""
OWN = {"transformers", "peft", "harness"}
"""Packages that an adapter may say its base model's class is of."""
LONGEST_CONFIG = 20_000_000
"""Bytes of a configuration."""
LONGEST_TEMPLATE = 1_000_000
"""Bytes of a chat template."""
SIZES = {
    "num_hidden_layers", "hidden_size", "intermediate_size", "vocab_size", "head_dim",
    "num_attention_heads", "num_key_value_heads", "max_position_embeddings",
}  # fmt: skip
LARGEST = 100_000_000
"""Of the sizes of a model that a configuration states; its layers are fewer than its tensors."""
MODULES = {
    "Dense", "Dropout", "LayerNorm", "Normalize", "Pooling", "StaticEmbedding", "Transformer",
    "WeightedLayerPooling", "WordWeights",
}  # fmt: skip
"""Parts of an embedding model: those of sentence-transformers that name no further code."""


def check_model(folder: Path) -> None:
    """Raise WeightsError for a language model in the layout of `save_pretrained` that holds
    anything but safetensors, or names code."""
    if (folder / "adapter_config.json").exists():
        raise WeightsError(
            f"{folder / 'adapter_config.json'}: an adapter names another model that it would be "
            "put on; merge it first (merge_and_unload of PEFT), and save the whole model"
        )
    if not (folder / "config.json").is_file():
        raise WeightsError(f"{folder}: has no config.json; fix: a folder of save_pretrained")
    _check_configs(folder)
    for template in folder.rglob("*.jinja"):
        if template.stat().st_size > LONGEST_TEMPLATE:
            raise WeightsError(
                f"{template}: has {template.stat().st_size:,} bytes (at most "
                f"{LONGEST_TEMPLATE:,}); choose a model whose chat template is one"
            )
    tensors = _check_weights(folder)
    for key, value in _items(_read(folder / "config.json")):
        if key in SIZES and isinstance(value, int | float):
            most = tensors if key == "num_hidden_layers" else LARGEST
            if not 0 < value <= most:
                raise WeightsError(
                    f"{folder / 'config.json'}: {key} is {value} (at most {most:,}, as its weights "
                    "are); it is broken or forged: fetch it again"
                )


def check_adapter(folder: Path) -> None:
    """Raise WeightsError for an adapter of PEFT that holds anything but safetensors, or names
    code beyond transformers and our own."""
    path = folder / "adapter_config.json"
    for key, value in _items(_read(path) if path.exists() else {}):
        package = str(value).partition(".")[0]
        elsewhere = key == "parent_library" and package not in OWN
        if elsewhere or (key in {"auto_map", "trust_remote_code", "megatron_config"} and value):
            raise _is_code(path, key)
    _check_weights(folder)


def check_embedder(folder: Path) -> None:
    """Raise WeightsError for a model of sentence-transformers that holds anything but safetensors,
    or names code."""
    _check_configs(folder)
    modules = _read(folder / "modules.json") if (folder / "modules.json").exists() else []
    places = {""}
    for module in modules if isinstance(modules, list) else [None]:
        if not isinstance(module, dict) or not isinstance(module.get("path"), str):
            raise WeightsError(f"{folder / 'modules.json'}: is no list of modules; fetch it again")
        kind, place = str(module.get("type")), module["path"]
        package, _, name = kind.rpartition(".")
        if not package.startswith("sentence_transformers.") or name not in MODULES:
            raise WeightsError(
                f"{folder / 'modules.json'}: type {kind!r} is code, which is not run; choose an "
                f"embedder that is made of {', '.join(sorted(MODULES))}"
            )
        if not _below(folder, place):
            raise WeightsError(f"{folder / 'modules.json'}: path {place!r} is outside the folder")
        places.add(place)
    _check_weights(folder, needed=any((folder / p / "config.json").exists() for p in places))
    for place in places - {""}:
        _check_weights(folder / place, needed=False)


def _below(folder: Path, place: str) -> bool:
    return (folder / place).resolve().is_relative_to(folder.resolve())


def _check_weights(folder: Path, *, needed: bool = True) -> int:
    """Safetensors, whole, where there are any weights: how many tensors. Pickles beside them are
    never read."""
    safe = sorted(folder.glob("*.safetensors"))
    pickles = [p for p in sorted(folder.glob("*")) if p.suffix in PICKLES]
    if not safe and pickles:
        raise WeightsError(
            f"{pickles[0]}: a pickle is a program, and is not read; fix: weights as safetensors "
            "(save_pretrained writes them)"
        )
    if not safe and needed:
        raise WeightsError(f"{folder}: has no *.safetensors; fix: a folder of save_pretrained")
    tensors = sum(check_safetensors(path) for path in safe)
    index = folder / "model.safetensors.index.json"
    if index.exists():
        _check_index(index)
    return tensors


def _check_index(path: Path) -> None:
    """An index of parts names files of its own folder."""
    index = _read(path)
    parts = index.get("weight_map") if isinstance(index, dict) else None
    if not isinstance(parts, dict):
        raise WeightsError(f"{path}: has no weight_map; fetch it again")
    for name in map(str, set(parts.values())):
        if "/" in name or "\\" in name or not name.endswith(".safetensors"):
            raise WeightsError(f"{path}: names {name!r}, which is no safetensors of its folder")
        if not (path.parent / name).is_file():
            raise WeightsError(f"{path}: names {name!r}, which is not there; fetch it again")


def _check_configs(folder: Path) -> None:
    """No configuration names code."""
    if (folder / "custom_generate").exists():
        raise _is_code(folder / "custom_generate", "custom_generate/")
    for path in sorted({*folder.rglob("*config*.json"), *folder.rglob("modules.json")}):
        for key, value in _items(_read(path)):
            if (key in CODE and value) or (key == "trust_remote_code" and value):
                raise _is_code(path, key)
            if key.endswith("attn_implementation") and "/" in str(value):
                raise _is_code(path, f"{key}={value!r}")


def _is_code(path: Path, key: str) -> WeightsError:
    return WeightsError(
        f"{path}: {key} names code that comes with the weights, which is not run; choose a model "
        "that transformers knows, or take it out if transformers' own class is meant"
    )


def _items(value: Any) -> Iterator[tuple[str, Any]]:
    """All keys and values of a configuration, at any depth."""
    left = [value]
    while left:
        one = left.pop()
        if isinstance(one, dict):
            yield from one.items()
            left += one.values()
        elif isinstance(one, list):
            left += one


def _read(path: Path) -> Any:
    """A configuration. Raises WeightsError."""
    if path.stat().st_size > LONGEST_CONFIG:
        raise WeightsError(
            f"{path}: is larger than any configuration ({path.stat().st_size:,} bytes, at most "
            f"{LONGEST_CONFIG:,}); fetch it again"
        )
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise WeightsError(f"{path}: is not JSON that can be read; fetch it again") from error
