"""Sentence embeddings, computed once for each text and model."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from harness.errors import ConfigError, WeightsError, first_line
from harness.files import writing
from harness.inert import say
from harness.models.vetting import check_embedder
from harness.models.weights import Weights, cache_folder
from harness.progress import Progress

__all__ = ["Embedder", "Vectors"]

Vectors = npt.NDArray[np.float32]
BATCH = 64
LONGEST = 8192
"""Tokens that are read of a text where a model itself sets no limit."""


class Embedder:
    """A sentence-transformers model; loaded when a text is not in the cache."""

    def __init__(self, name: str, weights: Weights, licence: str, device: str = "cpu") -> None:
        if not isinstance(weights, Weights):
            raise ConfigError(
                f"embedder.weights={weights!r:.60}: are no weights; say which with _target_: "
                "harness.models.weights.Folder, .Hub or .Wheel"
            )
        self.name = name
        self.weights = weights
        self.licence = licence
        self.device = device

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors of shape [len(texts), dimension]; a dot product is a cosine."""
        if not texts:
            return self.encode([""])[:0]
        return np.asarray(self._kept(texts)["vectors"], dtype=np.float32)

    def seconds(self, texts: Sequence[str]) -> float:
        """What embedding these texts took, whenever that was."""
        return float(self._kept(texts)["seconds"]) if texts else 0.0

    def _kept(self, texts: Sequence[str]) -> Mapping[str, Any]:
        """`vectors` and `seconds`, from the cache if the texts were ever embedded."""
        path = cache_folder("embeddings") / f"{self._key(texts)}.npz"
        with suppress(FileNotFoundError, BadZipFile, EOFError, ValueError, KeyError):
            return _read(path)
        began = time.perf_counter()
        vectors = self._encode(texts)
        scratch = path.with_suffix(f".{os.getpid()}.tmp")
        try:
            with writing(path), scratch.open("wb") as file:
                np.savez(file, vectors=vectors, seconds=time.perf_counter() - began)
            scratch.replace(path)
        except OSError:
            scratch.unlink(missing_ok=True)
            raise
        return _read(path)

    def _encode(self, texts: Sequence[str]) -> Vectors:
        model = _load(self.weights, self.device)
        self._say_what_is_cut(model, texts)
        parts: list[Vectors] = []
        # Long texts first: batches of like length waste little on padding.
        order = sorted(range(len(texts)), key=lambda i: -len(texts[i]))
        with Progress("embedding", len(texts), unit="text") as progress:
            for start in range(0, len(texts), BATCH):
                batch = [texts[i] for i in order[start : start + BATCH]]
                parts.append(
                    model.encode(batch, normalize_embeddings=True, show_progress_bar=False)
                )
                progress.advance(len(batch))
        vectors = np.concatenate(parts).astype(np.float32)
        result = np.empty_like(vectors)
        result[order] = vectors
        return result

    def _say_what_is_cut(self, model: Any, texts: Sequence[str]) -> None:
        """One line, when texts are first embedded, if of some only the beginning counts."""
        most = model.max_seq_length
        ids = model.tokenizer(list(texts), add_special_tokens=True, verbose=False).input_ids
        longer = sum(len(tokens) > most for tokens in ids) if most else 0
        if longer:
            say(
                f"embedder {self.name}: reads only the first {most} tokens of {longer} of "
                f"{len(texts)} texts; what stands behind them plays no part in the search"
            )

    def _key(self, texts: Sequence[str]) -> str:
        key = hashlib.sha256(self.weights.fingerprint().encode())
        for text in texts:
            key.update(hashlib.sha256(text.encode()).digest())
        return key.hexdigest()[:32]


def _read(path: Path) -> dict[str, Any]:
    """`vectors` and `seconds`. Raises BadZipFile and others for a file that was cut short."""
    with np.load(path) as kept:
        return {name: kept[name] for name in ("vectors", "seconds")}


@lru_cache(maxsize=1)
def _load(weights: Weights, device: str) -> Any:
    folder = weights.resolve()
    check_embedder(folder)
    from sentence_transformers import SentenceTransformer

    try:
        model = SentenceTransformer(
            str(folder),
            device=device,
            trust_remote_code=False,
            model_kwargs={"use_safetensors": True},
        )
    except (ValueError, KeyError, TypeError, AttributeError, RuntimeError) as error:
        raise WeightsError(
            f"{folder}: is no model of sentence-transformers ({first_line(error)}); fetch it again"
        ) from error
    if not 0 < (model.max_seq_length or 0) <= LONGEST:
        model.max_seq_length = LONGEST
    return model
