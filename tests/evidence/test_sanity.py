"""Badges: what goes wrong without an error, and which verdicts it blocks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from harness.evidence.contrasts import Contrast
from harness.evidence.sanity import Badge, above, badges, blocked, effort, worst
from harness.evidence.statistics import Interval

RANKS = {"initial": 5040, "target": 3360, "final": 3360, "least": 2, "most": 24}
TRAINING = {"effect": 2.5, "distinct": 400, "zero_step": {"questions": 8, "identical": 8}}
LOOKS = (
    {"step": 10, "dev_loss": 2.0},
    {"step": 20, "dev_loss": 1.0},
    {"step": 30, "dev_loss": 1.1},
)
FROM_THE_START_WORSE = tuple(
    {"step": step, "dev_loss": loss} for step, loss in ((10, 1.0), (20, 1.1), (30, 1.2))
)
CONTRAST = Contrast(
    "lora", "prompt", "accuracy", Interval(0.2, 0.1, 0.3, 100, "bootstrap"), 0.01, "permutation",
    0.1, None, 100, 1, ("a",), (), 0.01,
)  # fmt: skip


def share(value: float) -> Interval:
    return Interval(value, None, None, 100, "none")


def told(
    looks: Any = LOOKS,
    templates: Any = ("t",),
    training: Any = TRAINING,
    truncated: float = 0.0,
    stopped: float = 1.0,
    readable: float = 1.0,
    dev_free: Any = None,
    teacher: Any = None,
    **changes: Any,
) -> dict[str, Badge]:
    """The badges of a run by name; keyword arguments say what was wrong with it."""
    metrics = {
        "truncated": share(truncated),
        "stopped": share(stopped),
        "readable": share(readable),
    }
    manifest = {
        "training": training and training | changes,
        "template": "t",
        "dev_free": dev_free,
        "teacher": teacher,
    }
    return {badge.name: badge for badge in badges(manifest, metrics, looks, templates)}


def test_a_run_that_went_well_passes_every_badge() -> None:
    found = told()
    assert list(found) == [
        "truncation", "stops", "readable", "adapter effect", "zero-step", "training examples",
        "best step", "template",
    ]  # fmt: skip
    assert all(badge.passed for badge in found.values())


@pytest.mark.parametrize(
    ("name", "wrong", "text"),
    [
        ("truncation", {"truncated": 0.83}, "cut off 83% of its answers"),
        ("stops", {"stopped": 0.5}, "ended 50% of its answers by itself"),
        ("readable", {"readable": 0.25}, "wrote 25% of its answers so that they can be read"),
        ("adapter effect", {"effect": 0.0}, "left all logits unmoved"),
        ("zero-step", {"zero_step": {"questions": 8, "identical": 7}},
         "wrote the base model's text for 7 of 8 questions before training"),
        ("rank allocation", {"ranks": RANKS | {"least": 16, "most": 16}},
         "kept 3360 of 5040 ranks, the same 16 for a layer"),
        ("rank allocation", {"ranks": RANKS | {"final": 5000}},
         "kept 5000 of 5040 ranks, 2 to 24 for a layer: 3360 are its budget"),
        ("training examples", {"distinct": 99}, "was tuned on 99 different examples"),
        ("template", {"templates": ("t", "u")},
         "was asked with one of 2 chat templates that its model's rungs used"),
        ("best step", {"looks": FROM_THE_START_WORSE},
         "was best on dev at first (evaluation 1 of 3, step 10), then got worse"),
        ("best step", {"looks": LOOKS[:2]},
         "was still learning at the end: dev loss fell by 50% at the last evaluation"),
    ],
)  # fmt: skip
def test_each_badge_fails_alone_and_says_what_was_seen(
    name: str, wrong: dict[str, Any], text: str
) -> None:
    failed = [badge for badge in told(**wrong).values() if not badge.passed]
    assert failed == [Badge(name, False, text)]


def test_a_first_look_late_in_training_may_be_the_best() -> None:
    """AdaLoRA's dev is not looked at before its ranks are chosen, at half of its steps."""
    late = tuple(look | {"step": look["step"] + 20} for look in FROM_THE_START_WORSE)
    badge = told(looks=late)["best step"]
    assert badge.passed
    assert badge.text.startswith("was best on dev (evaluation 1 of 3, step 30)")


@pytest.mark.parametrize(
    ("converged", "text"),
    [(True, "converged in 40 iterations"), (False, "had not converged after 40 iterations")],
)
def test_a_head_that_a_solver_fitted_has_no_best_step_and_must_have_converged(
    converged: bool, text: str
) -> None:
    found = told(looks=(), head={"iterations": 40, "converged": converged})
    assert "best step" not in found
    assert found["convergence"] == Badge("convergence", converged, f"{text} of the solver")


def test_a_head_that_was_trained_step_by_step_has_a_best_step() -> None:
    found = told(head={"labels": 3, "temperature": 1.2}, zero_step=None)
    assert found["best step"].passed
    assert not {"convergence", "zero-step"} & set(found)


def test_ranks_are_asked_about_where_there_are_any() -> None:
    assert "rank allocation" not in told()
    text = "kept 3360 of 5040 ranks, 2 to 24 for a layer"
    assert told(ranks=RANKS)["rank allocation"] == Badge("rank allocation", True, text)


