"""A rung of the customization ladder: what it changes, as data."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from harness.constraint import Constraint, resolved
from harness.errors import ConfigError, RungUnavailableError
from harness.files import TRANSFORM, write_whole
from harness.ladder.baselines import Baseline
from harness.ladder.dialogue import Dialogue
from harness.ladder.prompt import render
from harness.ladder.retrieval import Index, Retriever, in_order
from harness.ladder.search import Search
from harness.ladder.shots import Shots
from harness.ladder.transform import Transform
from harness.models.embedder import Embedder
from harness.models.engine import Completion, Conversation, Engine, Message
from harness.slot import Slot
from harness.task import Attempt, Example, Materials, Passage, Prediction, Question
from harness.tuning.method import Method, Pair, Report, Tuned
from harness.values import Instance, Name, settings

__all__ = ["Predictor", "RenderedPrompt", "Rung"]

LAST = 99
"""The place of rungs that do not say theirs."""


@dataclass(frozen=True)
class RenderedPrompt:
    """A question as it is put to the model."""

    messages: list[Message]
    passages: tuple[str, ...]
    """Ids of the passages it shows, best first; it shows them in the corpus's order."""


@settings("rung")
class Rung:
    """One way to customize a model. Each slot is filled or empty, independent of the others.

    >>> Rung("few_shot", "full", shots=Shots(4, "similar", 0.0, "nearest_last")).reads
    {'train'}
    """

    name: Name
    instructions: str
    """Which variant the prompt says: `full`, `short`, or another of the task's."""
    place: int = LAST
    """Where it stands in the ladder's tables: from the cheapest change to the deepest."""
    role: Literal["system", "user"] = "system"
    """Whose turn the instructions stand in: `system` or `user`."""
    transform: Instance[Transform] | None = None
    """What it makes of the materials before its other slots read them."""
    shots: Instance[Shots] | None = None
    """Which worked examples it shows; where it retrieves, with their passages."""
    retrieval: Instance[Retriever] | None = None
    """What it looks up."""
    tuning: Instance[Method] | None = None
    """How it changes weights."""
    dialogue: Instance[Dialogue] | None = None
    """What it says to the model about what it wrote, before an answer counts."""
    baseline: Instance[Baseline] | None = None
    """What answers in the model's place: a control, or answers that were made elsewhere."""
    search: Instance[Search] | None = None
    """How its instructions and the number of its examples are found on dev."""

    @property
    def slots(self) -> list[Slot]:
        """Those that are filled."""
        slots = (
            self.transform, self.shots, self.retrieval, self.tuning, self.dialogue, self.baseline,
            self.search,
        )  # fmt: skip
        return [slot for slot in slots if slot is not None]

    @property
    def reads(self) -> set[str]:
        """Which materials determine its answers, as its slots name them."""
        return {part for slot in self.slots for part in slot.reads}

    @property
    def random(self) -> bool:
        """Whether the seed makes a difference."""
        return any(slot.random for slot in self.slots)

    @property
    def embeds(self) -> bool:
        """Whether an embedder takes part."""
        return any(slot.embeds for slot in self.slots)

    @property
    def recorded(self) -> bool:
        """Whether its answers were made elsewhere: no model is part of its runs."""
        return self.baseline is not None and self.baseline.recorded

    @property
    def free(self) -> bool:
        """Whether it answers freely even where the ladder holds answers to a constraint."""
        return any(slot.free for slot in self.slots)

    def labelled(self, materials: Materials) -> int:
        """How many labelled examples it needs, of train and dev."""
        transform, search = self.transform, self.search
        unread = transform is not None and not transform.reads_targets
        left = replace(materials, train=()) if unread else materials
        others = [slot for slot in self.slots if slot is not transform and slot is not search]
        needed = [slot.labelled(left) for slot in others]
        if transform:
            needed.append(transform.labelled(materials))
        # Other slots may read train, and a search picks on dev: both are needed.
        return max(needed, default=0) + (search.labelled(materials) if search else 0)

    def check(self, materials: Materials) -> None:
        """Raise what is known before a model is loaded: RungUnavailableError, ConfigError."""
        if not materials.instructions and not self.recorded:
            raise RungUnavailableError(
                "it says what to do, but the task has no instructions; add instructions.full.md "
                "and instructions.short.md"
            )
        if self.search:
            materials = self.search.apply(materials)
        if self.instructions not in materials.instructions and not self.recorded:
            known = ", ".join(materials.instructions)
            raise ConfigError(f"rung.instructions={self.instructions}: is not one of {known}")
        if self.search and self.tuning:
            raise ConfigError(
                "rung.search: tries prompts, and a tuned rung would train for each; "
                "fix: rung.search=null or rung.tuning=null"
            )
        if self.tuning and self.dialogue and not self.dialogue.trainable:
            raise RungUnavailableError(
                f"rung.dialogue={type(self.dialogue).__name__}: no training conversation shows it; "
                "set rung.tuning=null or rung.dialogue=null"
            )
        for slot in self.slots:
            slot.check(materials)

    def fit(
        self,
        materials: Materials,
        engine: Engine,
        embedder: Embedder,
        seed: int,
        folder: Path,
        constraint: Constraint | None = None,
    ) -> Predictor:
        """Ready to answer. `folder` keeps weights and training's checkpoints.

        Sees train, dev and the corpus; eval is out of its reach. Raises RungUnavailableError if it
        tunes and the engine cannot be tuned.
        """
        predictor = self.prepare(materials, engine, embedder, seed, constraint)
        self.keep_transform(materials, seed, folder)
        if self.tuning is None:
            return predictor
        return predictor.tuned(self.tuning.fit(engine, *predictor.lessons(), seed, folder))

    def keep_transform(self, materials: Materials, seed: int, folder: Path) -> None:
        """Write down what its transform does to the materials, if it tells."""
        told = self.transform.record(materials, seed) if self.transform else {}
        if told:
            text = json.dumps(told, ensure_ascii=False, indent=1)
            write_whole(folder / TRANSFORM, text)

    def prepare(
        self,
        materials: Materials,
        engine: Engine,
        embedder: Embedder,
        seed: int,
        constraint: Constraint | None = None,
    ) -> Predictor:
        """All that comes before training. Raises what `fit` raises."""
        self.check(materials)
        if self.search:
            materials = self.search.apply(materials)
        if self.tuning and not engine.capabilities.tunable:
            raise RungUnavailableError(
                f"it tunes weights, but those of {engine.name} are not here; choose a local model"
            )
        if self.transform:
            materials = self.transform.apply(materials, seed)
        index = self.retrieval.index(materials.corpus, embedder) if self.retrieval else None
        return Predictor(self, materials, engine, embedder, seed, index, constraint)


