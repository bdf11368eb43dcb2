"""What steps take at one size: `python -m bench.soak.sizes FOLDER SHARE STEP ...`.

With one step in a process the most memory that it had is the step's. `SHARE` is of a million lines
of train, a million passages, a hundred thousand questions and ten thousand labels. Prints a line of
JSON for each step: `seconds` of it alone, `lines` that it went over, `megabytes` (the process's
most until then).
"""

from __future__ import annotations

import json
import random
import resource
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np

from harness.answer import Label
from harness.constraint import Choices
from harness.corpus import read_corpus
from harness.evidence import scoring
from harness.evidence.isolation import Isolation
from harness.job import Job
from harness.ladder.retrieval import FlatIndex
from harness.ladder.shots import Shots
from harness.load import load_task
from harness.models.embedder import Embedder, Vectors
from harness.models.weights import Folder
from harness.run import Shared
from harness.task import Prediction, Question, Task

__all__ = ["STEPS", "write_files"]

LINES, PASSAGES, QUESTIONS, LABELS = 1_000_000, 1_000_000, 100_000, 10_000
ASKED = 100
"""Questions for which examples and passages are looked up: each looks at all of them."""
FEW, MANY = 1000, 10_000
LONG = 10_000_000
"""Characters of one line, at full size."""
SEALED = Isolation(near_duplicate=0.6, contained=0.9, leaks="stop")
LABELS_SEEN = 100
SYLLABLES = tuple(f"{a}{b}{c}" for a in "bdfghjklmnprst" for b in "aeiou" for c in "lnrs")
WORDS = tuple(f"{a}{b}" for b in SYLLABLES[::5] for a in SYLLABLES)
"""As many as a language has in use."""
OFTEN = tuple(accumulate(1 / rank for rank in range(1, len(WORDS) + 1)))
"""The second word is half as frequent as the first, and so on (Zipf's law)."""


class Letters(Embedder):
    """Unit vectors of hashed words, 32 wide: what searching costs, without what embedding does."""

    def __init__(self) -> None:
        super().__init__("letters", Folder("."), "CC0-1.0")

    def encode(self, texts: Sequence[str]) -> Vectors:
        places = {word: i % 32 for i, word in enumerate(WORDS)}
        vectors = np.full((len(texts), 32), 1e-3, np.float32)
        for row, text in zip(vectors, texts, strict=True):
            for word in text.split():
                row[places.get(word, 0)] += 1
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        return vectors

    def seconds(self, texts: Sequence[str]) -> float:
        return 0.0


def write_files(folder: Path, share: float) -> None:
    """The task at this share: inputs of ten words, drawn as often as a language has them."""
    folder.mkdir(parents=True)
    draw = random.Random(0)
    for split, size in (("train", LINES), ("dev", 1000), ("eval", QUESTIONS)):
        with (folder / f"{split}.jsonl").open("w") as file:
            file.writelines(_line(split, i, draw) for i in range(max(10, round(size * share))))
    with (folder / "corpus.jsonl").open("w") as file:
        for i in range(max(10, round(PASSAGES * share))):
            file.write(json.dumps({"id": f"P{i}", "text": f"{_said(draw, 20)} {i}"}) + "\n")
    for name in ("full", "short"):
        (folder / f"instructions.{name}.md").write_text("Name the label.\n")


def _said(draw: random.Random, count: int) -> str:
    return " ".join(draw.choices(WORDS, cum_weights=OFTEN, k=count))


def _line(split: str, number: int, draw: random.Random) -> str:
    target = f"label {number % LABELS_SEEN}"
    text = f"{split} {_said(draw, 10)} {number}"
    return json.dumps({"id": f"{split}-{number}", "input": text, "target": target}) + "\n"


def _task(folder: Path, *, corpus: bool = False) -> Task:
    task = load_task("sizes", str(folder), Label(), "accuracy", 8)
    return task if corpus else replace(task, materials=replace(task.materials, corpus=()))


@dataclass(frozen=True)
class Step:
    """What is measured: `prepare` is not, what it returns is."""

    prepare: Callable[[Path, float], Callable[[], object]]
    lines: Callable[[float], int]


def _loading(folder: Path, share: float) -> Callable[[], object]:
    return lambda: _task(folder)


