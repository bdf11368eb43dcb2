"""Shares of errors by what repairs them, on ladders whose truth is known by construction."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from harness.analysis.repairs import Split
from tests.repaired import RAG, RAG_LORA, SHOTS, TUNING, World


def split(world: World) -> Split:
    diagnosis = world.findings().diagnosis
    assert diagnosis is not None
    return diagnosis.whole


def net(found: Split) -> dict[str, float]:
    """Net share of each kind and part that repairs anything."""
    return {
        f"{s.kind} {s.part}".strip(): pytest.approx(s.alone.net.value)
        for s in found.shares
        if s.alone.net.value
    }


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Of 20 questions rag gets 0 to 9 right, and was shown the passage of 0 to 14."""
    world = World(tmp_path)
    world.run("rag", range(10), RAG, found=range(15))
    return world


def test_knowledge_is_what_the_right_passages_repair_missed_or_shown_and_not_read(
    world: World,
) -> None:
    world.control("oracle_passages", "rag", {10, 15, 16, 17}, RAG)
    found = split(world)
    assert (found.n, found.errors, found.groups, found.not_shown) == (20, 10, 10, 0.5)
    assert net(found) == {
        "knowledge": 0.4, "knowledge missed": 0.3, "knowledge unread": 0.1, "none": 0.6,
    }  # fmt: skip


def test_what_the_oracle_gets_wrong_of_what_was_right_is_no_repair(world: World) -> None:
    world.control("oracle_passages", "rag", {19}, RAG)
    assert net(split(world)) == {"knowledge": 0.1, "knowledge missed": 0.1, "none": 0.9}


def test_what_two_kinds_repair_is_several_and_neither(world: World) -> None:
    world.control("oracle_passages", "rag", {15, 16, 17}, RAG)
    world.run("rag_lora", {16, 17, 18, 19}, RAG_LORA)
    found = split(world)
    assert net(found) == {
        "knowledge": 0.1, "knowledge missed": 0.1, "behaviour": 0.2, "behaviour tuning": 0.2,
        "several": 0.2, "several knowledge + behaviour": 0.2, "none": 0.5,
    }  # fmt: skip
    knowledge = found.share("knowledge")
    assert knowledge is not None and knowledge.reach is not None
    assert knowledge.reach.net.value == pytest.approx(0.3), "whatever else repairs it"


def test_examples_and_tuning_are_one_kind_and_examples_have_the_first_claim(
    tmp_path: Path,
) -> None:
    world = World(tmp_path)
    world.run("prompt", range(10), dev=0.9)
    world.run("few_shot", {10, 11}, SHOTS, dev=0.1)
    world.run("lora", {11, 12, 13}, TUNING)
    assert net(split(world)) == {
        "behaviour": 0.4, "behaviour examples": 0.2, "behaviour tuning": 0.2, "none": 0.6,
    }  # fmt: skip


def test_what_a_placebo_repairs_is_subtracted(world: World) -> None:
    world.run("rag_lora", range(10, 18), RAG_LORA)
    world.control("shuffled_targets", "rag_lora", {10, 11, 12}, RAG_LORA)
    tuning = split(world).share("behaviour", "tuning")
    assert tuning is not None
    assert (tuning.alone.gross, tuning.alone.chance) == pytest.approx((0.8, 0.3))
    assert tuning.alone.net.value == pytest.approx(0.5)
    assert tuning.alone.net.low is not None and tuning.alone.net.low < 0.5


def test_a_change_that_repairs_no_more_than_chance_explains_nothing(tmp_path: Path) -> None:
    """Rung and placebo both answer at random; so do the right passages, but they repair a third
    of the rest besides."""
    n, chance, worth = 1200, 0.3, 1 / 3
    draw = random.Random(0)
    world = World(tmp_path, n)

    def lucky() -> set[int]:
        return {i for i in range(n) if draw.random() < chance}

    known = {i for i in range(n) if draw.random() < worth}
    world.run("rag", set(), RAG)
    world.control("oracle_passages", "rag", known | lucky(), RAG)
    world.control("random_passages", "rag", lucky(), RAG)
    world.run("rag_lora", lucky(), RAG_LORA)
    world.control("shuffled_targets", "rag_lora", lucky(), RAG_LORA)
    found = split(world)
    shares = {s.kind: s.alone for s in found.shares if not s.part}
    assert shares["behaviour"].gross > 0.1
    assert shares["behaviour"].net.value == pytest.approx(0.0, abs=0.05)
    assert shares["several"].gross > 0.1
    assert shares["several"].net.value == pytest.approx(0.0, abs=0.05)
    # What chance repairs as well is not seen: the third shrinks by a factor of 1 - chance.
    assert shares["knowledge"].net.value == pytest.approx(worth * (1 - chance), abs=0.05)


