"""A rung of the customization ladder: what it changes, as data."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.errors import ConfigError
from harness.ladder.adapter import Adapted, Adapter
from harness.ladder.constraint import Constrain
from harness.ladder.prompt import render
from harness.ladder.retrieval import Index, Retrieval
from harness.ladder.shots import Shots
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
    """Which variant the prompt says: `full` or `short`."""
    shots: Shots | None = None
    """Which worked examples it shows."""
    retrieval: Retrieval | None = None
    """What it looks up."""
    adapter: Adapter | None = None
    """Which weights it changes."""
    constraint: Constrain | None = None
    """What it can write at all."""

    @property
    def random(self) -> bool:
        """Whether the seed makes a difference."""
        return self.adapter is not None or (self.shots is not None and self.shots.random)

    @property
    def embeds(self) -> bool:
        """Whether an embedder takes part."""
        return self.retrieval is not None or (self.shots is not None and self.shots.embeds)

    def fit(
        self,
        materials: Materials,
        model: LocalModel,
        embedder: Embedder,
        seed: int,
        folder: Path,
    ) -> Predictor:
        """Prepare to answer: index, train. `folder` keeps the adapter and training's checkpoints.

        Sees train, dev and the corpus; eval is out of its reach.
        """
        if self.instructions not in materials.instructions:
            known = ", ".join(materials.instructions)
            raise ConfigError(f"rung.instructions={self.instructions}: is not one of {known}")
        index = self.retrieval.index(materials.corpus, embedder) if self.retrieval else None
        constraint = self.constraint.compile(materials.answer, model) if self.constraint else None
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
    index: Index | None
    constraint: Callable[[], Constraint] | None = None
    """Begins a new constraint for a question."""
    adapted: Adapted | None = None

    def ask(self, questions: Sequence[Question]) -> list[Asked]:
        """How each question is put to the model."""
        m, rung = self.materials, self.rung
        shots: Sequence[tuple[Example, ...]] = [()] * len(questions)
        passages: Sequence[tuple[Passage, ...]] = [()] * len(questions)
        if rung.shots:
            shots = rung.shots.choose(m.train, questions, self.seed, self.embedder)
        if self.index:
            passages = self.index.search(questions)
        return [
            Asked(
                render(
                    m.instructions[rung.instructions],
                    m.question,
                    q.input,
                    s,
                    self.index.in_order(p) if self.index else (),
                ),
                tuple(passage.id for passage in p),
            )
            for q, s, p in zip(questions, shots, passages, strict=True)
        ]

    def lessons(self, examples: Sequence[Example]) -> list[tuple[list[Message], str]]:
        """What an adapter learns from: the very messages it will be asked with, and the targets."""
        asked = self.ask([e.question for e in examples])
        return [(a.messages, e.target) for a, e in zip(asked, examples, strict=True)]

    def __call__(
        self, questions: Sequence[Question], batch_size: int | None = None
    ) -> Iterator[Prediction]:
        """Answer questions; predictions come in the order in which they are done."""
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
            )
