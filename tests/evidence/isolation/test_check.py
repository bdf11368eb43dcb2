"""Eval is sealed, or the run does not begin."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import numpy as np
import pytest

from bench.edits import EDITS, Source
from harness.errors import ConfigError, LeakError
from harness.evidence.isolation import Isolation, features, inputs, normalize, table
from harness.task import Passage, Task, Update
from tests.evidence.isolation.planting import LONG, OTHERS, STOP, TICKET, planted

FILLER = " ".join(f"{a}{b}" for a in ("quartz", "vivid", "jumbo", "waltz") for b in range(900, 912))


MISSED = {
    "30% of words replaced",
    "every other pair transposed",
    "first half alone",
    "second half alone",
    "first half embedded",
    "every other word replaced",
    "every other word left out",
    "a word inserted behind every word",
}
"""What is no leak; with enough texts in eval it is suspected."""
BORDERLINE = {"20% of words replaced"}
"""Found in some texts and missed in most."""


def test_a_task_without_leaks_is_sealed_and_says_how_near_the_nearest_is(task: Task) -> None:
    same, certificate = STOP.certify(task)
    assert same is task
    assert certificate.decision == "sealed"
    assert certificate.compared == {"train": 16, "dev": 6, "corpus": 4, "instructions": 4}
    assert 0 < certificate.closest["train"].similarity < 0.6
    assert certificate.record()["thresholds"] == {"near_duplicate": 0.6, "contained": 0.9}


@pytest.mark.parametrize("into", ["train", "dev"])
@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (LONG, "say the same"),
        (LONG.upper().replace(",", " -- "), "say the same"),
        (LONG.replace("s", "s\u200b").replace(" ", "\u00a0"), "say the same"),
        (LONG.replace("second", "third"), "are near-duplicates"),
        (f"{FILLER} {LONG}", r"overlap \(the second holds 100%"),
    ],
)
def test_a_planted_copy_stops_the_run_and_both_lines_are_named(
    task: Task, text: str, kind: str, into: str
) -> None:
    with pytest.raises(LeakError, match=rf"eval.jsonl:1 and {into}.jsonl:1 {kind}") as caught:
        STOP.certify(planted(task, text, into))
    assert "isolation.leaks=drop" in str(caught.value)


@pytest.mark.parametrize("kind", [kind for kind in EDITS if kind not in BORDERLINE])
def test_a_kind_of_edit_is_found_or_missed_as_documented(task: Task, kind: str) -> None:
    source = Source(tuple(" ".join(OTHERS).split()), OTHERS)
    copy = EDITS[kind](TICKET, Random(0), source)
    assert copy is not None and (copy == TICKET) == (kind == "verbatim")
    _, certificate = replace(STOP, leaks="allow").certify(planted(task, copy, victim=TICKET))
    pairs = {(leak.pair.eval_where, leak.pair.where) for leak in certificate.leaks}
    assert pairs == (set() if kind in MISSED else {("eval.jsonl:1", "train.jsonl:1")})


def test_the_source_that_an_example_names_may_sound_like_it_but_not_be_it(task: Task) -> None:
    leaky = planted(task, f"{LONG} In winter.", "corpus")
    passage = leaky.materials.corpus[0]
    with pytest.raises(LeakError, match=r"corpus\.jsonl:1"):
        STOP.certify(leaky)
    named = [replace(e, gold_passages=(passage.id,)) if e.input == LONG else e for e in leaky.eval]
    assert STOP.certify(replace(leaky, eval=tuple(named)))[1].decision == "sealed"
    same = planted(task, LONG, "corpus")
    with pytest.raises(LeakError, match="say the same"):
        STOP.certify(replace(same, eval=tuple(named)))


def test_a_corpus_may_hold_facts_but_no_eval_question(task: Task) -> None:
    STOP.certify(planted(task, "Zips of sleeping bags are mended in winter.", "corpus"))
    with pytest.raises(LeakError, match=r"corpus\.jsonl:1 overlap"):
        STOP.certify(planted(task, f"Q: {LONG} A: red. {FILLER}", "corpus"))


@pytest.mark.parametrize(
    ("changes", "kind"),
    [({"id": "eval-0"}, "have the same id"), ({"group": "eval-group-0"}, "are of the same group")],
)
def test_shared_ids_and_groups_are_leaks(task: Task, changes: dict[str, str], kind: str) -> None:
    with pytest.raises(LeakError, match=kind):
        STOP.certify(planted(task, "Nothing alike whatsoever.", **changes))


def test_leaks_can_be_dropped_or_allowed_and_the_certificate_says_so(task: Task) -> None:
    leaky = planted(task, LONG)
    dropped, certificate = replace(STOP, leaks="drop").certify(leaky)
    assert certificate.decision == "dropped"
    assert [leak.kind for leak in certificate.leaks] == ["text"]
    assert len(dropped.materials.train) == 15
    assert dropped.eval == leaky.eval
    allowed, certificate = replace(STOP, leaks="allow").certify(leaky)
    assert (allowed, certificate.decision) == (leaky, "allowed")


def with_update(task: Task, text: str) -> Task:
    """The task with an update that has this text in its corpus."""
    page = Passage("P0", "Page 0", text, "corpus2.jsonl:1")
    return replace(task, update=Update((page, *task.materials.corpus[1:]), task.eval))


def test_the_corpus_of_an_update_is_sealed_from_eval_as_the_corpus_is(task: Task) -> None:
    sealed, certificate = STOP.certify(with_update(task, "Zips are replaced in winter."))
    assert certificate.compared["updated corpus"] == 4
    assert certificate.decision == "sealed"
    assert sealed.update
    assert sealed.update.leaks == 0
    leaky = with_update(planted(task, "Nothing alike."), f"Q: {LONG} A: red. {FILLER}")
    with pytest.raises(LeakError, match=r"corpus2\.jsonl:1 overlap.*out of updated corpus"):
        STOP.certify(leaky)
    dropped, _ = replace(STOP, leaks="drop").certify(leaky)
    assert dropped.update
    assert len(dropped.update.corpus) == 3
    assert dropped.materials == leaky.materials
    allowed, certificate = replace(STOP, leaks="allow").certify(leaky)
    assert allowed.update
    assert allowed.update.leaks == 1
    assert certificate.concerning({"train", "corpus"}).decision == "sealed", "no rung has read it"


@pytest.mark.parametrize("name", ["near_duplicate", "contained"])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), 60, 1.01, 0, -1, "0.6", True, None])
def test_a_threshold_is_a_share_above_0_or_refused_at_once(name: str, value: object) -> None:
    with pytest.raises(ConfigError) as caught:
        replace(STOP, **{name: value})  # type: ignore[arg-type]
    line = str(caught.value)
    assert line.startswith(f"isolation.{name}={value}: must be a number above 0 and at most 1")
    assert "\n" not in line


def test_what_to_do_about_leaks_is_checked_at_once() -> None:
    with pytest.raises(ConfigError, match=r"isolation\.leaks=maybe: is not one of stop, drop"):
        replace(STOP, leaks="maybe")


def by_definition(sealed: str, line: str) -> str:
    """What a pair is, by plain sets of n-grams."""
    ours, theirs = (
        {text[i : i + 5] for i in range(len(text) - 4)}
        for text in (normalize(sealed), normalize(line))
    )
    shared = len(ours & theirs)
    if normalize(sealed) == normalize(line):
        return "text"
    if shared >= 0.6 * len(ours | theirs):
        return "near-duplicate"
    return "contained" if shared >= 0.9 * len(ours) and len(ours) >= 40 else ""


def test_no_pair_over_a_threshold_is_missed(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    """The filtered sparse product against the plain definition, with n-grams that are common."""
    monkeypatch.setattr(table, "COMMON", 2)
    monkeypatch.setattr(features, "CHUNK", 200)
    monkeypatch.setattr(table, "PAIRS", 5)
    rng = np.random.default_rng(0)
    words = [f"word{chr(97 + i)}" * (1 + i % 3) for i in range(12)]

    def text(most: int) -> str:
        return " ".join(rng.choice(words, rng.integers(2, most)))

    sealed = [
        replace(task.eval[0], id=f"e{i}", group=f"e{i}", input=text(9), where=f"e:{i}")
        for i in range(60)
    ]
    rows = [
        replace(task.materials.train[0], id=f"t{i}", group=f"t{i}", input=text(30), where=f"t:{i}")
        for i in range(60)
    ] + [replace(sealed[i], id=f"c{i}", group=f"c{i}", where=f"c:{i}") for i in range(3)]
    expected = {
        (kind, e.where, row.where)
        for e in sealed
        for row in rows
        if (kind := by_definition(e.input, row.input))
    }
    found = inputs.compare(inputs.Sealed(sealed, 0.6, 0.9, rewritten=False), "train", rows)
    leaks, closest = found.leaks, found.closest
    assert {kind for kind, _, _ in expected} == {"text", "near-duplicate", "contained"}
    assert {(x.kind, x.pair.eval_where, x.pair.where) for x in leaks} == expected
    assert len(leaks) == len(expected)
    assert closest is not None and closest.similarity == 1


def test_equal_texts_are_found_at_the_highest_thresholds(task: Task) -> None:
    with pytest.raises(LeakError, match="say the same"):
        Isolation(near_duplicate=1.0, contained=1, leaks="stop").certify(planted(task, LONG))


@pytest.mark.parametrize("text", ["", "a", "é", "ok"])
def test_very_short_texts_are_compared_too(task: Task, text: str) -> None:
    sealed = replace(task.eval[0], input=text or "?")
    STOP.certify(replace(task, eval=(sealed,)))


def test_a_prompt_may_say_neither_what_eval_asks_nor_a_long_target_of_it(task: Task) -> None:
    target = '{"colour":"red","code":"C1","note":"a note that is as long as a line of text is"}'
    sealed = replace(task.eval[0], input=LONG, target=target, where="eval.jsonl:1")
    holding = replace(task, eval=(sealed, *task.eval[1:]))

    def kinds(text: str) -> set[str]:
        return {leak.kind for leak in STOP.leaks_of(text, "a prompt", holding)}

    assert kinds("Answer in JSON, with care, as a clerk of the shop would.") == set()
    assert kinds(f"Answer in JSON.\n{LONG.upper()}\nis an example.") >= {"text"}
    assert kinds(f"Answer in JSON, {FILLER}, for example {LONG} as red.") == {"contained"}
    assert kinds(f"Answer in JSON, {FILLER}, for example {target}") == {"contained"}
    assert kinds(f"Answer in JSON, as {sealed.target[:20]} or so.") == set()