@dataclass(frozen=True)
class Predictor:
    """A rung that is ready to answer."""

    rung: Rung
    materials: Materials
    engine: Engine
    embedder: Embedder
    seed: int
    index: Index | None
    constraint: Constraint | None = None
    training: Report | None = None
    trained: Path | None = None
    """Where the weights are kept that training left."""
    lowered: Sequence[str] = ()
    """What it shows less of than it was configured to, and why: sentences."""

    def tuned(self, tuned: Tuned) -> Predictor:
        """The same with what training made of the model."""
        return replace(self, engine=tuned.engine, training=tuned.report, trained=tuned.folder)

    def render(
        self,
        questions: Sequence[Question],
        passages: Sequence[tuple[Passage, ...]] | None = None,
    ) -> list[RenderedPrompt]:
        """How each question is put to the model; `passages` are those that each shows in place of
        what is looked up for it."""
        m, rung = self.materials, self.rung
        shots: Sequence[tuple[Example, ...]] = [()] * len(questions)
        if rung.shots:
            shots = rung.shots.choose(m.train, questions, self.seed, self.embedder)
        if passages is None:
            passages = self.index.search(questions) if self.index else [()] * len(questions)
        examples = {e.id: e for s in shots for e in s}
        illustrated = self._illustrated(examples)
        instructions, worked = m.instructions[rung.instructions], None
        if rung.dialogue:
            instructions = rung.dialogue.introduced(instructions, m)
            worked = rung.dialogue.worked(list(examples.values()), m, self.engine)
        return [
            RenderedPrompt(
                render(
                    instructions,
                    m.question,
                    q.input,
                    [(e, illustrated[e.id]) for e in s],
                    shown,
                    rung.role,
                    worked,
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

    def lessons(self) -> tuple[list[Pair], list[Pair]]:
        """Training conversations of train and of dev; dev's are as it will answer, so that it tells
        when to stop."""
        shots, retrieval, train = self.rung.shots, self.rung.retrieval, self.materials.train
        if shots and not shots.in_training:
            return replace(self, rung=replace(self.rung, shots=None)).lessons()
        if retrieval and not retrieval.in_training:
            bare = replace(self.rung, retrieval=None)
            return replace(self, rung=bare, index=None).lessons()
        shown = None
        if retrieval and self.index:
            shown = retrieval.lessons(self.index, train, self.seed)
        return self.pairs(train, shown), self.pairs(self.materials.dev)

    def pairs(
        self, examples: Sequence[Example], passages: Sequence[tuple[Passage, ...]] | None = None
    ) -> list[Pair]:
        """The very messages that it asks with, and the targets; `passages` as in `render`."""
        rendered = self.render([e.question for e in examples], passages)
        return [(r.messages, e.target) for r, e in zip(rendered, examples, strict=True)]

    def __call__(self, questions: Sequence[Question]) -> Iterator[Prediction]:
        """Answer questions; predictions come in the order in which they are done."""
        if self.rung.baseline:
            yield from self.rung.baseline.predict(self.materials, questions, self.embedder)
            return
        rendered = self.render(questions)
        conversations = [one.messages for one in rendered]
        for done, attempts in self._answers(questions, conversations):
            yield Prediction(
                id=questions[done.index].id,
                text=done.text,
                finish=done.finish,
                prompt_tokens=done.usage.prompt_tokens,
                computed_tokens=done.usage.computed_tokens,
                completion_tokens=done.usage.completion_tokens,
                seconds=done.usage.seconds,
                passages=rendered[done.index].passages,
                batch=done.usage.batch,
            ).after(attempts)

    def _answers(
        self, questions: Sequence[Question], conversations: Sequence[Conversation]
    ) -> Iterator[tuple[Completion, Sequence[Attempt]]]:
        """The answer to each conversation that counts, and those before it."""
        m, dialogue = self.materials, self.rung.dialogue
        if dialogue:
            yield from dialogue.hold(self.engine, questions, conversations, m, self.constraint)
            return
        held = resolved(self.constraint, [question.input for question in questions])
        for done in self.engine.answer(conversations, m.max_new_tokens, held):
            yield done, ()
