"""Doubtful labels: those that classifiers of the other examples contradict."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from harness.answer import Json
from harness.audit.classifier import label_suspects, out_of_fold
from harness.ladder.transform import PlantedErrors
from harness.models.embedder import Embedder, Vectors
from harness.task import Materials
from tests.audit.conftest import Row, labelled, materials
from tests.conftest import NoWeights

TOPICS = ("anvil", "birch", "cedar", "dune")


class Topics(Embedder):
    """Unit vectors that tell the topic of a text, with noise of their own."""

    def __init__(self) -> None:
        super().__init__("topics", NoWeights(), "CC0-1.0")

    def encode(self, texts: Sequence[str]) -> Vectors:
        rows = [
            np.random.default_rng(abs(hash_of(text))).normal(0, 0.25, 8)
            + 2 * np.eye(8)[TOPICS.index(text.split()[0])]
            for text in texts
        ]
        vectors = np.array(rows, dtype=np.float32)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def hash_of(text: str) -> int:
    return int.from_bytes(text.encode()[-6:], "big")


def topical(count: int = 200) -> Materials:
    """Four labels that the embedding tells apart."""
    chance = random.Random(0)
    rows = [(f"{(topic := chance.choice(TOPICS))} text {n}", topic) for n in range(count)]
    return labelled(rows, labels=TOPICS)


@pytest.mark.parametrize("share", [0.05, 0.1, 0.2])
def test_planted_errors_are_at_the_top_and_flagged(share: float) -> None:
    clean = topical()
    planted = set(PlantedErrors(share).givers(clean, 0))
    suspects = label_suspects(PlantedErrors(share).apply(clean, 0), Topics())
    assert suspects is not None
    top = suspects.worst(share, len(clean.train))
    assert len(planted & set(top)) >= 0.95 * len(planted)
    flagged = set(suspects.flagged)
    assert len(flagged & planted) >= 0.8 * len(planted)
    assert len(flagged - planted) <= 0.05 * len(clean.train)


def test_clean_labels_are_hardly_flagged() -> None:
    suspects = label_suspects(topical(), Topics())
    assert suspects is not None
    assert len(suspects.flagged) <= 4
    assert set(suspects.doubt) == {e.id for e in topical().train}
    assert all(doubt >= 0 for doubt in suspects.doubt.values())


@pytest.mark.parametrize(("each", "only_ranked"), [(6, 24), (30, 0)])
def test_labels_of_few_examples_are_ranked_and_it_is_counted_how_many(
    each: int, only_ranked: int
) -> None:
    clean = labelled([(f"{t} text {n}", t) for n in range(each) for t in TOPICS], labels=TOPICS)
    planted = set(PlantedErrors(0.2).givers(clean, 0))
    suspects = label_suspects(PlantedErrors(0.2).apply(clean, 0), Topics())
    assert suspects is not None
    assert suspects.only_ranked == only_ranked
    assert len(planted & set(suspects.worst(0.2, len(clean.train)))) >= 0.75 * len(planted)
    assert bool(suspects.flagged) is not bool(only_ranked)


def test_whole_groups_are_left_out_together() -> None:
    """Two examples of each scenario share a wrong label: neither vouches for the other."""
    values = [TOPICS[n % 2] for n in range(40)]
    groups = [str(n // 2) for n in range(40)]
    vectors = np.eye(20, dtype=np.float32)[[n // 2 for n in range(40)]]
    probabilities, known = out_of_fold(vectors, values, groups)
    assert known == ["anvil", "birch"]
    # A scenario has a direction of its own, so that the others know nothing of it.
    np.testing.assert_allclose(probabilities, 0.5, atol=0.1)


def test_a_label_of_one_example_cannot_be_judged() -> None:
    rows = [*((e.input, e.target) for e in topical().train), ("dune text", "birch-bark")]
    found = label_suspects(labelled(rows), Topics())
    assert found is not None
    assert "train-201" not in found.doubt
    assert len(found.doubt) == 200


@pytest.mark.parametrize(
    "rows", [[("dune 1", "a"), ("dune 2", "b")], [(f"dune {n}", f"free {n}") for n in range(40)]]
)
def test_too_few_examples_or_no_classes_are_not_judged(rows: list[Row]) -> None:
    assert label_suspects(labelled(rows), Topics()) is None


def test_free_text_is_not_judged() -> None:
    assert label_suspects(materials([("dune", "a text")] * 40), Topics()) is None


def test_of_a_json_answer_each_field_whose_values_repeat_is_judged(tmp_path: Path) -> None:
    fields = {
        "topic": {"enum": list(TOPICS)},
        "first": {"type": "string"},
        "number": {"type": "string"},
    }
    path = tmp_path / "schema.json"
    path.write_text(json.dumps({"properties": fields}))
    answer = Json(str(path))
    clean = topical()
    rows = [
        (e.input, answer.write({"topic": e.target, "first": e.target[0], "number": str(n)}))
        for n, e in enumerate(clean.train)
    ]
    of_json = materials(rows, answer=answer)
    planted = set(PlantedErrors(0.1).givers(of_json, 0))
    suspects = label_suspects(PlantedErrors(0.1).apply(of_json, 0), Topics())
    assert suspects is not None
    # A target of another example of the same topic differs in its number alone.
    wrong = {
        i for i, giver in PlantedErrors(0.1).givers(of_json, 0).items()
        if json.loads(giver.target)["topic"] != json.loads(by_id(of_json)[i])["topic"]
    }  # fmt: skip
    assert wrong < planted
    assert set(suspects.worst(len(wrong) / 200, 200)) == wrong
    assert len(wrong & set(suspects.flagged)) >= 0.8 * len(wrong)


def by_id(materials: Materials) -> dict[str, str]:
    return {example.id: example.target for example in materials.train}
