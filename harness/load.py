"""From a folder of files, or a dataset of the hub, to a checked Task."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

from harness.answer import Answer
from harness.answer.format import accepted_by
from harness.calls import calls_of, check_calls, check_tools
from harness.corpus import check_sources, name_of, read_corpus, sources_of
from harness.errors import TaskError
from harness.home import located, places
from harness.models.weights import Weights
from harness.progress import watched
from harness.reading import UnreadableError, text_of
from harness.sampling import sample
from harness.sources import SUFFIXES, Row, check_cells, read_file, read_split
from harness.splits import split_by_size, split_dev
from harness.task import Example, Materials, Passage, Task
from harness.task_settings import FIELDS, SPLITS, TaskSettings
from harness.twins import warn_of_twins
from harness.update import load_update

__all__ = ["load_task"]

VARIANTS = ("full", "short")
"""Of the instructions that every task has."""


def load_task(
    name: str,
    folder: str,
    answer: Answer,
    primary: str,
    max_new_tokens: int,
    source: str | Weights | None = None,
    revision: str | None = None,
    splits: Mapping[str, str] | None = None,
    columns: Mapping[str, str | Sequence[str]] | None = None,
    sizes: Mapping[str, int] | None = None,
    question: str = "{input}",
    metrics: Sequence[str] = (),
    licence: str = "unknown",
    update: Mapping[str, str] | None = None,
    tools: Mapping[str, Any] | None = None,
) -> Task:
    """Load and check a task. Raises TaskError with file, line and fix.

    `folder` holds `instructions.full.md`, `instructions.short.md` and, as needed, the schema and
    `corpus.jsonl`; any other `instructions.NAME.md` is a prompt that a search may choose. The
    splits are read from `source` (default: the same folder), under the names that `splits` gives
    them. A source that is one file is dealt into splits by `sizes`, whole groups at a time.
    `columns` says which column holds which of the fields id, input, target, group, sources, tags,
    passage and calls (several names: the first that exists). `sizes` draws that many examples of a
    split, always the same ones. Without a dev split a tenth of train becomes dev. Eval may stand
    alone, without instructions too: what was answered elsewhere needs no more. Passages that stand
    in the rows themselves become the corpus, each text once; a passage is then the group of the
    examples that came with it, unless they name another. `update` names the files of facts that
    change (harness/update.py). `tools` are what a model may call, by name (harness/toolbox/); rows
    of train may show their use under `calls`.
    """
    TaskSettings(
        name, folder, answer, primary, max_new_tokens, source, revision, splits, columns, sizes,
        question, metrics, licence, update, tools,
    )  # fmt: skip
    folder_path = Path(located(folder))
    if not folder_path.is_dir():
        raise TaskError(
            f"task {name}: no folder {folder} (looked for {places(folder)}); fix task.folder"
        )
    place = str(source.resolve()) if isinstance(source, Weights) else located(source or folder)
    drawn, answer, passages = _drawn(place, answer, revision, splits, columns, sizes or {})
    corpus = passages or read_corpus(folder_path / "corpus.jsonl")
    named = check_tools(tools or {})
    for examples in drawn.values():
        _check_ids(examples)
        check_calls(examples, named)
        check_sources(examples, corpus)
    warn_of_twins([*chain(*drawn.values())], drawn["eval"], answer.labels or ())
    materials = Materials(
        train=drawn["train"],
        dev=drawn["dev"],
        corpus=corpus,
        instructions=_instructions(folder_path, VARIANTS, answer, needed=bool(drawn["train"])),
        question=question,
        answer=answer,
        max_new_tokens=max_new_tokens,
        variants=_instructions(folder_path, _further(folder_path), answer),
        tools=named,
        train_sought="" if drawn["train"] else _sought(place, (splits or {}).get("train", "train")),
    )
    task = Task(name, materials, drawn["eval"], primary, tuple(metrics), licence, limit=None)
    if update is None:
        return task
    part = "eval" in (sizes or {})
    return replace(task, update=load_update(update, corpus, task.eval, answer, drawn=part))


def _drawn(
    place: str,
    answer: Answer,
    revision: str | None,
    splits: Mapping[str, str] | None,
    columns: Mapping[str, str | Sequence[str]] | None,
    sizes: Mapping[str, int],
) -> tuple[dict[str, tuple[Example, ...]], Answer, tuple[Passage, ...]]:
    """The examples of each split, the answer format that fits them, and the rows' own passages."""
    if Path(place).is_file():
        rows = {"all": list(read_file(Path(place)))}
        if not rows["all"]:
            raise TaskError(f"{place}: is empty; add examples or fix task.source")
        pool = _examples(rows["all"], "all", answer, columns)
        drawn = split_by_size(pool, sizes, place)
        return drawn, answer.fitted(e.target for e in drawn["train"]), _passages(rows, columns)
    rows = _splits(place, revision, splits)
    train = _examples(rows.get("train", ()), "train", answer, columns)
    answer = answer.fitted(e.target for e in train)
    dev = _examples(rows.get("dev", ()), "dev", answer, columns)
    if train and not dev:
        train, dev = split_dev(train, sizes.get("dev"))
    test = _examples(rows["eval"], "eval", answer, columns)
    found = {"train": train, "dev": dev, "eval": test}
    drawn = {split: sample(examples, sizes.get(split)) for split, examples in found.items()}
    return drawn, answer, _passages(rows, columns)


