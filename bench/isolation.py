"""What the isolation certificate finds, kind of edit by kind of edit, and what it costs.

    python -m bench.isolation recall --task support_json      # or halueval_qa, or a task of yours
    python -m bench.isolation recall isolation.near_duplicate=0.4
    python -m bench.isolation recall --kind paraphrase isolation.paraphrase=1.3
    python -m bench.isolation answers --task halueval_qa      # eval's answers, pasted elsewhere
    python -m bench.isolation embeddings --task halueval_qa   # would sentence embeddings find more?
    python -m bench.isolation scale                           # up to a million training lines

`recall` plants an edited copy of each eval input in train, for each kind of edit, and seals the
task once; a copy is found if the certificate names it together with the example it was made from,
as a leak or as a suspect. A false alarm is a line of the task itself that is flagged. Words after
the options are Hydra's.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import re
import resource
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from random import Random
from typing import Any

import numpy as np
from rich.console import Console

from bench.answers import heading, planted_row, show_answers
from bench.edits import PARAPHRASE, edited, embedded, replaced, source
from harness.answer import Text
from harness.evidence.isolation import Encoder, Isolation, Leak, normalize
from harness.evidence.isolation.features import GRAM
from harness.evidence.isolation.inputs import SHORTEST
from harness.evidence.statistics import mean_interval
from harness.experiment import compose
from harness.home import HOME
from harness.progress import silence_libraries
from harness.task import Example, Materials, Task

SEALED = 3000
PLANTED = 1000
SIZES = (10_000, 100_000, 1_000_000)
WIDTH = 120
LEAK, SUSPECT = "leak", "suspect"
HARD = (
    "20% of words replaced", "30% of words replaced", "embedded in a longer text",
    "first half alone", PARAPHRASE,
)  # fmt: skip
"""Kinds of edit worth asking sentence embeddings about."""


@dataclass(frozen=True)
class Recall:
    """What was found of what was planted, and what of a task's own lines was flagged."""

    found: dict[str, list[str]]
    """By kind of edit, for each planted copy: leak, suspect or nothing."""
    flagged: dict[str, list[str]]
    """`file:line` of false alarms, of leaks and of suspects."""
    lines: int
    """The task's own lines."""


def built(task: str, overrides: Sequence[str], *parts: str) -> list[Any]:
    """Parts of the configuration, as a run would have them."""
    spec = compose([f"+task={task}", *overrides])[0]
    return [spec.build(part) for part in parts]


def recall(
    task: Task,
    isolation: Isolation,
    encoder: Encoder | None = None,
    only: str | None = None,
    seed: int = 0,
) -> Recall:
    """Plant copies of all kinds, or of one, in train, seal once, and see which were found."""
    m, by_id = task.materials, {e.id: e for e in task.eval}
    rows = [row for row in edited(task, seed) if only in (None, row[0])]
    planted = tuple(planted_row(by_id[id], text, n) for n, (_, id, text) in enumerate(rows))
    leaky = replace(task, materials=replace(m, train=m.train + planted))
    _, certificate = replace(isolation, leaks="allow").certify(leaky, encoder)
    pairs = {SUSPECT: _pairs(certificate.suspects), LEAK: _pairs(certificate.leaks)}
    found: dict[str, list[str]] = {kind: [] for kind, _, _ in rows}
    for (kind, id, _), copy in zip(rows, planted, strict=True):
        said = [how for how, named in pairs.items() if (by_id[id].where, copy.where) in named]
        found[kind].append(said[-1] if said else "")
    copies = {copy.where for copy in planted}
    flagged = {how: sorted({where for _, where in named} - copies) for how, named in pairs.items()}
    return Recall(found, flagged, len(m.train) + len(m.dev) + len(m.corpus))


def _pairs(leaks: Sequence[Leak]) -> set[tuple[str, str]]:
    return {(leak.pair.eval_where, leak.pair.where) for leak in leaks}


