"""What is the same for all settings and rungs of a run: model, parser, budget, decoding."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

from harness.constraint import Constraint
from harness.errors import HarnessError, ResultsError
from harness.evidence import scoring
from harness.evidence.isolation import Isolation
from harness.inert import clean, say
from harness.ladder.room import fitting
from harness.ladder.rung import Predictor, Rung
from harness.memory import out_of_memory
from harness.models.embedder import Embedder
from harness.models.engine import Engine
from harness.progress import Progress, say_once
from harness.record.results import PREDICTIONS, RunFolder
from harness.sampling import sample
from harness.task import Example, Prediction, Question, Task
from harness.tuning.example_losses import name_losses
from harness.tuning.trainings import Trainings

__all__ = ["DEV", "DEV_FREE", "Conditions", "OnDev"]

DEV = "dev_predictions.jsonl"
"""Answers to dev questions under the ladder's decoding."""
DEV_FREE = "dev_free_predictions.jsonl"
"""Answers to the same questions without the constraint."""
WHAT = {PREDICTIONS: "", DEV: " dev", DEV_FREE: " dev without constraint"}


USUAL = Isolation(near_duplicate=0.6, contained=0.9, leaks="stop")
"""As conf/config.yaml has it."""


@dataclass(frozen=True)
class OnDev:
    """What a rung is worth on dev."""

    value: float
    """The primary metric."""
    n: int
    each: dict[str, float]
    """The primary metric of every question; empty if it only makes sense over a whole set."""
    tokens: float
    """Prompt and answer tokens per question."""


@dataclass(frozen=True)
class Conditions:
    """What answers, what reads the answers, and how long and how free they may be."""

    task: Task
    """With the token budget that this model needs."""
    dev: tuple[Example, ...]
    """The questions of dev that every rung answers."""
    engine: Engine
    embedder: Embedder
    constraint: Constraint | None
    """None decodes freely."""
    trainings: Trainings
    """Where weights are kept."""
    isolation: Isolation = USUAL
    """What a prompt that was searched for is held against eval by."""

    def judged(self, rung: Rung) -> tuple[Example, ...]:
        """The questions of dev that say what a rung is worth: all but those that picked its
        prompt."""
        picked = rung.search.picked if rung.search else frozenset()
        return tuple(e for e in self.dev if e.id not in picked)

    def fit(self, rung: Rung, seed: int, folder: Path) -> Predictor:
        """A rung that is ready to answer in `folder`.

        It shows no more than there is, and than fits into the model's context with every question
        that it is asked. Rungs that train alike share what is trained; what an earlier version of
        harness left of its training in `folder` is taken up there.
        """
        m = self.task.materials
        rest = (m, self.engine, self.embedder, seed)
        parts = [self.task.questions, _questions(m.dev), _questions(m.train if rung.tuning else ())]
        rung, lowered = fitting(rung, m, lambda r: replace(r, tuning=None).prepare(*rest), parts)
        for line in lowered:
            say_once(f"{self.task.name} / {rung.name}: {line}")
        predictor = replace(rung.prepare(*rest, self.constraint), lowered=lowered)
        rung.keep_transform(m, seed, folder)
        if rung.tuning is None:
            return predictor
        train, dev = predictor.lessons()
        if any((folder / name).exists() for name in ("adapter", "checkpoints")):
            tuned = rung.tuning.fit(self.engine, train, dev, seed, folder)
        else:
            tuned = self.trainings.fit(rung.tuning, self.engine, train, dev, seed)
        name_losses(tuned.folder, folder, predictor.materials.train)
        return predictor.tuned(tuned)

    def answer(
        self,
        predictor: Predictor,
        questions: Sequence[Question],
        folder: RunFolder,
        kept: str = PREDICTIONS,
    ) -> list[Prediction]:
        """All predictions: those an interrupted run left in the file `kept`, and the rest."""
        done = folder.predictions(kept)
        answered = {p.id for p in done}
        if kept == PREDICTIONS and (foreign := answered - {q.id for q in questions}):
            raise ResultsError(
                f"{folder.path / kept}: answers '{min(foreign)}', which is no question of eval; "
                f"delete {folder.path} and run again"
            )
        rest = [q for q in questions if q.id not in answered]
        what = f"{predictor.rung.name}: answering{WHAT.get(kept, f' {Path(kept).stem}')}"
        with Progress(what, len(questions), unit="question") as progress:
            progress.update(len(done))
            fresh = _surely(predictor, rest, bool(done))
            for prediction in folder.append(fresh, kept):
                done.append(prediction)
                progress.advance()
        return done

    def on_dev(
        self, predictor: Predictor, folder: RunFolder, kept: str = DEV, count: int | None = None
    ) -> OnDev:
        """What a rung is worth on a sample of `count` questions of dev that judge it."""
        examples = sample(self.judged(predictor.rung), count)
        return self.worth(examples, self.answer(predictor, _questions(examples), folder, kept))

    def worth(self, examples: Sequence[Example], predictions: Sequence[Prediction]) -> OnDev:
        """What answers to these questions are worth."""
        task = replace(self.task, eval=tuple(examples), metrics=())
        scores = scoring.score(task, predictions)
        return OnDev(
            value=scoring.metrics(task, predictions, scores)[task.primary].value,
            n=len(task.eval),
            each={s.id: s.values[task.primary] for s in scores if task.primary in s.values},
            tokens=fmean(p.prompt_tokens + p.completion_tokens for p in predictions),
        )


def _questions(examples: Sequence[Example]) -> tuple[Question, ...]:
    return tuple(example.question for example in examples)


def _surely(
    predictor: Predictor, questions: Sequence[Question], answered: bool
) -> Iterator[Prediction]:
    """Predictions for all questions; one that cannot be answered becomes a failed prediction.

    If not a single question could be answered, now or before an interruption (`answered`), it is
    our fault, and the exception stands.
    """
    if not questions:
        return
    left = {q.id: q for q in questions}
    try:
        for prediction in predictor(questions):
            del left[prediction.id]
            yield prediction
        return
    except HarnessError:
        raise  # the user's to fix, and the same for every question
    except Exception as error:
        if out_of_memory(error):
            raise  # with more of it every question has an answer
        fault = error
        # It may be ours, even if every question can be answered alone.
        sys.stderr.write(clean(traceback.format_exc(), lines=True))
        say(f"answering failed ({error!r}); trying one question at a time")
    failed: list[Prediction] = []
    answered = answered or len(left) < len(questions)
    for question in left.values():
        try:
            yield from predictor([question])
            answered = True
        except HarnessError:
            raise
        except Exception as error:
            if out_of_memory(error):
                raise
            failed.append(Prediction(question.id, "", "error", 0, 0, 0, 0.0, (), repr(error)))
    if not answered:
        raise fault
    yield from failed
