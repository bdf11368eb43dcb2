"""Finds the prompt of a rung that searches, before it is fitted: every prompt is tried on the dev
questions that pick, and nothing is asked twice, however often a run is killed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from harness.conditions import Conditions, OnDev
from harness.errors import RungUnavailableError
from harness.evolving import Answered, Reflection, Reflector, evolve
from harness.files import write_whole
from harness.inert import say
from harness.ladder.rung import Predictor, Rung
from harness.ladder.search import Found, Prompt, Search, picking, saying
from harness.models.engine import ModelSource
from harness.record.results import RunFolder
from harness.task import COUNTS, Example, Prediction

__all__ = ["SEARCH", "fitted", "with_found"]

SEARCH = "search"
"""Folder of a run that holds its search."""
RESULT = "found.json"
"""Written last: a search without it goes on where it stopped."""
TEXT = "prompt.md"
ANSWERS = "answers"
REFLECTIONS = "reflections.jsonl"


@dataclass(frozen=True)
class Tried:
    """What one prompt did on the questions that pick."""

    prompt: Prompt
    value: float
    """The primary metric."""
    tokens: float
    """Prompt and answer tokens per question."""
    seconds: float
    """Of answering them all."""

    def record(self) -> dict[str, Any]:
        found = {"value": self.value, "tokens": self.tokens, "seconds": self.seconds}
        return self.prompt.record() | found


def fitted(conditions: Conditions, rung: Rung, seed: int, folder: Path) -> Predictor:
    """As `Conditions.fit`; a rung that searches has found its prompt before.

    Raises RungUnavailableError if no prompt is left to try.
    """
    if rung.search and rung.search.found is None:
        if not (folder / SEARCH / RESULT).exists():
            _search(conditions, rung, rung.search, seed, folder / SEARCH)
        rung = with_found(rung, folder)
    return conditions.fit(rung, seed, folder)


def with_found(rung: Rung, folder: Path) -> Rung:
    """The rung with what the search of a run's folder found; any other rung as it is."""
    if rung.search is None:
        return rung
    kept = json.loads((folder / SEARCH / RESULT).read_text(encoding="utf-8"))
    prompt = Prompt(**kept["found"])
    return saying(rung, Found(prompt, frozenset(kept["picked"]), kept["record"]))


def _search(conditions: Conditions, rung: Rung, search: Search, seed: int, folder: Path) -> None:
    """Try all prompts, and write down the best: of equal ones that of fewer tokens."""
    materials = conditions.task.materials
    examples = picking(materials.dev, conditions.dev, search.questions)
    (folder / ANSWERS).mkdir(parents=True, exist_ok=True)
    bench = _Bench(conditions, rung, seed, RunFolder(folder / ANSWERS), examples)
    prompts = search.prompts(rung, materials)
    tried = []
    for place, prompt in enumerate(prompts):
        said = f"{rung.name}: prompt {place + 1} of {len(prompts)}, {prompt.label}"
        say(said)
        tried += bench.tried(prompt)
    if not tried:
        raise RungUnavailableError(f"no prompt is left to try: {bench.dropped[prompts[0].label]}")
    reflector: Reflector | None = None
    if isinstance(search.reflector, ModelSource):
        tokens = search.reflection_tokens
        reflector = Reflector(search.reflector, folder / REFLECTIONS, tokens)
        tried += _evolved(bench, search, _best(tried).prompt, reflector, seed)
    found = _best(tried)
    record = {
        "chosen": found.record(),
        "n": len(examples),
        "tried": [one.record() for one in tried],
        "dropped": [{"prompt": label, "why": why} for label, why in bench.dropped.items()],
        "reflector": reflector.name if reflector else None,
        "proposed": bench.proposed,
        **_took(bench.answers, reflector.calls if reflector else ()),
    }
    kept = {"found": asdict(found.prompt), "picked": [e.id for e in examples], "record": record}
    write_whole(folder / TEXT, found.prompt.text + "\n")
    write_whole(folder / RESULT, json.dumps(kept, ensure_ascii=False, indent=1))


def _best(tried: Sequence[Tried]) -> Tried:
    return max(tried, key=lambda one: (one.value, -one.tokens))


def _took(answers: Sequence[Prediction], reflections: Sequence[Reflection]) -> dict[str, Any]:
    """What the search cost, the reflector's part included."""
    counted = {name: sum(getattr(one, name) for one in (*answers, *reflections)) for name in COUNTS}
    return {"asked": len(answers), "reflections": len(reflections), **counted}