def show_recall(
    task: Task, isolation: Isolation, encoder: Encoder | None, only: str | None
) -> None:
    result = recall(task, isolation, encoder, only)
    table = heading(
        "kind of edit", "copies", "leaks", "95% interval", "with suspects", "95% interval"
    )
    for kind, found in result.found.items():
        table.add_row(
            kind,
            str(len(found)),
            *_share([how == LEAK for how in found]),
            *_share(list(map(bool, found))),
        )
    table.add_section()
    alarms = [[True] * len(flagged) for flagged in (result.flagged[LEAK], result.flagged[SUSPECT])]
    shares = [_share(hits + [False] * (result.lines - len(hits)), 2) for hits in alarms]
    table.add_row("false alarms (leaks; suspects)", str(result.lines), *shares[0], *shares[1])
    print(f"{task.name}: {len(task.eval)} eval inputs; {isolation}")
    Console(width=WIDTH).print(table)
    for how, flagged in result.flagged.items():
        if flagged:
            print(f"{how}: {len(flagged)} own lines, {', '.join(flagged[:3])}")


def _share(hits: Sequence[bool], digits: int = 1) -> tuple[str, str]:
    i = mean_interval([float(hit) for hit in hits])
    return f"{i.value:.{digits}%}", f"{i.low:.{digits}%}–{i.high:.{digits}%}"


def show_embeddings(task: Task, embedder: Any) -> None:
    """Such copies, found by the cosine of sentence embeddings in place of n-grams."""
    rows = [row for row in edited(task, seed=0) if row[0] in HARD]
    place = {e.id: n for n, e in enumerate(task.eval)}
    sealed = embedder.encode([e.input for e in task.eval])
    own = [e.input for e in (*task.materials.train, *task.materials.dev)]
    nearest = (embedder.encode(own) @ sealed.T).max(axis=1)
    copies = embedder.encode([text for _, _, text in rows])
    similar = (copies * sealed[[place[id] for _, id, _ in rows]]).sum(axis=1)
    thresholds = [0.6, 0.7, 0.8, 0.9, float(nearest.max()) + 1e-6]
    table = heading("kind of edit", "copies", *(f"from {t:.3f}" for t in thresholds))
    for kind in dict.fromkeys(kind for kind, _, _ in rows):
        values = similar[[k == kind for k, _, _ in rows]]
        table.add_row(kind, str(len(values)), *(f"{np.mean(values >= t):.1%}" for t in thresholds))
    table.add_section()
    shares = [f"{np.mean(nearest >= t):.1%}" for t in thresholds]
    table.add_row("false alarms", str(len(own)), *shares)
    print(f"{task.name}: share found from a cosine on; the last column has no false alarm")
    Console(width=WIDTH).print(table)


@dataclass(frozen=True)
class Cost:
    """What sealing so many lines took."""

    lines: int
    seconds: float
    processor: float
    """Seconds of one core: does not depend on what else the machine did."""
    loaded_mb: float
    """Peak memory before sealing: the interpreter, the libraries and the task itself."""
    peak_mb: float
    over: int
    """Planted copies that are over a threshold by the plain definition."""
    found: int
    extra: int
    """Lines flagged without reason."""


def cost(lines: int, seed: int = 0) -> Cost:
    """Seal SEALED inputs against so many lines, PLANTED of them edited copies."""
    sealed = _examples("eval", SEALED, seed)
    train = _examples("train", lines, seed + 1)
    rng = Random(seed)
    m = Materials(tuple(train), (), (), {}, "{input}", Text(), 1)
    task = Task("scale", m, tuple(sealed), "exact", (), "CC0-1.0", None)
    drawn_from = source(replace(task, materials=replace(m, train=m.train[:1000])))
    edits = [replaced(share) for share in (0.0, 0.1, 0.2, 0.3)] + [embedded]
    over = set()
    for n, place in enumerate(rng.sample(range(lines), PLANTED)):
        text = edits[n % len(edits)](sealed[n].input, rng, drawn_from)
        train[place] = replace(train[place], input=str(text))
        if _over(sealed[n].input, str(text)):
            over.add((sealed[n].where, train[place].where))
    task = replace(task, materials=replace(m, train=tuple(train)))
    loaded, began, worked = _peak_mb(), time.perf_counter(), time.process_time()
    _, certificate = Isolation(0.6, 0.9, "allow").certify(task)
    seconds, processor = time.perf_counter() - began, time.process_time() - worked
    found = {(leak.pair.eval_where, leak.pair.where) for leak in certificate.leaks}
    return Cost(
        lines,
        seconds,
        processor,
        loaded,
        _peak_mb(),
        len(over),
        len(over & found),
        len(found - over),
    )