@pytest.mark.parametrize(("kept", "passed"), [(200, True), (199, False)])
def test_a_teacher_of_whom_little_can_be_learned_fails_a_badge_and_blocks_nothing(
    kept: int, passed: bool
) -> None:
    badge = told(teacher={"name": "few_shot", "asked": 400, "kept": kept})["teacher"]
    assert (badge.passed, badge.blocks) == (passed, False)
    assert badge.text == f"was taught {kept} of 400 train inputs by few_shot"


def without(difference: float, p: float | None) -> dict[str, Any]:
    """What a run tells of dev without the constraint; no p where nothing could be compared."""
    compared = {"difference": {"value": difference}, "p": p} if p is not None else {}
    return {"n": 64, "value": 0.5} | compared


@pytest.mark.parametrize(
    ("difference", "p", "passed"),
    [(-0.125, 0.01, False), (-0.125, 0.2, True), (0.25, 0.001, True), (0.0, 1.0, True)],
    ids=["loses", "may lose", "gains", "the same"],
)
def test_a_tuned_rung_must_lose_nothing_by_the_constraint(
    difference: float, p: float, passed: bool
) -> None:
    badge = told(dev_free=without(difference, p))["constraint"]
    text = "scored 12.5% lower on dev under the constraint than without it"
    assert badge == Badge(
        "constraint", passed, "loses nothing by the constraint" if passed else text
    )


def test_only_a_tuned_rung_that_could_be_compared_is_asked_about_the_constraint() -> None:
    lost = without(-0.5, 0.001)
    assert "constraint" not in told(training=None, dev_free=lost)
    assert "constraint" not in told(dev_free=without(-0.5, None))
    assert "constraint" not in told()


def test_a_rung_that_tried_fewer_settings_than_another_fails_a_badge() -> None:
    assert effort(1, 1) == Badge("effort", True, "tried 1 setting on dev")
    assert effort(3, 3) == Badge("effort", True, "tried 3 settings on dev")
    assert effort(1, 3) == Badge("effort", False, "tried 1 setting on dev, others 3")
    assert effort(0, 3) == Badge("effort", False, "tried 0 settings on dev, others 3")


def test_the_thresholds_themselves_pass() -> None:
    found = told(truncated=0.1, stopped=0.9, readable=0.5, distinct=100)
    assert all(badge.passed for badge in found.values())


@pytest.mark.parametrize("looks", [(), LOOKS[:1]])
def test_one_look_cannot_tell_and_passes(looks: Any) -> None:
    badge = told(looks=looks)["best step"]
    assert badge.passed and badge.text.endswith("whether it trained long enough is unknown")


def test_the_last_look_may_be_the_best_where_dev_has_levelled_off() -> None:
    flat = (*LOOKS[:2], {"step": 30, "dev_loss": 0.985})
    assert told(looks=flat)["best step"].passed


def test_an_untuned_rung_has_no_badges_of_training() -> None:
    assert list(told(training=None)) == ["truncation", "stops", "readable", "template"]


def test_what_an_older_result_did_not_record_has_no_badge() -> None:
    found = told(training={"effect": 1.0})
    assert {"zero-step", "training examples"}.isdisjoint(found)


def test_a_tuned_rung_must_be_detectably_above_each_control() -> None:
    unclear = replace(CONTRAST, p=0.2)
    below = replace(CONTRAST, delta=Interval(-0.2, -0.3, -0.1, 100, "bootstrap"))
    assert above({"majority": CONTRAST, "shuffled": CONTRAST}).passed
    for bad in (unclear, below):
        found = above({"majority": CONTRAST, "shuffled": bad})
        assert found == Badge("above controls", False, "is not detectably above shuffled")


def test_a_badge_is_passed_if_every_seed_passed_it() -> None:
    good, bad = Badge("stops", True, "ended all"), Badge("stops", False, "ended none")
    assert worst([[good], [good]]) == [good]
    assert worst([[good], [bad], [good]]) == [Badge("stops", False, "ended none (1 of 3 seeds)")]
    assert worst([[bad]]) == [bad]


FAILED = [Badge("truncation", False, "cut off 83% of its answers"), Badge("stops", False, "…")]
BETTER = CONTRAST
WORSE = replace(CONTRAST, delta=Interval(-0.2, -0.3, -0.1, 100, "bootstrap"))
UNDECIDED = replace(CONTRAST, p_adjusted=0.5)
SAID = "cut off 83% of its answers (and 1 more)"


@pytest.mark.parametrize(
    ("contrast", "rung", "reason"),
    [
        (BETTER, "prompt", {"prompt": SAID}),
        (BETTER, "lora", {}),
        (WORSE, "lora", {"lora": SAID}),
        (WORSE, "prompt", {}),
        (UNDECIDED, "lora", {"lora": SAID}),
        (UNDECIDED, "prompt", {"prompt": SAID}),
    ],
    ids=["better/loser", "better/winner", "worse/loser", "worse/winner", "open/rung", "open/base"],
)
def test_only_verdicts_against_a_failed_rung_are_blocked(
    contrast: Contrast, rung: str, reason: dict[str, str]
) -> None:
    good = [Badge("truncation", True, "cut off 0% of its answers")]
    assert blocked(contrast, {"lora": good, "prompt": good} | {rung: FAILED}) == reason