def _evolved(
    bench: _Bench, search: Search, start: Prompt, reflector: Reflector, seed: int
) -> list[Tried]:
    """What GEPA makes of the best hand-written prompt, its role and examples unchanged."""

    def prompt(text: str) -> Prompt:
        return replace(start, name=f"gepa-{bench.number(text)}", text=text)

    def answered(text: str, examples: Sequence[Example]) -> list[Answered]:
        return bench.answered(start if text == start.text else prompt(text), examples)

    texts = evolve(
        start.text,
        bench.examples,
        answered,
        reflector,
        calls=search.metric_calls,
        minibatch=search.minibatch,
        seed=seed,
    )
    return [one for text in texts if text != start.text for one in bench.tried(prompt(text))]


class _Bench:
    """Where prompts are tried: what is left out is counted, and answers are kept."""

    def __init__(
        self,
        conditions: Conditions,
        rung: Rung,
        seed: int,
        folder: RunFolder,
        examples: Sequence[Example],
    ) -> None:
        self.conditions, self.rung, self.seed = conditions, rung, seed
        self.folder, self.examples = folder, tuple(examples)
        self.dropped: dict[str, str] = {}
        """By the label of a prompt, why it is not tried."""
        self._ready: dict[Prompt, Predictor | None] = {}
        self._numbers: dict[str, int] = {}

    def number(self, text: str) -> int:
        """Of a proposed text, in the order of proposal, from 1."""
        return self._numbers.setdefault(text, len(self._numbers) + 1)

    @property
    def proposed(self) -> int:
        """Different texts that a reflector proposed."""
        return len(self._numbers)

    def tried(self, prompt: Prompt) -> list[Tried]:
        """What a prompt does on all questions that pick; nothing if it cannot be tried."""
        done = self._on(prompt, self.examples)
        if done is None:
            return []
        seconds = sum(p.seconds for p in self.folder.predictions(prompt.file))
        return [Tried(prompt, done.value, done.tokens, seconds)]

    def answered(self, prompt: Prompt, examples: Sequence[Example]) -> list[Answered]:
        """Each answer with what it is worth; worth nothing if the prompt cannot be tried."""
        done = self._on(prompt, examples)
        if done is None:
            why = f"not asked: {self.dropped[prompt.label]}"
            return [Answered("", 0.0, why) for _ in examples]
        if not done.each:
            raise RungUnavailableError(
                f"rung.search.reflector: {self.conditions.task.primary} has no value for a single "
                "question to reflect on; fix: rung.search.reflector=null, or another task.primary"
            )
        texts = {p.id: p.text for p in self.folder.predictions(prompt.file)}
        parse = self.conditions.task.materials.answer.parse
        return [
            Answered(texts[e.id], done.each[e.id], parse(texts[e.id]).problem) for e in examples
        ]

    @property
    def answers(self) -> list[Prediction]:
        """All that were given."""
        paths = sorted(self.folder.path.glob("*.jsonl"))
        return [p for path in paths for p in self.folder.predictions(path.name)]

    def _on(self, prompt: Prompt, examples: Sequence[Example]) -> OnDev | None:
        predictor = self._predictor(prompt)
        if predictor is None:
            return None
        # GEPA fills the last minibatch of an epoch up with a question that is in it already.
        once = {example.id: example for example in examples}
        conditions = replace(self.conditions, dev=tuple(once.values()))
        return conditions.on_dev(predictor, self.folder, prompt.file)

    def _predictor(self, prompt: Prompt) -> Predictor | None:
        """Ready to ask with a prompt; None for one that leaks eval or does not fit."""
        if prompt not in self._ready:
            why = self._refused(prompt)
            try:
                rung = saying(self.rung, Found(prompt))
                fitted = None if why else self.conditions.fit(rung, self.seed, self.folder.path)
            except RungUnavailableError as error:
                fitted, why = None, str(error)
            if why:
                self.dropped[prompt.label] = why
                say(f"{self.rung.name}: {prompt.label} is left out: {why}")
            self._ready[prompt] = fitted
        return self._ready[prompt]

    def _refused(self, prompt: Prompt) -> str | None:
        if not prompt.text.strip():
            return "it says nothing"
        leaks = self.conditions.isolation.leaks_of(prompt.text, prompt.name, self.conditions.task)
        if not leaks:
            return None
        first = leaks[0].pair
        more = f", and {len(leaks) - 1} more" if len(leaks) > 1 else ""
        return f"it has {first.eval_text[:60]!r} of {first.eval_where} in it{more}"