def test_shares_add_up_to_one_before_and_after_chance(world: World) -> None:
    world.control("oracle_passages", "rag", {10, 11, 12, 13}, RAG)
    world.control("random_passages", "rag", {10, 15}, RAG)
    world.run("rag_lora", {12, 13, 14, 15, 16}, RAG_LORA)
    world.control("shuffled_targets", "rag_lora", {13, 17}, RAG_LORA)
    whole = [s.alone for s in split(world).shares if not s.part]
    assert sum(one.gross for one in whole) == pytest.approx(1)
    assert sum(one.net.value for one in whole) == pytest.approx(1)
    assert sum(one.chance for one in whole) == pytest.approx(0)


def test_repairs_are_averaged_over_seeds(world: World) -> None:
    for seed, right in enumerate(({10, 11}, {10, 12, 13, 14}, set())):
        world.run("rag_lora", right, RAG_LORA, seed=seed)
    tuning = split(world).share("behaviour")
    assert tuning is not None
    assert tuning.alone.net.value == pytest.approx(6 / 30)


def test_the_interval_rests_on_groups_of_questions(tmp_path: Path) -> None:
    """Twenty errors of two scenarios, one of which is repaired, are two pieces of evidence."""
    widths = []
    for group in (1, 10):
        world = World(tmp_path / str(group), 20, group)
        world.run("rag", set(), RAG)
        world.run("rag_lora", range(10), RAG_LORA)
        share = split(world).share("behaviour")
        assert share is not None
        interval = share.alone.net
        assert interval.value == pytest.approx(0.5)
        assert interval.low is not None and interval.high is not None
        widths.append(interval.high - interval.low)
    assert widths[1] > 1.5 * widths[0]


def test_what_ran_under_the_constraint_only_repairs_what_the_constraint_does_not(
    world: World,
) -> None:
    world.control("unconstrained", "rag", range(4), RAG, decoding="free")
    world.run("rag_lora", range(8, 13), RAG_LORA)
    found = split(world)
    assert found.errors == 16
    assert net(found) == {
        "format": 6 / 16, "behaviour": 3 / 16, "behaviour tuning": 3 / 16, "none": 7 / 16,
    }  # fmt: skip


def test_a_field_is_an_error_of_its_own(tmp_path: Path) -> None:
    world = World(tmp_path, 10)
    right: dict[str, range] = {"code": range(2), "note": range(10)}
    world.run("rag", (), RAG, fields=right)
    world.run("rag_lora", (), RAG_LORA, fields={"code": range(6), "note": range(0)})
    found = split(world)
    assert (found.unit, found.n, found.errors) == ("fields", 20, 8)
    assert net(found) == {"behaviour": 0.5, "behaviour tuning": 0.5, "none": 0.5}


def test_a_passage_that_nobody_named_repairs_nothing(tmp_path: Path) -> None:
    """The oracle shows no passage for a question without sources: that is no right passage."""
    world = World(tmp_path, gold="")
    world.run("few_shot", range(10), SHOTS, dev=0.9)
    world.run("rag", range(15), RAG, dev=0.1)
    assert net(split(world)) == {"knowledge": 0.5, "knowledge found": 0.5, "none": 0.5}


def test_where_the_reference_retrieves_nothing_retrieval_is_told_from_its_ceiling(
    tmp_path: Path,
) -> None:
    world = World(tmp_path)
    world.run("few_shot", range(10), SHOTS, dev=0.9)
    world.run("rag", range(10, 12), RAG, dev=0.1, found=range(15))
    world.control("oracle_passages", "rag", {11, 12, 13, 14, 15, 16}, RAG)
    assert net(split(world)) == {
        "knowledge": 0.6, "knowledge found": 0.1, "knowledge unread": 0.3,
        "knowledge missed": 0.2, "none": 0.4,
    }  # fmt: skip
