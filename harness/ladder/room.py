"""What there is room for: no more examples and passages than the data and the context have."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from harness.errors import HarnessError, RungUnavailableError
from harness.ladder.retrieval import Retrieval
from harness.ladder.rung import Predictor, Rung
from harness.models.engine import Conversation
from harness.task import Materials, Question

__all__ = ["fitting", "within_context", "within_data"]

Prepare = Callable[[Rung], Predictor]
"""A rung as it asks, before anything is trained."""


def fitting(
    rung: Rung, materials: Materials, prepare: Prepare, parts: Sequence[Sequence[Question]]
) -> tuple[Rung, list[str]]:
    """The rung with as much to show as there is and as fits, and what was lowered."""
    rung, said = within_data(rung, materials)
    if rung.baseline:
        return rung, said
    rung, more = within_context(rung, prepare, parts)
    return rung, said + more


def within_data(rung: Rung, materials: Materials) -> tuple[Rung, list[str]]:
    """The rung with no more examples and passages than there are, and a sentence for each slot
    that was lowered."""
    said: list[str] = []
    have = {
        "shots": (len(materials.train), "train examples"),
        "retrieval": (len(materials.corpus), "passages"),
    }
    for slot, (count, things) in have.items():
        k = _k(rung, slot)
        if 0 < count < k:
            rung = _set(rung, slot, count)
            said.append(
                f"rung.{slot}.k lowered from {k} to {count}: there are {count} {things} to show"
            )
    return rung, said


def within_context(
    rung: Rung, prepare: Prepare, parts: Sequence[Sequence[Question]]
) -> tuple[Rung, list[str]]:
    """The rung with as many examples and passages as fit into the model's context with every
    question of `parts`, the same number for all of them, and a sentence for each slot lowered.

    First examples become fewer, then passages, down to one of each. Raises RungUnavailableError
    if a prompt is too long all the same.
    """
    predictor = prepare(rung)
    context, answer = predictor.engine.context, _answer_tokens(predictor)
    if context is None:
        return rung, []
    question, tokens = _longest(predictor, parts)
    first, before = _sentence(rung, question, tokens, predictor), rung
    if tokens + answer > context:
        _check_parts(predictor, question, context - answer)
    while tokens + answer > context:
        smaller = next(_smaller(rung), None)
        if smaller is None:
            raise RungUnavailableError(
                f"{_sentence(rung, question, tokens, predictor)}; shorten what it shows or asks"
            )
        rung = smaller
        question, tokens = _longest(prepare(rung), parts)
    return rung, [
        f"rung.{slot}.k lowered from {_k(before, slot)} to {_k(rung, slot)}: {first}"
        for slot in ("shots", "retrieval")
        if _k(rung, slot) != _k(before, slot)
    ]


def _longest(predictor: Predictor, parts: Sequence[Sequence[Question]]) -> tuple[Question, int]:
    """The question with the longest prompt, and the tokens of that."""
    found: list[tuple[Question, int]] = []
    for questions in filter(None, parts):
        rendered = predictor.render(questions)
        lengths = (_tokens(predictor, one.messages) for one in rendered)
        found += zip(questions, lengths, strict=True)
    return max(found, key=lambda pair: pair[1])


def _check_parts(predictor: Predictor, question: Question, most: int) -> None:
    """Raise RungUnavailableError for one text of a prompt that is too long by itself, with its
    place: to show less of all others would not help."""
    for where, text in _parts(predictor, question):
        tokens = predictor.engine.count([[{"role": "user", "content": text}]])[0]
        if tokens > most:
            raise RungUnavailableError(
                f"{where}: has {len(text):,} characters, {tokens:,} tokens at least, and "
                f"{predictor.engine.name} can take {max(0, most):,} beside the answer; shorten it "
                "or take it out"
            )


def _parts(predictor: Predictor, question: Question) -> Iterator[tuple[str, str]]:
    """What the prompt of a question is made of, and where each text stands; the longest first."""
    m, rung = predictor.materials, predictor.rung
    prompt = predictor.render([question])[0]
    shown = set(prompt.passages)
    said = m.instructions[rung.instructions]
    texts = [(f"instructions.{rung.instructions}.md", said), (question.where, question.input)]
    texts += [(p.where, p.text) for p in m.corpus if p.id in shown]
    if rung.shots:
        examples = rung.shots.choose(m.train, [question], predictor.seed, predictor.embedder)[0]
        texts += [(e.where, e.input + e.target) for e in examples]
    yield from sorted(texts, key=lambda text: -len(text[1]))


def _tokens(predictor: Predictor, messages: Conversation) -> int:
    try:
        return predictor.engine.count([messages])[0]
    except HarnessError:
        raise
    except Exception:  # noqa: BLE001 - it will be counted as a failed answer, when it is asked
        return 0


def _sentence(rung: Rung, question: Question, tokens: int, predictor: Predictor) -> str:
    shown = " and ".join(
        f"{slot}.k={k}" for slot in ("shots", "retrieval") if (k := _k(rung, slot))
    )
    answer = _answer_tokens(predictor)
    return (
        f"the prompt of {question.where} has {tokens:,} tokens{f' with {shown}' if shown else ''}, "
        f"and {answer:,} for the answer make more than the {predictor.engine.context:,} that "
        f"{predictor.engine.name} can take"
    )


def _answer_tokens(predictor: Predictor) -> int:
    """Tokens that may follow a prompt: of the answer, and of a dialogue before it."""
    m, dialogue = predictor.materials, predictor.rung.dialogue
    return m.max_new_tokens + (dialogue.room(m) if dialogue else 0)


def _smaller(rung: Rung) -> Iterator[Rung]:
    """The rung with one example less, or one passage less."""
    for slot in ("shots", "retrieval"):
        if (k := _k(rung, slot)) > 1:
            yield _set(rung, slot, k - 1)


def _k(rung: Rung, slot: str) -> int:
    """How many a slot shows; 0 if it is empty or shows what it is told."""
    return getattr(getattr(rung, slot), "k", 0)


def _set(rung: Rung, slot: str, k: int) -> Rung:
    filled = getattr(rung, slot)
    if isinstance(filled, Retrieval):
        return replace(rung, retrieval=filled.showing(k))
    filled = replace(filled, k=k)
    return replace(rung, shots=filled) if slot == "shots" else replace(rung, retrieval=filled)
