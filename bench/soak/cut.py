"""A finished run's files cut short, as a loss of power may leave them: nothing cut is ever scored.

Reading is tried in this process, for 200 offsets of the file that is written last and some of every
other. What only a run reads (weights, caches, what stands beside the runs) is cut, and the same
command is run again as a fork: it ends with the same result, or refuses in one line that names the
file or its folder.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from random import Random

from bench.soak import checks
from bench.soak.finished import copied, finished, only
from bench.soak.forks import fork
from bench.soak.tiny import Tiny
from bench.soak.trial import Outcome, Place
from harness.analysis.findings import findings
from harness.analysis.runs import read_ladders
from harness.errors import HarnessError
from harness.record.results import RunFolder, find_runs

__all__ = ["PROMISE", "run"]

PROMISE = "power loss: what was cut is repaired or refused by name, never scored"
AGAIN = (
    ("adapter", "lora", "results/tiny/trained/*/adapter/adapter_model.safetensors"),
    ("embeddings", "rag", "cache/embeddings/*.npz"),
    ("float32 weights", "rag", "cache/dequantized/*/model.safetensors"),
    ("completion mark", "", "results/tiny/rag/*/complete.json"),
    ("weights", "rag", "cache/wheels/*/*.gguf"),
    ("embedder", "embed", "cache/wheels/*/embedder/model.safetensors"),
    ("their configuration", "rag", "cache/dequantized/*/config.json"),
    ("configuration of the adapter", "lora", "results/tiny/trained/*/adapter/adapter_config.json"),
    ("training report", "lora", "results/tiny/trained/*/training.json"),
    ("losses", "lora", "results/tiny/trained/*/example_losses.jsonl"),
    ("declaration", "rag", "results/tiny/declared-*.json"),
    ("ledger", "rag", "results/tiny/ledger-*.jsonl"),
    ("eval", "rag", "results/tiny/eval-*.jsonl"),
    ("clock", "stopped", "results/tiny/rag/*/clock.json"),
)
"""What is cut; what is to be done by the run behind it: a rung, embedding, the rest of a rung that
was stopped, or nothing; and where it lies."""


def run(place: Place) -> list[Outcome]:
    last, each = (20, 2) if place.quick else (200, 4)
    tiny = copied(finished().tiny, place.folder / "read", made=("results",))
    with ThreadPoolExecutor(1) as pool:  # beside reading, which has one core
        again = pool.submit(_again, place, 1 if place.quick else 2)
        return [_read(place, tiny, last, each), _answers(place, tiny, last), again.result()]


def _read(place: Place, tiny: Tiny, last: int, each: int) -> Outcome:
    """Every file of one tuned run and what stands beside it, cut, then read as the report does."""
    random = Random(place.seed)
    (mark,) = tiny.results.glob("tiny/lora/*/complete.json")
    files = sorted(p for p in mark.parent.rglob("*") if p.is_file() and p != mark)
    files += sorted(p for p in mark.parents[2].glob("*-*.json*") if "findings" not in p.name)
    folders = find_runs(tiny.results)
    whole = _numbers(folders)
    without = _numbers(folder for folder in folders if folder.path != mark.parent)
    cuts = [(mark, o) for o in _offsets(random, mark, last)]
    cuts += [(path, o) for path in files for o in _offsets(random, path, each)]
    failures = []
    refused = 0
    for path, offset in cuts:
        with _Cut(path, offset):
            try:
                told = _numbers(find_runs(tiny.results))
            except HarnessError as error:
                told = _Told((), [str(error)])
            except Exception as error:  # noqa: BLE001 - it is what is counted
                failures.append(f"{path.name} cut at {offset}: {type(error).__name__}: {error}")
                continue
        refused += bool(told.refused)
        if told.refused and str(path) not in " ".join(told.refused):
            failures.append(f"{path.name} cut at {offset}: refused without its name")
        if told.numbers and told.numbers != (without if told.refused else whole).numbers:
            failures.append(f"{path.name} cut at {offset}: other numbers")
    names = len({path for path, _ in cuts})
    figure = f"{names} files; {refused} refused by name, the others told the same without them"
    return _outcome(place, "complete.json and every other file cut, report", cuts, figure, failures)


def _answers(place: Place, tiny: Tiny, count: int) -> Outcome:
    """Answers of a run that is not complete: whole lines stay, a half one goes."""
    random = Random(place.seed + 1)
    (mark,) = tiny.results.glob("tiny/prompt/*/complete.json")
    mark.unlink()
    path = mark.with_name("predictions.jsonl")
    whole = path.read_bytes()
    folder = RunFolder(path.parent)
    every = folder.predictions()
    cuts = [(path, o) for o in _offsets(random, path, count)]
    failures = []
    for _, offset in cuts:
        with _Cut(path, offset):
            left = folder.predictions()
            list(folder.append(every[len(left) :]))
            if path.read_bytes() != whole:
                failures.append(f"predictions.jsonl cut at {offset}: does not go on as it was")
    figure = "goes on behind the last whole line, byte for byte"
    return _outcome(place, "the last answers cut, answered on", cuts, figure, failures)


def _again(place: Place, each: int) -> Outcome:
    """What only a run reads, cut; then the same command, which has one rung to run again."""
    random = Random(place.seed + 2)
    cases = []
    for name, rung, pattern in AGAIN[:4] if place.quick else AGAIN:
        for i in range(each):
            cases.append((f"{name} {i}", rung, pattern, random.random()))
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda case: _cut_and_run(place, *case), cases))
    failures = [f"{c[0]}: {'; '.join(f)}" for c, (_, f) in zip(cases, done, strict=True) if f]
    repaired = sum(how == "repaired" for how, f in done if not f)
    figure = f"{repaired} repaired, {len(cases) - repaired - len(failures)} refused by name"
    return _outcome(place, "weights, caches, ledger cut, run again", cases, figure, failures)


def _cut_and_run(
    place: Place, name: str, rung: str, pattern: str, share: float
) -> tuple[str, Sequence[str]]:
    tiny = copied(finished().tiny, place.folder / name.replace(" ", "-"))
    if rung == "lora":
        shutil.rmtree(tiny.results / "tiny" / "lora")  # what was trained stays, to be taken up
    elif rung == "stopped":
        _interrupted(next(tiny.results.glob("tiny/rag/*/complete.json")))
    elif rung:
        only(tiny, "rag")
        if rung == "embed":
            shutil.rmtree(tiny.folder / "cache" / "embeddings")
    for path in tiny.folder.glob(pattern):
        os.truncate(path, int(share * path.stat().st_size))
    ended = fork(tiny)
    code = ended.wait()
    if code == 0:
        problems = list(checks.same(tiny.results, checks.truths(finished().tiny.results)))
        problems += checks.untrue(tiny)
        if "Traceback" in ended.said:
            problems.append(ended.said[-500:])
        how = "repaired"
    else:
        problems = list(checks.one_line(ended.said))
        place_named = Path(pattern.split("*", maxsplit=1)[0]).as_posix()
        if place_named not in ended.said:
            problems.append(f"does not name {place_named}: {ended.said[-300:]}")
        how = "refused"
    if not problems:
        shutil.rmtree(tiny.folder)
    return how, problems


def _interrupted(mark: Path) -> None:
    """A run as if it had been stopped after two answers."""
    mark.unlink()
    answers = mark.with_name("predictions.jsonl")
    answers.write_bytes(b"".join(answers.read_bytes().splitlines(keepends=True)[:2]))
    mark.with_name("clock.json").write_text('{"phases": {"fit": 1.0}, "total": 2.0}')


@dataclass(frozen=True)
class _Told:
    numbers: Sequence[object]
    """All scores that a report would show, and how contrasts ended; empty if it refused."""
    refused: Sequence[str]
    """What was said of a run that is left out, or of everything."""


def _numbers(folders: Iterable[RunFolder]) -> _Told:
    numbers: list[object] = []
    refused: list[str] = []
    for ladder in read_ladders(folders):
        found = findings(ladder)
        numbers.append([(rung.label, rung.primary, rung.metrics) for rung in found.rungs])
        numbers.append([(c.rung, c.baseline, c.verdict) for c in found.contrasts])
        refused += ladder.left_out
    return _Told(numbers, refused)


def _offsets(random: Random, path: Path, count: int) -> Iterator[int]:
    """So many different places of a file, as far as it has them, never its end."""
    size = path.stat().st_size
    yield from random.sample(range(size), min(count, size))


def _outcome(
    place: Place, trial: str, cases: Sequence[object], figure: str, failures: Sequence[str]
) -> Outcome:
    told = tuple(f"seed {place.seed}, {failure}" for failure in failures)
    return Outcome(PROMISE, trial, len(cases), len(cases) - len(told), figure, told)


class _Cut:
    """A file that is shorter for a while."""

    def __init__(self, path: Path, offset: int) -> None:
        self.path, self.offset = path, offset
        self.whole, self.times = path.read_bytes(), path.stat()

    def __enter__(self) -> None:
        os.truncate(self.path, self.offset)

    def __exit__(self, *error: object) -> None:
        self.path.write_bytes(self.whole)
        os.utime(self.path, ns=(self.times.st_atime_ns, self.times.st_mtime_ns))
