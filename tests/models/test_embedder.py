"""Sentence embeddings of the real MiniLM, and their cache."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import hydra
import numpy as np
import pytest
from omegaconf import OmegaConf

from harness.errors import WeightsError
from harness.models.embedder import BATCH, Embedder, _load
from harness.models.weights import Wheel, cache_folder
from tests.conftest import ROOT

TEXTS = ["The zip of my tent broke.", "My tent's zipper is torn.", "Invoices are due in May."]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No embeddings, but the weights that this machine has fetched already."""
    (tmp_path / "wheels").symlink_to(cache_folder("wheels"), target_is_directory=True)
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path))
    return tmp_path


@pytest.fixture
def minilm(cache: Path) -> Embedder:
    embedder = hydra.utils.instantiate(OmegaConf.load(ROOT / "conf/embedder/minilm.yaml"))
    assert isinstance(embedder, Embedder)
    return embedder


def other_weights(embedder: Embedder, **changes: str) -> Embedder:
    assert isinstance(embedder.weights, Wheel)
    return Embedder("other", replace(embedder.weights, **changes), embedder.licence)


def test_vectors_are_of_length_one_and_near_where_meanings_are(minilm: Embedder) -> None:
    vectors = minilm.encode(TEXTS)
    assert (vectors.shape, vectors.dtype) == ((3, 384), np.float32)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)
    near, far = vectors[0] @ vectors[1], vectors[0] @ vectors[2]
    assert near > 0.6 and far < 0.2


def test_each_vector_is_that_of_its_text_whatever_the_batches(minilm: Embedder) -> None:
    texts = [f"Ticket {i}: {'very ' * (i * 7 % 5)}late." for i in range(BATCH + 3)]
    model = _load(minilm.weights, minilm.device)
    alone = [model.encode(texts[i], normalize_embeddings=True) for i in (0, 1, BATCH, BATCH + 2)]
    found = minilm.encode(texts)[[0, 1, BATCH, BATCH + 2]]
    assert np.abs(found - np.stack(alone)).max() < 1e-5


def test_texts_that_are_in_the_cache_need_no_model(
    minilm: Embedder, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vectors = minilm.encode(TEXTS)
    (cache / "wheels").unlink()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    gone = other_weights(minilm, requirement="nonesuch==0")
    assert np.array_equal(gone.encode(TEXTS), vectors)
    with pytest.raises(WeightsError, match="nonesuch==0"):
        gone.encode(TEXTS[:2])


def test_vectors_that_were_cut_short_are_computed_again(minilm: Embedder, cache: Path) -> None:
    vectors = minilm.encode(TEXTS)
    (path,) = (cache / "embeddings").iterdir()
    for size in (0, 100, path.stat().st_size - 30):
        os.truncate(path, size)
        assert np.allclose(minilm.encode(TEXTS), vectors, atol=1e-6)
    assert list((cache / "embeddings").iterdir()) == [path]


def test_other_texts_another_order_or_other_weights_are_another_entry(minilm: Embedder) -> None:
    keys = [
        minilm._key(["ab", "c"]),
        minilm._key(["a", "bc"]),
        minilm._key(["c", "ab"]),
        minilm._key(["ab"]),
        other_weights(minilm, sha256="0" * 64)._key(["ab", "c"]),
    ]
    assert len(set(keys)) == len(keys)
    assert minilm._key(["ab", "c"]) == keys[0]


def test_what_embedding_took_is_known_of_cached_texts_too(minilm: Embedder) -> None:
    minilm.encode(TEXTS)
    assert 0 < minilm.seconds(TEXTS) == minilm.seconds(TEXTS)


def test_no_texts_are_no_vectors(minilm: Embedder) -> None:
    assert minilm.encode([]).shape == (0, 384)


def test_nothing_half_written_is_left_in_the_cache(minilm: Embedder, cache: Path) -> None:
    minilm.encode(TEXTS)
    assert [p.suffix for p in (cache / "embeddings").iterdir()] == [".npz"]