def _certifying(folder: Path, share: float) -> Callable[[], object]:
    """All lines of train against the same questions: pairs that look alike grow with both."""
    task = _task(folder)
    task = replace(task, eval=task.eval[:MANY])
    job = cast(Job, SimpleNamespace(isolation=SEALED, task=task))
    return lambda: Shared().certify(job)


def _certifying_questions(folder: Path, share: float) -> Callable[[], object]:
    """All questions against the same few lines of train."""
    task = _task(folder)
    few = task.materials.train[:FEW]
    task = replace(task, materials=replace(task.materials, train=few))
    return lambda: SEALED.certify(task)


def _choosing(folder: Path, share: float) -> Callable[[], object]:
    task = _task(folder)
    shots = Shots(8, "similar", 0.3, "nearest_last")
    questions = task.questions[:ASKED]
    return lambda: shots.choose(task.materials.train, questions, 0, Letters())


def _indexing(folder: Path, share: float) -> Callable[[], object]:
    questions = [Question(str(i), "felm dorp", "") for i in range(ASKED)]
    return lambda: FlatIndex(read_corpus(folder / "corpus.jsonl"), Letters(), 3).search(questions)


def _scoring(folder: Path, share: float) -> Callable[[], object]:
    task = _task(folder)
    given = [Prediction(e.id, "label 1", "stop", 1, 1, 1, 0.0) for e in task.eval]

    def scored() -> None:
        scores = scoring.score(task, given)
        scoring.metrics(task, given, scores)
        scoring.slices(task, scores)

    return scored


def _compiling(folder: Path, share: float) -> Callable[[], object]:
    """The constraint on labels, and one answer under it; a tiny model lies beside `folder`."""
    from harness.models.local import ModelSpec
    from harness.models.local.load import load_engine

    config = next((folder.parent / "models").glob("*/config.json"))
    weights = Folder(str(config.parent))
    engine = load_engine(ModelSpec("tiny", weights, "float32", "CC0-1.0", False, "cpu"))
    draw = random.Random(0)
    labels = tuple(dict.fromkeys(f"{_said(draw, 3)} {i}" for i in range(round(LABELS * share))))
    asked = [[{"role": "user", "content": "?"}]]
    return lambda: list(engine.answer(asked, 48, Choices(labels)))


def _labels(folder: Path, share: float) -> Callable[[], object]:
    """Answers read back: a hundred thousand, each looked up among the labels."""
    labels = [f"label {i}" for i in range(round(LABELS * share))]
    answer = Label(labels)
    texts = [labels[-1 - i % len(labels)] for i in range(round(QUESTIONS * share))]
    return lambda: [answer.parse(text) for text in texts]


def _one_line(folder: Path, share: float) -> Callable[[], object]:
    """One line of train as long as ten books, loaded and compared with eval."""
    draw = random.Random(1)
    long = _said(draw, round(LONG * share / 6))[: round(LONG * share)]
    with (folder / "train.jsonl").open("w") as file:
        for i in range(20):
            file.write(_line("train", i, draw))
        file.write(json.dumps({"id": "long", "input": long, "target": "label 1"}) + "\n")
    # It says nearly all that eval asks, word for word.
    return lambda: replace(SEALED, leaks="allow").certify(_task(folder))


STEPS: Mapping[str, Step] = {
    "load": Step(_loading, lambda share: round(LINES * share)),
    "isolation, train": Step(_certifying, lambda share: round(LINES * share)),
    "isolation, eval": Step(_certifying_questions, lambda share: round(QUESTIONS * share)),
    "examples": Step(_choosing, lambda share: round(LINES * share)),
    "passages": Step(_indexing, lambda share: round(PASSAGES * share)),
    "scores": Step(_scoring, lambda share: round(QUESTIONS * share)),
    "labels": Step(_compiling, lambda share: round(LABELS * share)),
    "answers read": Step(_labels, lambda share: round(QUESTIONS * share)),
    "one line": Step(_one_line, lambda share: round(LONG * share)),
}


def main(words: Sequence[str]) -> None:
    folder, share, names = Path(words[0]), float(words[1]), words[2:]
    for name in names:
        step = STEPS[name]
        action = step.prepare(folder, share)
        began = time.perf_counter()
        action()
        taken = {
            "step": name,
            "seconds": time.perf_counter() - began,
            "lines": step.lines(share),
            "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        }
        print(json.dumps(taken), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