def _splits(
    place: str, revision: str | None, splits: Mapping[str, str] | None
) -> dict[str, list[Row]]:
    names = {split: (splits or {}).get(split, split) for split in SPLITS}
    read = {split: read_split(place, name, revision) for split, name in names.items()}
    alone = read["dev"] is None and not {"train", "dev"} & set(splits or {})
    for split in ("eval",) if alone else ("train", "eval"):
        if read[split] is None:
            raise TaskError(
                f"{place}: no split '{names[split]}' for {split}; "
                f"add {names[split]}.jsonl or fix task.splits.{split}"
            )
    for split, rows in read.items():
        if rows == []:
            raise TaskError(
                f"{place}: split '{names[split]}' for {split} is empty; add examples to it or fix "
                f"task.splits.{split}"
            )
    return {split: rows for split, rows in read.items() if rows is not None}


def _sought(place: str, split: str) -> str:
    """The files, or the split, that would have been read as a split."""
    if Path(place).is_dir():
        return f"{Path(place) / split}{', '.join(SUFFIXES)}"
    return f"split '{split}' of {place}"


def _examples(
    rows: Sequence[Row],
    split: str,
    answer: Answer,
    columns: Mapping[str, str | Sequence[str]] | None,
) -> tuple[Example, ...]:
    counted = enumerate(watched(rows, f"checking {split}", len(rows)), 1)
    return tuple(_example(row, f"{split}-{i}", answer, columns) for i, row in counted)


def _example(
    row: Row, fallback_id: str, answer: Answer, columns: Mapping[str, str | Sequence[str]] | None
) -> Example:
    values = _pick(row, columns)
    check_cells(values, row.where)
    for name in ("input", "target"):
        if name not in values or values[name] in ("", None):
            raise TaskError(f"{row.where}: has no '{name}'; add it or fix task.columns.{name}")
    if not isinstance(values["input"], str):
        raise TaskError(f"{row.where}: input is {values['input']!r:.60}; it must be text")
    if not values["input"].strip():
        raise TaskError(f"{row.where}: input is blank; write one or delete the line")
    try:
        target = answer.write(values["target"])
        accepted = accepted_by(answer, values["target"])
    except ValueError as error:
        raise TaskError(f"{row.where}: {error}; fix the line or the answer format") from error
    identity = name_of(values, "id", row.where) or fallback_id
    passage = _passage_id(values["passage"]) if values.get("passage") else None
    return Example(
        id=identity,
        input=values["input"],
        target=target,
        group=name_of(values, "group", row.where) or passage or identity,
        gold_passages=(passage,) if passage else sources_of(values.get("sources"), row.where),
        tags=_tags(values.get("tags"), row.where),
        where=row.where,
        accepted=accepted,
        calls=calls_of(values.get("calls"), row.where),
    )


