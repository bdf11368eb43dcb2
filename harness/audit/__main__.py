"""`python -m harness.audit +task=NAME`: is the data good, before anything is trained?"""

from __future__ import annotations

from harness.command import command, listen

if __name__ == "__main__":
    listen()  # before what follows, which takes a while

import argparse
import json
from pathlib import Path

from harness.audit.finding import quote
from harness.audit.report import audit
from harness.audit.sealed import doubtful_targets
from harness.audit.words import lines
from harness.configuration.compose import compose
from harness.errors import HarnessError, TaskError
from harness.inert import json_text, say, tell
from harness.models.embedder import Embedder
from harness.record.doubted import keep_doubted
from harness.task import Task

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> int:
    """Audit train and dev of one task; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m harness.audit",
        description="Look for contradictions, copies, drift, imbalance, cut off targets and "
        "doubtful labels in train and dev. The targets of eval are looked at with --eval alone.",
    )
    parser.add_argument("words", nargs="+", help="as for harness: +task=NAME, task.source=FOLDER")
    parser.add_argument("--config-dir", help="a folder of YAML of your own")
    parser.add_argument(
        "--quick", action="store_true", help="ask no classifier: nothing is embedded"
    )
    parser.add_argument(
        "--eval",
        action="store_true",
        help="judge the targets of eval instead, once the ladder ran, and keep the doubtful ones "
        "for the list of its errors; no rung learns of it",
    )
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--full", action="store_true", help="print everything that was found")
    how.add_argument("--json", action="store_true", help="print it as JSON")
    options = parser.parse_intermixed_args(arguments)
    try:
        folders = [options.config_dir] if options.config_dir else []
        (spec,) = compose(options.words, config_dirs=folders, sweep=False)
        task = spec.build("task")
        if not task.materials.train:
            raise TaskError(f"task {task.name}: has no train examples to look at")
        if options.eval:
            return _judge_eval(task, spec.build("embedder"), spec.results / task.name)
        found = audit(
            task.materials,
            spec.build("isolation").near_duplicate,
            embedder=None if options.quick else spec.build("embedder"),
            trained=(spec.results / task.name, task.fingerprints()["train"]),
        )
    except HarnessError as error:
        say(f"error: {error}")
        return 2
    if options.json:
        record = {"task": task.name} | found.record()
        print(json_text(json.dumps(record, indent=1, ensure_ascii=False)))
    else:
        for line in lines(task.name, found, everything=options.full):
            tell(line)
    return 0


def _judge_eval(task: Task, embedder: Embedder, folder: Path) -> int:
    """Print and keep what speaks against targets of eval."""
    found = doubtful_targets(task, embedder)
    if found is None:
        say(f"{task.name}: no column of its targets can be classified")
        return 2
    path = keep_doubted(folder, task.fingerprints()["eval"], found)
    for example in task.eval:
        if example.id in found:
            tell(f"{example.where}: {quote(example.input)} → {found[example.id]}")
    tell(f"{len(found)} of {len(task.eval)} targets of eval are doubtful; kept in {path}")
    return 0


if __name__ == "__main__":
    command(main)
