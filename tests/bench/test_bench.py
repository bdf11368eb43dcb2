"""The benchmark's own arithmetic, and that both sides of a line really do the same work."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bench import afternoon, answering, peers, scaling, sweep
from bench.__main__ import SECTIONS, parse
from bench.experiment import experiment
from bench.floors import floors
from bench.table import Row
from harness.experiment import compose
from harness.home import HOME
from harness.models.local.engine import LocalEngine
from harness.models.weights import Folder
from tests.conftest import LetterEmbedder


def test_a_ratio_says_how_many_times_as_fast_harness_is() -> None:
    assert Row("w", "questions/s", 10.0, "o", 2.0).ratio == 5.0
    assert Row("w", "s", 10.0, "o", 20.0).ratio == 2.0
    assert Row("w", "s", 10.0, "o", None, output="not run: why").cells()[4:6] == ("–", "–")


def test_the_command_line_tells_sections_from_overrides() -> None:
    given = parse(["training", "--steps", "5", "model.dtype=bfloat16"])
    assert (given.sections, given.overrides) == (["training"], ["model.dtype=bfloat16"])
    assert (given.steps, given.questions) == (5, 4)
    assert parse([]).sections == list(SECTIONS)
    assert parse(["--quick"]).sections == ["answering", "precision", "training", "scaling"]
    assert parse(["--quick"]).questions == 2


@pytest.mark.parametrize("words", [["answring"], ["--questions", "0"]])
def test_a_wrong_word_is_refused(words: list[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        parse(words)


def test_every_other_way_says_what_harness_says(tiny: LocalEngine) -> None:
    prompts = [tiny.encode([{"role": "user", "content": f"red ticket {i}"}]) for i in range(3)]
    done = sorted(tiny.generate(prompts, 6), key=lambda c: c.index)
    texts = [tiny.decode(c.tokens) for c in done]
    reference = tiny.fresh(tiny.model.dtype)
    assert peers.batches(tiny, reference, 1)(prompts, 6) == texts
    assert peers.batches(tiny, reference, 3)(prompts, 6) == texts
    assert peers.continuous(tiny, reference)(prompts, 6) == texts
    assert reference.config._attn_implementation == "sdpa"
    for floor in floors(reference, done):
        assert floor.seconds > 0


def test_lm_eval_reads_the_same_tokens_and_says_the_same(tiny: LocalEngine) -> None:
    pytest.importorskip("lm_eval", reason="is installed by `make bench`")
    prompts = [tiny.encode([{"role": "user", "content": f"red ticket {i}"}]) for i in range(3)]
    done = sorted(tiny.generate(prompts, 6), key=lambda c: c.index)
    answer = peers.lm_eval(tiny, tiny.fresh(tiny.model.dtype), 2)
    assert answer(prompts, 6) == [tiny.decode(c.tokens) for c in done]


def test_llama_cpp_says_why_it_does_not_run(tiny: LocalEngine) -> None:
    with pytest.raises(peers.Unavailable, match=r"GGUF|pip install"):
        peers.llama_cpp(tiny, 64)


WORDS = {
    "prompt": ("rung=prompt",),
    "few_shot": answering.FIXED,
    "lora": ("rung=lora", "~rung.tuning"),
}


@pytest.mark.parametrize("rung", WORDS)
def test_the_afternoon_asks_in_the_same_words(rung: str, tiny: LocalEngine) -> None:
    words = [*WORDS[rung], "model=folder", f"model.weights.path={tiny.folder}"]
    asked = experiment(["+task=support_json", *words])
    asked = replace(asked, embedder=LetterEmbedder())
    data = HOME / "tasks" / "support_json"
    rows = afternoon.drawn(afternoon.read(data / "eval.jsonl"), 3)
    theirs = [asked.model.encode(m) for m in afternoon.conversations(data, rung, rows, "")]
    assert asked.prompts(3) == theirs
    train = asked.task.materials.train
    answers = [afternoon.write_target(row) for row in afternoon.read(data / "train.jsonl")]
    assert answers == [example.target for example in train]
    assert isinstance(asked.model.spec.weights, Folder)


def test_the_sweep_has_the_rungs_of_the_afternoon() -> None:
    folder = Path(sweep.__file__).with_name("conf")
    assert f"--config-dir={folder}" in sweep.SAME_WORK
    words = ["+task=support_json", "rung=fixed_shots,bare_rag"]
    shots, passages = (spec.config.rung for spec in compose(words, config_dirs=[folder]))
    assert (shots.name, shots.shots.choice, shots.shots.k) == ("few_shot", "fixed", 4)
    assert (passages.name, passages.shots, passages.retrieval.k) == ("rag", None, 3)


def test_the_afternoon_scores_fields() -> None:
    target = {"a": 1, "b": None, "c": 3, "d": 4, "e": 5, "f": 6, "g": "x"}
    doc = {"target": afternoon.write_target({"target": target})}
    assert afternoon.score(doc, ['Sure: {"a": 1, "b": null}']) == {"fields": 2 / 7}
    assert afternoon.score(doc, ["no object"]) == {"fields": 0.0}


def test_comparisons_are_timed_as_the_report_makes_them() -> None:
    small, large = scaling._comparisons((10, 20))
    assert (small.size, large.size) == (10, 20)
    assert "permutation" in small.note
