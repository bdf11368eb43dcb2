"""From a folder of files, or a dataset of the hub, to a checked Task."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.answer import Answer
from harness.errors import TaskError
from harness.sources import Row, read_file, read_split
from harness.task import Example, Materials, Passage, Task

__all__ = ["load_task"]

FIELDS = ("id", "input", "target", "group", "sources", "tags")
SPLITS = ("train", "dev", "eval")
DEV_SHARE = 0.1
"""How much of train becomes dev when a source has no dev split of its own."""


def load_task(
    name: str,
    folder: str,
    answer: Answer,
    primary: str,
    max_new_tokens: int,
    source: str | None = None,
    revision: str | None = None,
    splits: Mapping[str, str] | None = None,
    columns: Mapping[str, str | Sequence[str]] | None = None,
    sizes: Mapping[str, int] | None = None,
    question: str = "{input}",
    metrics: Sequence[str] = (),
    licence: str = "unknown",
) -> Task:
    """Load and check a task. Raises TaskError with file, line and mend.

    `folder` holds `instructions.full.md`, `instructions.short.md` and, as needed, the schema and
    `corpus.jsonl`. The splits are read from `source` (default: the same folder), under the names
    that `splits` gives them. `columns` says which column holds which of the fields id, input,
    target, group, sources and tags (several names: the first that exists). `sizes` draws that many
    examples of a split, always the same ones. Without a dev split a tenth of train becomes dev.
    """
    folder_path = Path(folder)
    if not folder_path.is_dir():
        raise TaskError(f"task {name}: no folder {folder}; mend task.folder")
    names = {split: (splits or {}).get(split, split) for split in SPLITS}
    rows = {s: read_split(source or folder, names[s], revision) for s in SPLITS}
    for split in ("train", "eval"):
        if rows[split] is None:
            raise TaskError(
                f"{source or folder}: no split '{names[split]}' for {split}; "
                f"add {names[split]}.jsonl or mend task.splits.{split}"
            )
    train = _examples(rows["train"] or [], "train", answer, columns)
    answer = answer.fitted(e.target for e in train)
    test = _examples(rows["eval"] or [], "eval", answer, columns)
    if rows["dev"] is None:
        train, dev = _carve(train, (sizes or {}).get("dev"))
    else:
        dev = _examples(rows["dev"], "dev", answer, columns)
    corpus = _corpus(folder_path / "corpus.jsonl")
    drawn = {"train": train, "dev": dev, "eval": test}
    for split, examples in drawn.items():
        drawn[split] = _draw(examples, (sizes or {}).get(split))
        _check_ids(drawn[split])
        _check_sources(drawn[split], corpus)
    materials = Materials(
        train=drawn["train"],
        dev=drawn["dev"],
        corpus=corpus,
        instructions={v: _instructions(folder_path, v, answer) for v in ("full", "short")},
        question=question,
        answer=answer,
        max_new_tokens=max_new_tokens,
    )
    return Task(name, materials, drawn["eval"], primary, tuple(metrics), licence, limit=None)


def _examples(
    rows: Sequence[Row],
    split: str,
    answer: Answer,
    columns: Mapping[str, str | Sequence[str]] | None,
) -> tuple[Example, ...]:
    if not rows:
        raise TaskError(f"split {split}: is empty; add examples or mend task.splits.{split}")
    return tuple(_example(row, f"{split}-{i}", answer, columns) for i, row in enumerate(rows, 1))


def _example(
    row: Row, fallback_id: str, answer: Answer, columns: Mapping[str, str | Sequence[str]] | None
) -> Example:
    values = _pick(row, columns)
    for name in ("input", "target"):
        if name not in values or values[name] in ("", None):
            raise TaskError(f"{row.where}: has no '{name}'; add it or mend task.columns.{name}")
    if not isinstance(values["input"], str):
        raise TaskError(f"{row.where}: input is {values['input']!r}; it must be text")
    try:
        target = answer.write(values["target"])
    except ValueError as error:
        raise TaskError(f"{row.where}: {error}; mend the line or the answer format") from error
    identity = str(values.get("id") or fallback_id)
    return Example(
        id=identity,
        input=values["input"],
        target=target,
        group=str(values.get("group") or identity),
        sources=_sources(values.get("sources"), row.where),
        tags=_tags(values.get("tags"), row.where),
        where=row.where,
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
        if name not in FIELDS:
            raise TaskError(f"task.columns: unknown field '{name}'; known are {', '.join(FIELDS)}")
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
        f"{', '.join(map(repr, row.values))}; mend task.columns"
    )


def _sources(value: Any, where: str) -> tuple[str, ...]:
    if value is None:
        return ()
    if isinstance(value, str):
        return tuple(value.replace(";", " ").split())
    if isinstance(value, list):
        return tuple(map(str, value))
    raise TaskError(f"{where}: sources is {value!r}; give a list of passage ids")


def _tags(value: Any, where: str) -> Mapping[str, str]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise TaskError(f'{where}: tags is {value!r}; give an object such as {{"seen": true}}')
    return {str(k): json.dumps(v) if not isinstance(v, str) else v for k, v in value.items()}


def _carve(
    train: tuple[Example, ...], size: int | None
) -> tuple[tuple[Example, ...], tuple[Example, ...]]:
    """Split dev off train by whole groups, chosen by hash so that it is always the same."""
    wanted = size if size is not None else max(1, round(len(train) * DEV_SHARE))
    groups: dict[str, int] = {}
    for example in train:
        groups[example.group] = groups.get(example.group, 0) + 1
    chosen: set[str] = set()
    taken = 0
    for group in sorted(groups, key=_hash_order):
        if taken >= wanted:
            break
        chosen.add(group)
        taken += groups[group]
    rest = tuple(e for e in train if e.group not in chosen)
    if not rest:
        raise TaskError(f"split train: nothing is left after {taken} examples for dev; add more")
    return rest, tuple(e for e in train if e.group in chosen)


def _draw(examples: tuple[Example, ...], size: int | None) -> tuple[Example, ...]:
    """`size` examples chosen by hash, in their old order."""
    if size is None or size >= len(examples):
        return examples
    chosen = {e.id for e in sorted(examples, key=lambda e: _hash_order(e.id))[:size]}
    return tuple(e for e in examples if e.id in chosen)


def _hash_order(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _corpus(path: Path) -> tuple[Passage, ...]:
    if not path.is_file():
        return ()
    passages: dict[str, Passage] = {}
    for row in read_file(path):
        for name in ("id", "text"):
            if not isinstance(row.values.get(name), str) or not row.values[name]:
                raise TaskError(f"{row.where}: a passage needs '{name}' as text; add it")
        passage = Passage(
            row.values["id"], str(row.values.get("title") or ""), row.values["text"], row.where
        )
        if passage.id in passages:
            first = passages[passage.id].where
            raise TaskError(f"{row.where}: id '{passage.id}' stands at {first} too; rename one")
        passages[passage.id] = passage
    return tuple(passages.values())


def _instructions(folder: Path, variant: str, answer: Answer) -> str:
    path = folder / f"instructions.{variant}.md"
    if not path.is_file():
        raise TaskError(f"{path}: no such file; write the {variant} instructions there")
    text = path.read_text(encoding="utf-8").strip()
    if not text:
        raise TaskError(f"{path}: is empty; write the {variant} instructions there")
    return answer.describe(text)


def _check_ids(examples: Sequence[Example]) -> None:
    seen: dict[str, str] = {}
    for example in examples:
        if example.id in seen:
            raise TaskError(
                f"{example.where}: id '{example.id}' stands at {seen[example.id]} too; rename one"
            )
        seen[example.id] = example.where


def _check_sources(examples: Sequence[Example], corpus: Sequence[Passage]) -> None:
    known = {passage.id for passage in corpus}
    for example in examples:
        for source in example.sources:
            if source not in known:
                raise TaskError(
                    f"{example.where}: source '{source}' is not in the corpus; mend the id"
                )
