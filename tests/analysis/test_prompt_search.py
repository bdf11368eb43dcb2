"""What a search among prompts came to, in numbers and in words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from harness.analysis.declared_contrasts import plan
from harness.analysis.export import as_json, record
from harness.analysis.prompt_search import prompt_searches
from harness.analysis.rungs import on_dev, rung_results
from harness.analysis.runs import read_ladder
from harness.analysis.single_changes import reference
from harness.evidence.sanity import Badge
from harness.record.results import RunFolder
from harness.report.prompt_search import search_sentences, search_tables
from harness.report.tables import tables
from tests.ladders import LARGE, priced, run
from tests.record.conftest import complete_run


def tried(name: str, value: float, k: int = 0) -> dict[str, Any]:
    label = f"{name}, system" + (f", {k} examples" if k else "")
    prompt = {"prompt": label, "name": name, "role": "system", "k": k}
    return prompt | {"value": value, "tokens": 200.0, "seconds": 10.0}


PROMPTS = [tried("full", 0.4), tried("terse", 0.6), tried("short", 0.2)]
SEARCH: dict[str, Any] = {
    "chosen": PROMPTS[1],
    "n": 32,
    "tried": PROMPTS,
    "dropped": [],
    "reflector": None,
    "proposed": 0,
    "asked": 96,
    "reflections": 0,
    "prompt_tokens": 90_000,
    "computed_tokens": 40_000,
    "completion_tokens": 1_000,
    "seconds": 3600.0,
}
DEV = {"n": 48, "value": 0.5}


def with_dev(folder: RunFolder, values: dict[str, float]) -> RunFolder:
    lines = [{"id": i, "group": i, "value": value} for i, value in values.items()]
    folder.write("dev_scores.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
    return folder


def test_a_search_is_told_with_its_value_on_what_did_not_pick(tmp_path: Path) -> None:
    found = priced(
        run(tmp_path, "prompt", 20), run(tmp_path, "prompt_search", 30, search=SEARCH, dev=DEV)
    )
    (one,) = found.searches
    assert (one.rung, one.chosen.value, one.held_out, one.held_out_n) == (
        "prompt_search", 0.6, 0.5, 48,
    )  # fmt: skip
    assert one.middle == 0.4
    assert search_sentences(found) == [
        "prompt_search: terse, system is the best of 3 prompts on 32 dev questions (60.0; median "
        "40.0, full, system 40.0); 50.0 on 48 dev questions that did not pick it."
    ]
    (table,) = search_tables(found)
    assert [line[0] for line in table.lines] == [
        "terse, system (chosen)", "full, system", "short, system",
    ]  # fmt: skip
    assert table in tables(found)
    assert json.loads(as_json(record(found)))["prompt_searches"][0]["asked"] == 96


def test_a_ladder_without_a_search_shows_nothing_of_it(tmp_path: Path) -> None:
    found = priced(run(tmp_path, "prompt", 20))
    assert (list(found.searches), search_sentences(found), search_tables(found)) == ([], [], [])


def test_what_was_left_out_is_said(tmp_path: Path) -> None:
    dropped = [{"prompt": "leak, system", "why": "it has 'x' of eval.jsonl:3 in it"}]
    told = SEARCH | {"dropped": dropped}
    found = priced(run(tmp_path, "prompt_search", 30, search=told, dev=DEV))
    assert "1 prompt was left out (leak, system: it has 'x' of" in search_sentences(found)[0]


def test_a_search_is_paid_as_answers_are(tmp_path: Path) -> None:
    found = priced(run(tmp_path, "prompt_search", 30, search=SEARCH, dev=DEV))
    (rung,) = found.costs.rungs
    assert rung.searching is not None
    assert (rung.searching.asked, rung.searching.tokens) == (96, 91_000)
    assert rung.money is not None
    assert rung.money.machine == (90_000 * 0.15 + 1_000 * 0.6) / 1e6


def badge(tmp_path: Path, **changes: Any) -> Badge:
    found = priced(run(tmp_path, "prompt_search", 30, search=SEARCH | changes, dev=DEV))
    return next(b for b in found.checks["prompt_search"] if b.name == "search")


def test_a_search_that_had_nothing_to_choose_fails_its_badge(tmp_path: Path) -> None:
    assert badge(tmp_path / "a").passed
    alone = badge(tmp_path / "b", tried=PROMPTS[:1], dropped=[{"prompt": "x", "why": "y"}])
    assert (alone.passed, alone.text) == (
        False, "had one prompt to choose (1 left out: they leak or do not fit)",
    )  # fmt: skip
    silent = badge(tmp_path / "c", reflector="fake", proposed=0)
    assert not silent.passed
    assert "fake proposed nothing new" in silent.text


def test_rungs_are_chosen_among_on_questions_that_picked_for_none(tmp_path: Path) -> None:
    few = {"a": 1.0, "b": 1.0, "c": 0.0, "d": 0.0}
    searched = {"c": 1.0, "d": 0.0}
    folders = [
        with_dev(complete_run(tmp_path, "few_shot", dev={"n": 4, "value": 0.75}), few),
        with_dev(
            complete_run(tmp_path, "prompt_search", dev={"n": 2, "value": 0.5}, search=SEARCH),
            searched,
        ),
        complete_run(tmp_path, "lora", training=LARGE, seed=0, dev={"n": 4, "value": 0.9}),
    ]
    rungs = rung_results(read_ladder(folders))
    untuned = [rung for rung in rungs if not rung.tuned]
    values = {key: (dev.value, dev.n) for key, dev in on_dev(untuned).items() if dev}
    assert values == {"few_shot": (0.0, 2), "prompt_search": (0.5, 2)}
    (choice,) = plan(rungs).choices
    assert choice.best == "prompt_search"
    assert len(prompt_searches(rungs)) == 1


def test_a_rung_that_searched_is_no_reference_of_the_diagnosis(tmp_path: Path) -> None:
    folders = [
        complete_run(tmp_path, "few_shot", dev={"n": 4, "value": 0.25}),
        complete_run(tmp_path, "prompt_search", dev={"n": 2, "value": 0.5}, search=SEARCH),
    ]
    rungs = rung_results(read_ladder(folders))
    for given, key in ((rungs, "few_shot"), (rungs[1:], "prompt_search")):
        found = reference(given, [], plan(given))
        assert found is not None
        assert found.rung.key == key


def test_without_a_search_every_rung_has_its_own_value_on_dev(tmp_path: Path) -> None:
    folders = [
        with_dev(complete_run(tmp_path, "few_shot", dev={"n": 4, "value": 0.75}), {"a": 1.0}),
        complete_run(tmp_path, "prompt", dev={"n": 2, "value": 0.25}),
    ]
    rungs = rung_results(read_ladder(folders))
    values = {key: dev.value for key, dev in on_dev(rungs).items() if dev}
    assert values == {"few_shot": 0.75, "prompt": 0.25}