def _over(sealed: str, line: str) -> bool:
    """The plain definition, at the default thresholds."""
    ours, theirs = (
        {text[i : i + GRAM] for i in range(len(text) - GRAM + 1)}
        for text in (normalize(sealed), normalize(line))
    )
    shared = len(ours & theirs)
    inside = shared >= 0.9 * len(ours) and len(ours) >= SHORTEST
    return inside or shared >= 0.6 * len(ours | theirs)


def _examples(split: str, count: int, seed: int) -> list[Example]:
    return [
        Example(f"{split}-{n}", text, "x", f"{split}-{n}", (), {}, f"{split}:{n}")
        for n, text in enumerate(_texts(count, seed))
    ]


def _texts(count: int, seed: int) -> Iterator[str]:
    """15 to 30 words each, drawn as often as support_json's train has them."""
    path = HOME / "tasks" / "support_json" / "train.jsonl"
    inputs = [json.loads(line)["input"] for line in path.read_text(encoding="utf-8").splitlines()]
    occurrences = Counter(re.findall(r"\S+", " ".join(inputs)))
    words, shares = list(occurrences), np.array(list(occurrences.values()), float)
    rng = np.random.default_rng(seed)
    for start in range(0, count, 10_000):
        sizes = rng.integers(15, 31, min(10_000, count - start))
        drawn = rng.choice(len(words), sizes.sum(), p=shares / shares.sum())
        for chosen in np.split(drawn, sizes.cumsum()[:-1]):
            yield " ".join(words[i] for i in chosen)


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def costs(sizes: Sequence[int]) -> Iterator[Cost]:
    """Each size in a fresh process, so that its peak is its own."""
    context = multiprocessing.get_context("spawn")
    for size in sizes:
        with ProcessPoolExecutor(1, mp_context=context) as pool:
            yield pool.submit(cost, size).result()


def show_scale(sizes: Sequence[int]) -> None:
    """A table of what each size costs."""
    table = heading(
        "train lines",
        "seconds",
        "CPU seconds",
        "MB before",
        "MB at most",
        "over a threshold",
        "found",
        "extra",
    )
    for c in costs(sizes):
        measured = (c.seconds, c.processor, c.loaded_mb, c.peak_mb, c.over, c.found, c.extra)
        table.add_row(f"{c.lines:,}", *(f"{value:,.0f}" for value in measured))
    print(f"{SEALED:,} eval inputs of 15 to 30 words; {PLANTED:,} of the lines are edited copies")
    Console(width=WIDTH).print(table)


def main() -> None:
    silence_libraries()
    parser = argparse.ArgumentParser(prog="python -m bench.isolation")
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("recall", "answers", "embeddings"):
        command = commands.add_parser(name)
        command.add_argument("--task", default="support_json")
        command.add_argument("--kind", help="of edit; by default all at once")
        command.add_argument("overrides", nargs="*", metavar="NAME=VALUE")
    commands.add_parser("scale").add_argument("--sizes", type=int, nargs="+", default=SIZES)
    chosen = parser.parse_args()
    if chosen.command == "recall":
        task, isolation, embedder = built(
            chosen.task, chosen.overrides, "task", "isolation", "embedder"
        )
        show_recall(task, isolation, embedder if isolation.paraphrase else None, chosen.kind)
    elif chosen.command == "answers":
        show_answers(*built(chosen.task, chosen.overrides, "task", "isolation"))
    elif chosen.command == "embeddings":
        show_embeddings(*built(chosen.task, chosen.overrides, "task", "embedder"))
    else:
        show_scale(chosen.sizes)


if __name__ == "__main__":
    main()
