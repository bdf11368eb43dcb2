"""Eval is sealed, or the run does not begin."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from harness.errors import ConfigError, LeakError
from harness.evidence import isolation
from harness.evidence.isolation import Isolation, normalize
from harness.task import Example, Task

STOP = Isolation(near_duplicate=0.6, contained=0.9, leaks="stop")
LONG = (
    "The zip of my winter sleeping bag broke on the second night and I am still cold, please help."
)

FILLER = " ".join(f"{a}{b}" for a in ("quartz", "vivid", "jumbo", "waltz") for b in range(900, 912))


def planted(task: Task, text: str, into: str = "train", **changes: str) -> Task:
    """The task with `LONG` in eval and a copy of it, changed to `text`, in another split."""
    victim = replace(task.eval[0], input=LONG, sources=(), where="eval.jsonl:1")
    m = task.materials
    if into == "corpus":
        page = replace(m.corpus[0], text=text, where="corpus.jsonl:1")
        m = replace(m, corpus=(page, *m.corpus[1:]))
    else:
        rows: tuple[Example, ...] = getattr(m, into)
        copy = replace(rows[0], input=text, where=f"{into}.jsonl:1", **changes)  # type: ignore[arg-type]
        m = replace(m, **{into: (copy, *rows[1:])})
    return replace(task, materials=m, eval=(victim, *task.eval[1:]))


def test_a_task_without_leaks_is_sealed_and_says_how_near_the_nearest_is(task: Task) -> None:
    same, certificate = STOP.seal(task)
    assert same is task
    assert certificate.decision == "sealed"
    assert certificate.compared == {"train": 16, "dev": 6, "corpus": 4}
    assert 0 < certificate.closest["train"].similarity < 0.6
    assert certificate.record()["thresholds"] == {"near_duplicate": 0.6, "contained": 0.9}


@pytest.mark.parametrize("into", ["train", "dev"])
@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (LONG, "say the same"),
        (LONG.upper().replace(",", " -- "), "say the same"),
        (LONG.replace("second", "third"), "are near-duplicates"),
        (f"{FILLER} {LONG}", r"overlap \(the second holds 100%"),
    ],
)
def test_a_planted_copy_stops_the_run_and_both_lines_are_named(
    task: Task, text: str, kind: str, into: str
) -> None:
    with pytest.raises(LeakError, match=rf"eval.jsonl:1 and {into}.jsonl:1 {kind}") as caught:
        STOP.seal(planted(task, text, into))
    assert "isolation.leaks=drop" in str(caught.value)


def test_the_source_that_an_example_names_may_sound_like_it_but_not_be_it(task: Task) -> None:
    leaky = planted(task, f"{LONG} In winter.", "corpus")
    passage = leaky.materials.corpus[0]
    with pytest.raises(LeakError, match=r"corpus\.jsonl:1"):
        STOP.seal(leaky)
    named = [replace(e, sources=(passage.id,)) if e.input == LONG else e for e in leaky.eval]
    assert STOP.seal(replace(leaky, eval=tuple(named)))[1].decision == "sealed"
    same = planted(task, LONG, "corpus")
    with pytest.raises(LeakError, match="say the same"):
        STOP.seal(replace(same, eval=tuple(named)))


def test_a_corpus_may_hold_facts_but_no_eval_question(task: Task) -> None:
    STOP.seal(planted(task, "Zips of sleeping bags are mended in winter.", "corpus"))
    with pytest.raises(LeakError, match=r"corpus\.jsonl:1 overlap"):
        STOP.seal(planted(task, f"Q: {LONG} A: red. {FILLER}", "corpus"))


@pytest.mark.parametrize(
    ("changes", "kind"),
    [({"id": "eval-0"}, "have the same id"), ({"group": "eval-group-0"}, "are of the same group")],
)
def test_shared_ids_and_groups_are_leaks(task: Task, changes: dict[str, str], kind: str) -> None:
    with pytest.raises(LeakError, match=kind):
        STOP.seal(planted(task, "Nothing alike whatsoever.", **changes))


def test_leaks_can_be_dropped_or_allowed_and_the_certificate_says_so(task: Task) -> None:
    leaky = planted(task, LONG)
    dropped, certificate = replace(STOP, leaks="drop").seal(leaky)
    assert certificate.decision == "dropped"
    assert [leak.kind for leak in certificate.leaks] == ["text"]
    assert len(dropped.materials.train) == 15
    assert dropped.eval == leaky.eval
    allowed, certificate = replace(STOP, leaks="allow").seal(leaky)
    assert (allowed, certificate.decision) == (leaky, "allowed")
    with pytest.raises(ConfigError, match=r"isolation\.leaks=maybe"):
        replace(STOP, leaks="maybe").seal(task)


def test_no_pair_over_a_threshold_is_missed(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    """The filtered sparse product against the plain definition, with n-grams that are common."""
    monkeypatch.setattr(isolation, "COMMON", 2)
    monkeypatch.setattr(isolation, "CHUNK", 200)
    rng = np.random.default_rng(0)
    words = [f"word{i}" for i in range(12)]

    def text() -> str:
        return " ".join(rng.choice(words, rng.integers(2, 9)))

    sealed = [replace(task.eval[0], id=f"e{i}", group=f"e{i}", input=text()) for i in range(40)]
    rows = [
        replace(task.materials.train[0], id=f"t{i}", group=f"t{i}", input=text(), where=f"t:{i}")
        for i in range(40)
    ]
    expected = set()
    for e in sealed:
        for row in rows:
            a, b = (
                {normalize(x)[i : i + 5] for i in range(len(normalize(x)) - 4)}
                for x in (e.input, row.input)
            )
            if len(a & b) / len(a | b) >= 0.6:
                expected.add((e.input, row.where))
    leaks, closest = STOP._compare("train", sealed, rows)
    found = {(leak.pair.eval_text, leak.pair.where) for leak in leaks if leak.kind != "contained"}
    assert expected and found == expected
    assert closest is not None


@pytest.mark.parametrize("text", ["", "a", "é", "ok"])
def test_very_short_texts_are_compared_too(task: Task, text: str) -> None:
    sealed = replace(task.eval[0], input=text or "?")
    STOP._compare("train", [sealed], task.materials.train)
