"""A rung is its slots: what each of them adds, and what it leaves alone."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import pytest
import torch

from harness.constraint import Choices
from harness.errors import ConfigError, RungUnavailableError
from harness.ladder.distillation import Distilled
from harness.ladder.retrieval import Retrieval
from harness.ladder.rung import Predictor, Rung
from harness.ladder.search import Search
from harness.ladder.shots import Shots
from harness.models.embedder import Embedder
from harness.models.engine import Capabilities, Message
from harness.models.local.engine import LocalEngine
from harness.task import Example, Task
from harness.tuning.adapter import Adapter
from tests.conftest import fixed, lora, plan, similar

PROMPT = Rung("prompt", "full")
ADAPTER = Adapter(lora(), plan(epochs=1, evaluations_per_epoch=1))

Fit = Callable[..., Predictor]


@pytest.fixture
def fit(task: Task, tiny: LocalEngine, letters: Embedder, tmp_path: Path) -> Fit:
    """The prompt rung with some slots filled, ready to answer."""

    def call(**slots: object) -> Predictor:
        rung = replace(PROMPT, **slots)  # type: ignore[arg-type]
        return rung.fit(task.materials, tiny, letters, seed=0, folder=tmp_path)

    return call


def test_the_bare_prompt_says_the_instructions_and_the_question(fit: Fit, task: Task) -> None:
    (asked,) = fit().render(task.questions[:1])
    assert asked.messages == [
        {"role": "system", "content": task.materials.instructions["full"]},
        {"role": "user", "content": task.questions[0].input},
    ]
    assert asked.passages == ()


def test_each_slot_adds_its_part_and_leaves_the_others_alone(fit: Fit, task: Task) -> None:
    """Worked examples are the same ones, with passages of their own where the rung retrieves."""
    questions = task.questions
    both = fit(instructions="short", shots=fixed(2), retrieval=Retrieval(2)).render(questions)
    shown = fit(shots=fixed(2)).render(questions)
    found = fit(retrieval=Retrieval(2)).render(questions)
    for combined, shots, passages in zip(both, shown, found, strict=True):
        system, *turns, asked = combined.messages
        assert system == {"role": "system", "content": "JSON."}
        assert [{**t, "content": t["content"].split("\n\n")[-1]} for t in turns] == (
            shots.messages[1:-1]
        )
        assert len(turns) == 4
        assert asked == passages.messages[-1]
        assert combined.passages == passages.passages


def test_instructions_can_stand_in_the_users_turn(fit: Fit, task: Task) -> None:
    (asked,) = fit(role="user", instructions="short").render(task.questions[:1])
    assert asked.messages == [{"role": "user", "content": f"JSON.\n\n{task.questions[0].input}"}]
    with pytest.raises(ConfigError, match=r"rung\.role=boss: must be 'system' or 'user'"):
        fit(role="boss")


@pytest.mark.parametrize("shots", [fixed(3), similar(3)], ids=["fixed", "similar"])
@pytest.mark.parametrize("k", [1, 2])
def test_where_a_rung_retrieves_its_shots_show_passages_with_what_holds_their_answers(
    fit: Fit, task: Task, shots: Shots, k: int
) -> None:
    rung = fit(shots=shots, retrieval=Retrieval(k))
    assert rung.index is not None
    train = {e.input: e for e in task.materials.train}
    order = {str(p): place for place, p in enumerate(task.materials.corpus)}
    searched = rung.index.search
    replaced = 0
    for asked in rung.render(task.questions):
        for turn in asked.messages[1:-1:2]:
            *pages, question = turn["content"].split("\n\n")
            example = train[question]
            found = {p.id for p in searched([example.question])[0]}
            said = {page[1:3] for page in pages}
            assert [order[page] for page in pages] == sorted(order[page] for page in pages)
            assert len(said) == len(pages) == k
            assert set(example.gold_passages) <= said
            assert len(said - found) == len(set(example.gold_passages) - found)
            replaced += said != found
    assert replaced, "the search misses nothing: the test shows little"


def test_without_retrieval_shots_show_no_passages(fit: Fit, task: Task) -> None:
    inputs = {e.input for e in task.materials.train}
    (asked,) = fit(shots=fixed(3)).render(task.questions[:1])
    assert {m["content"] for m in asked.messages[1:-1:2]} <= inputs


def test_what_was_retrieved_stands_before_the_question_as_in_the_corpus(
    fit: Fit, task: Task
) -> None:
    rung = fit(retrieval=Retrieval(3))
    pages = {p.id: str(p) for p in task.materials.corpus}
    asked = {q.id: a for q, a in zip(task.questions, rung.render(task.questions), strict=True)}
    predictions = list(rung(task.questions))
    assert any(sorted(p.passages) != list(p.passages) for p in predictions), (
        "none tells orders apart"
    )
    for p, q in ((p, next(q for q in task.questions if q.id == p.id)) for p in predictions):
        assert len(p.passages) == 3
        expected = "\n\n".join([*(pages[i] for i in sorted(p.passages)), q.input])
        assert asked[p.id].messages[-1]["content"] == expected


@pytest.mark.parametrize(
    ("shots", "role"), [(similar(2), "system"), (fixed(2), "user"), (None, "system")]
)
def test_an_adapter_learns_from_the_very_messages_that_it_is_asked_with(
    fit: Fit,
    task: Task,
    tiny: LocalEngine,
    monkeypatch: pytest.MonkeyPatch,
    shots: Shots | None,
    role: str,
) -> None:
    learned: list[Sequence[Message]] = []
    encode_answer = LocalEngine.encode_answer

    def spy(model: LocalEngine, messages: Sequence[Message], answer: str) -> list[int]:
        learned.append([*messages, {"role": "assistant", "content": answer}])
        return encode_answer(model, messages, answer)

    monkeypatch.setattr(LocalEngine, "encode_answer", spy)
    slots = {"instructions": "short", "role": role, "shots": shots, "retrieval": Retrieval(1)}
    rung = fit(**slots, tuning=ADAPTER)
    examples = task.materials.train + task.materials.dev
    asked = rung.render([e.question for e in examples])
    assert learned == [
        [*a.messages, {"role": "assistant", "content": e.target}]
        for a, e in zip(asked, examples, strict=True)
    ]
    untuned = fit(**slots)
    assert rung.render(task.questions) == untuned.render(task.questions)
    assert rung.engine is not untuned.engine is tiny


def test_examples_that_are_not_for_training_are_shown_only_when_it_answers(
    fit: Fit, task: Task
) -> None:
    shown = fit(shots=fixed(2), retrieval=Retrieval(1))
    held_back = fit(shots=replace(fixed(2), in_training=False), retrieval=Retrieval(1))
    assert held_back.render(task.questions) == shown.render(task.questions)
    assert held_back.lessons() == fit(retrieval=Retrieval(1)).lessons() != shown.lessons()


def test_passages_that_are_not_for_training_leave_what_is_learned_without_them(
    fit: Fit, task: Task
) -> None:
    """Bolted together: the lessons of the rung without retrieval, so that weights are shared."""
    shown = fit(retrieval=Retrieval(2))
    bolted = fit(retrieval=Retrieval(2, in_training=False))
    assert bolted.render(task.questions) == shown.render(task.questions)
    assert bolted.lessons() == fit().lessons() != shown.lessons()


def test_distractors_stand_in_training_prompts_alone_and_in_the_order_of_the_corpus(
    fit: Fit, task: Task
) -> None:
    """Dev tells when to stop, by prompts as they will be when it answers."""
    plain = fit(retrieval=Retrieval(2))
    raft = fit(retrieval=Retrieval(2, distractors=1))
    assert raft.render(task.questions) == plain.render(task.questions)
    (train, dev), (plain_train, plain_dev) = raft.lessons(), plain.lessons()
    assert dev == plain_dev
    assert train != plain_train
    order = {str(p): place for place, p in enumerate(task.materials.corpus)}
    for example, (messages, target) in zip(task.materials.train, train, strict=True):
        *pages, asked = messages[-1]["content"].split("\n\n")
        assert (asked, target) == (example.input, example.target)
        assert [order[page] for page in pages] == sorted(order[page] for page in pages)
        assert len(pages) == 2
        assert any(page.startswith(f"[{example.gold_passages[0]}]") for page in pages)


def test_predictions_tell_what_was_sent_computed_and_written(
    fit: Fit, task: Task, tiny: LocalEngine
) -> None:
    rung = fit(shots=fixed(2))
    prompts = [tiny.encode(a.messages) for a in rung.render(task.questions)]
    predictions = {p.id: p for p in rung(task.questions)}
    shared = min(len(p) for p in prompts)
    while any(p[:shared] != prompts[0][:shared] for p in prompts):
        shared -= 1
    for q, prompt in zip(task.questions, prompts, strict=True):
        p = predictions[q.id]
        assert p.prompt_tokens == len(prompt)
        assert p.batch == len(prompts)
        assert p.completion_tokens == 48 if p.finish == "length" else p.completion_tokens < 48
        assert p.seconds > 0
        assert p.error is None
    computed = sum(p.computed_tokens for p in predictions.values())
    assert computed <= sum(map(len, prompts)) - 7 * shared
    assert shared > 100


@pytest.mark.parametrize(
    ("slots", "random", "embeds"),
    [
        ({}, False, False),
        ({"shots": fixed(2)}, True, False),
        ({"shots": similar(2)}, False, True),
        ({"retrieval": Retrieval(2)}, False, True),
        ({"tuning": ADAPTER}, True, False),
        ({"shots": fixed(2), "retrieval": Retrieval(2)}, True, True),
        ({"shots": similar(2), "tuning": ADAPTER}, True, True),
    ],
)
def test_a_rung_knows_whether_the_seed_and_the_embedder_matter(
    slots: dict[str, object], random: bool, embeds: bool
) -> None:
    rung = replace(PROMPT, **slots)  # type: ignore[arg-type]
    assert (rung.random, rung.embeds) == (random, embeds)


def test_unknown_instructions_are_refused(fit: Fit) -> None:
    with pytest.raises(ConfigError, match=r"rung\.instructions=long: is not one of full, short"):
        fit(instructions="long")


def test_more_passages_than_the_corpus_has_are_refused(fit: Fit) -> None:
    with pytest.raises(ConfigError, match=r"retrieval\.k=5: must be from 1 to the 4 passages"):
        fit(retrieval=Retrieval(5))


def test_a_rung_that_retrieves_cannot_be_had_without_a_corpus(
    task: Task, tiny: LocalEngine, letters: Embedder, tmp_path: Path
) -> None:
    bare = replace(task.materials, corpus=())
    rung = replace(PROMPT, retrieval=Retrieval(1))
    for refuse in (rung.check, lambda m: rung.fit(m, tiny, letters, 0, tmp_path)):
        with pytest.raises(RungUnavailableError, match=r"has no corpus\.jsonl; add one"):
            refuse(bare)
    PROMPT.check(bare)


def test_more_shots_than_train_has_are_refused(fit: Fit) -> None:
    with pytest.raises(ConfigError, match=r"shots\.k=17: must be from 1 to the 16 train examples"):
        fit(shots=fixed(17))


def test_a_constraint_holds_for_every_answer_and_none_is_free(
    task: Task, tiny: LocalEngine, letters: Embedder, tmp_path: Path
) -> None:
    choices = Choices(("red", "blue"))
    held = PROMPT.fit(task.materials, tiny, letters, 0, tmp_path, choices)
    assert {p.text for p in held(task.questions)} <= {"red", "blue"}
    free = PROMPT.fit(task.materials, tiny, letters, 0, tmp_path)
    assert not {p.text for p in free(task.questions)} & {"red", "blue"}


def test_a_run_depends_on_what_its_slots_read_and_on_nothing_else() -> None:
    read = {
        "prompt": (PROMPT, set()),
        "few_shot": (replace(PROMPT, shots=fixed(2)), {"train"}),
        "rag": (replace(PROMPT, retrieval=Retrieval(1)), {"corpus"}),
        "lora": (replace(PROMPT, tuning=ADAPTER), {"train", "dev"}),
        "rag_lora": (
            replace(PROMPT, retrieval=Retrieval(1), tuning=ADAPTER),
            {"train", "dev", "corpus"},
        ),
    }
    assert {name: rung.reads for name, (rung, _) in read.items()} == {
        name: parts for name, (_, parts) in read.items()
    }


def test_the_most_demanding_slot_says_how_many_labels_a_rung_needs(task: Task) -> None:
    m = task.materials
    assert PROMPT.labelled(m) == 0
    assert replace(PROMPT, shots=fixed(2)).labelled(m) == 2
    assert replace(PROMPT, shots=similar(2)).labelled(m) == len(m.train)
    assert replace(PROMPT, shots=fixed(2), tuning=ADAPTER).labelled(m) == len(m.train + m.dev)


def test_a_search_needs_what_its_examples_are_chosen_from_and_dev_to_pick_on(task: Task) -> None:
    m = task.materials
    search = Search(questions=2, examples=[0, 1])
    assert replace(PROMPT, search=search).labelled(m) == 2
    assert replace(PROMPT, shots=similar(1), search=search).labelled(m) == len(m.train) + 2


def test_a_student_of_answers_that_no_target_judges_needs_dev_alone(task: Task) -> None:
    m = task.materials

    def student(**changes: Any) -> Rung:
        whose: dict[str, Any] = {"teacher": None, "answers": "a.jsonl", "min_score": None}
        taught = Distilled(**(whose | {"targets": "teacher"} | changes))
        return replace(PROMPT, transform=taught, tuning=ADAPTER)

    assert student().labelled(m) == len(m.dev)
    assert student(min_score=0.5).labelled(m) == len(m.train + m.dev)
    assert student(targets="gold").labelled(m) == len(m.train + m.dev)
    few_shot = replace(PROMPT, shots=similar(2))
    assert student(answers=None, teacher=few_shot).labelled(m) == len(m.train)


def test_weights_that_are_not_here_cannot_be_tuned(
    task: Task,
    tiny: LocalEngine,
    letters: Embedder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    remote = Capabilities(tunable=False, constrainable=True, log_probabilities=False)
    monkeypatch.setattr(tiny, "capabilities", remote, raising=False)
    with pytest.raises(RungUnavailableError, match="those of tiny are not here; choose a local"):
        replace(PROMPT, tuning=ADAPTER).fit(task.materials, tiny, letters, 0, tmp_path)


def test_nothing_that_a_rung_receives_leads_to_a_target_of_eval(
    task: Task, tiny: LocalEngine, letters: Embedder, tmp_path: Path
) -> None:
    """Isolation by type: what hangs on a fitted rung and its questions, followed to the end."""
    rung = replace(PROMPT, shots=similar(2), retrieval=Retrieval(1))
    predictor = rung.fit(task.materials, tiny, letters, 0, tmp_path)
    seen: dict[int, object] = {}
    todo: list[object] = [predictor, task.questions, task.materials]
    while todo:
        one = todo.pop()
        if id(one) in seen or isinstance(one, type | ModuleType | FunctionType | torch.Tensor):
            continue
        seen[id(one)] = one
        todo += gc.get_referents(one)
    reached = [one for one in seen.values() if isinstance(one, Example)]
    assert reached, "the walk finds no example at all"
    assert not {e.id for e in reached} & {e.id for e in task.eval}