def _pick(row: Row, columns: Mapping[str, str | Sequence[str]] | None) -> dict[str, Any]:
    """The row's values by field name."""
    if columns is None:
        for column in row.values:
            if column not in FIELDS:
                raise TaskError(
                    f"{row.where}: unknown column '{column}'; "
                    f"known are {', '.join(FIELDS)}, others go into tags or task.columns"
                )
        return dict(row.values)
    picked: dict[str, Any] = {}
    for name, wanted in columns.items():
        if name == "tags" and not isinstance(wanted, str):
            picked[name] = {tag: _column(row, tag) for tag in wanted}
        else:
            picked[name] = _column(row, *([wanted] if isinstance(wanted, str) else wanted))
    return picked


def _column(row: Row, *aliases: str) -> Any:
    for alias in aliases:
        if alias in row.values:
            return row.values[alias]
    raise TaskError(
        f"{row.where}: no column {' or '.join(map(repr, aliases))} among "
        f"{', '.join(map(repr, row.values))}; fix task.columns"
    )


def _tags(value: Any, where: str) -> Mapping[str, str]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise TaskError(f'{where}: tags is {value!r}; give an object such as {{"seen": true}}')
    return {str(k): json.dumps(v) if not isinstance(v, str) else v for k, v in value.items()}


def _passages(
    rows: Mapping[str, Sequence[Row]], columns: Mapping[str, str | Sequence[str]] | None
) -> tuple[Passage, ...]:
    """The passages that stand in the rows of all splits, each text once."""
    found: dict[str, Passage] = {}
    for row in (row for split in rows.values() for row in split):
        text = _pick(row, columns).get("passage")
        if text:
            identity = _passage_id(text)
            found.setdefault(identity, Passage(identity, "", str(text).strip(), row.where))
    return tuple(found.values())


def _passage_id(text: object) -> str:
    """The same for texts that differ in case or spacing alone."""
    plain = " ".join(str(text).casefold().split())
    return f"P-{hashlib.sha256(plain.encode()).hexdigest()[:12]}"


def _instructions(
    folder: Path, variants: Iterable[str], answer: Answer, needed: bool = True
) -> dict[str, str]:
    """The instructions of these variants. Raises TaskError for a file that is `needed` and not
    there, or empty."""
    found: dict[str, str] = {}
    for variant in variants:
        path = folder / f"instructions.{variant}.md"
        if path.is_file():
            text = _text(path)
            if not text:
                raise TaskError(f"{path}: is empty; write the {variant} instructions there")
            found[variant] = answer.describe(text)
        elif needed:
            raise TaskError(f"{path}: no such file; write the {variant} instructions there")
    return found


def _text(path: Path) -> str:
    try:
        return text_of(path).strip()
    except UnreadableError as error:
        raise TaskError(f"{path}: {error}") from error


def _further(folder: Path) -> list[str]:
    """Names of instructions beside the two that every task has, in alphabetical order."""
    names = (path.name.split(".", 1)[1] for path in folder.glob("instructions.*.md"))
    return sorted({name.removesuffix(".md") for name in names} - set(VARIANTS))


def _check_ids(examples: Sequence[Example]) -> None:
    seen: dict[str, str] = {}
    for example in examples:
        if example.id in seen:
            raise TaskError(
                f"{example.where}: id '{example.id}' stands at {seen[example.id]} too; rename one"
            )
        seen[example.id] = example.where
