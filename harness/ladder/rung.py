"""A rung of the customization ladder: what it changes, as data."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.errors import ConfigError
from harness.ladder.adapter import Adapted, Adapter
from harness.ladder.prompt import render
from harness.ladder.retrieval import Lookup, Search, in_order
from harness.ladder.shots import Shots
from harness.ladder.stand_ins import StandIn
from harness.models.decode import Constraint
from harness.models.embedder import Embedder
from harness.models.local import LocalModel, Message
from harness.task import Example, Materials, Passage, Prediction, Question

__all__ = ["Asked", "Predictor", "Rung"]


@dataclass(frozen=True)
class Asked:
    """A question as it is put to the model."""

    messages: list[Message]
    passages: tuple[str, ...]
    """Ids of the passages it shows, best first; it shows them in the corpus's order."""


@dataclass(frozen=True)
class Rung:
    """One way to customize a model. Each slot is filled or empty, independent of the others."""

    name: str
    instructions: str
    """Which variant the prompt says: `full`, `short`, or another of the task's."""
    role: str = "system"
    """Whose turn the instructions stand in: `system` or `user`."""
    shots: Shots | None = None
    """Which worked examples it shows; where it retrieves, with their passages."""
    retrieval: Lookup | None = None
    """What it looks up."""
    adapter: Adapter | None = None
    """Which weights it changes."""
    stand_in: StandIn | None = None
    """What answers in the model's place: a control."""

    def __post_init__(self) -> None:
        if self.role not in ("system", "user"):
            raise ConfigError(f"rung.role={self.role}: is not one of system, user")

    @property
    def random(self) -> bool:
        """Whether the seed makes a difference."""
        return self.adapter is not None or (self.shots is not None and self.shots.random)

    @property
    def embeds(self) -> bool:
        """Whether an embedder takes part."""
        return any(slot and slot.embeds for slot in (self.retrieval, self.shots, self.stand_in))

    @property
    def told(self) -> bool:
        """Whether it is told which passages hold the answer, as one control is."""
        return self.retrieval is not None and self.retrieval.told

    def questions(self, examples: Sequence[Example]) -> list[Question]:
        """Examples as it may see them: without targets and, but for that control, sources."""
        return [e.told if self.told else e.question for e in examples]

    def labelled(self, materials: Materials) -> int:
        """How many labelled examples it needs."""
        if self.adapter:
            return len(materials.train) + len(materials.dev)
        if self.stand_in:
            return len(materials.train)
        return self.shots.labelled(materials.train) if self.shots else 0

    def check(self, materials: Materials) -> None:
        """Raise what is known before a model is loaded: RungUnavailableError, ConfigError."""
        if self.instructions not in materials.instructions:
            known = ", ".join(materials.instructions)
            raise ConfigError(f"rung.instructions={self.instructions}: is not one of {known}")
        if self.retrieval:
            self.retrieval.check(materials.corpus)
        if self.shots:
            self.shots.check(materials.train)

    def fit(
        self,
        materials: Materials,
        model: LocalModel,
        embedder: Embedder,
        seed: int,
        folder: Path,
        constraint: Callable[[], Constraint] | None = None,
    ) -> Predictor:
        """Prepare to answer: index, train. `folder` keeps the adapter and training's checkpoints.

        Sees train, dev and the corpus; eval is out of its reach. `constraint` begins a new one for
        a question; None decodes freely.
        """
        self.check(materials)
        index = self.retrieval.index(materials.corpus, embedder) if self.retrieval else None
        predictor = Predictor(self, materials, model, embedder, seed, index, constraint)
        if self.adapter is None:
            return predictor
        adapted = self.adapter.fit(model, predictor.lessons, materials, seed, folder)
        return replace(predictor, model=adapted.model, adapted=adapted)


@dataclass(frozen=True)
class Predictor:
    """A rung that is ready to answer."""

    rung: Rung
    materials: Materials
    model: LocalModel
    embedder: Embedder
    seed: int
    index: Search | None
    constraint: Callable[[], Constraint] | None = None
    adapted: Adapted | None = None
    lowered: Sequence[str] = ()
    """What it shows less of than it was configured to, and why: sentences."""

    def ask(self, questions: Sequence[Question]) -> list[Asked]:
        """How each question is put to the model."""
        m, rung = self.materials, self.rung
        shots: Sequence[tuple[Example, ...]] = [()] * len(questions)
        passages: Sequence[tuple[Passage, ...]] = [()] * len(questions)
        if rung.shots:
            shots = rung.shots.choose(m.train, questions, self.seed, self.embedder)
        if self.index:
            passages = self.index.search(questions)
        illustrated = self._illustrated({e.id: e for s in shots for e in s})
        return [
            Asked(
                render(
                    m.instructions[rung.instructions],
                    m.question,
                    q.input,
                    [(e, illustrated[e.id]) for e in s],
                    shown,
                    rung.role,
                ),
                tuple(passage.id for passage in p),
            )
            for q, s, p, shown in zip(
                questions, shots, passages, in_order(m.corpus, passages), strict=True
            )
        ]

    def _illustrated(self, shots: Mapping[str, Example]) -> dict[str, tuple[Passage, ...]]:
        """The passages that each worked example shows, by the example's id."""
        if not self.index or not shots:
            return dict.fromkeys(shots, ())
        shown = in_order(self.materials.corpus, self.index.illustrate(list(shots.values())))
        return dict(zip(shots, shown, strict=True))

    def lessons(self, examples: Sequence[Example]) -> list[tuple[list[Message], str]]:
        """What an adapter learns from: the very messages it will be asked with, and the targets."""
        asked = self.ask(self.rung.questions(examples))
        return [(a.messages, e.target) for a, e in zip(asked, examples, strict=True)]

    def __call__(
        self, questions: Sequence[Question], batch_size: int | None = None
    ) -> Iterator[Prediction]:
        """Answer questions; predictions come in the order in which they are done."""
        if self.rung.stand_in:
            yield from self._stand_in(self.rung.stand_in, questions)
            return
        asked = self.ask(questions)
        prompts = [self.model.encode(a.messages) for a in asked]
        budget = self.materials.max_new_tokens
        for done in self.model.answer(prompts, budget, batch_size, self.constraint):
            yield Prediction(
                id=questions[done.index].id,
                text=self.model.decode(done.tokens),
                finish=done.finish,
                prompt_tokens=len(prompts[done.index]),
                computed_tokens=done.computed,
                completion_tokens=len(done.tokens),
                seconds=done.seconds,
                passages=asked[done.index].passages,
                batch=done.batch,
            )

    def _stand_in(self, stand_in: StandIn, questions: Sequence[Question]) -> Iterator[Prediction]:
        began = time.perf_counter()
        texts = stand_in.answers(self.materials, questions, self.embedder)
        seconds = (time.perf_counter() - began) / max(1, len(questions))
        for question, text in zip(questions, texts, strict=True):
            yield Prediction(question.id, text, "stop", 0, 0, 0, seconds)
