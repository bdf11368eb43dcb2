"""From runs on disk to what people read: the one way that every command goes."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

from harness.analysis.declared_contrasts import changes
from harness.analysis.export import as_json, record
from harness.analysis.findings import Findings, findings
from harness.analysis.runs import read_ladders
from harness.files import write_whole
from harness.inert import tell
from harness.progress import say_once
from harness.record.results import RunFolder
from harness.report.markdown import GAP, markdown
from harness.report.page import page
from harness.report.terminal import show

__all__ = ["Said", "conclude", "write_reports"]

Said = Literal["essence", "full", "nothing"]
"""How much of a ladder is printed."""


def conclude(
    folders: Iterable[RunFolder],
    evals: Collection[str] | None = None,
    said: Said = "essence",
    within: Path | None = None,
) -> list[Findings]:
    """Analyse every ladder among `folders`, print it and write its reports.

    `evals` keeps the ladders of these sealed eval sets (SHA-256) alone. Reports are written into
    task folders that stand in the folder `within` alone: of a part of a task's runs there is
    nothing to write. Raises ResultsError for what cannot be read.
    """
    concluded = []
    for ladder in read_ladders(folders):
        if evals is None or ladder.eval_set in evals:
            found = findings(ladder)
            for line in ladder.left_out if said == "nothing" else ():
                say_once(f"warning: {line}")  # otherwise it stands among the printed ones
            if said != "nothing":
                show(found, full=said == "full")
            if within is None or ladder.folder.is_relative_to(within.resolve()):
                told = f"report: {write_reports(found)}"
            else:
                told = f"no report is written for a part of {ladder.folder}"
            if said != "nothing":
                tell(told)
            concluded.append(found)
    return concluded


def write_reports(found: Findings) -> Path:
    """Write what was found beside the rungs' folders; returns the path of the page.

    `findings-<eval>.json` (docs/findings.md), `contrasts-<eval>.jsonl` (questions that changed),
    `diagnosis-<eval>.jsonl` (errors and what repairs them, if there were runs that tell),
    `ladder-<eval>.md` (all tables) and `report-<eval>.html` (the page).
    """
    page_path = found.path("report", "html")
    written = {
        found.path("findings", "json"): as_json(record(found)) + "\n",
        found.path("contrasts", "jsonl"): _lines(changes(found.rungs, found.contrasts)),
        found.path("ladder", "md"): GAP.join(markdown(found)) + "\n",
        page_path: page(found),
    }
    if found.diagnosis:
        cases = map(asdict, found.diagnosis.cases)
        written[found.path("diagnosis", "jsonl")] = _lines(cases)
    for path, text in written.items():
        write_whole(path, text, durable=False)
    return page_path


def _lines(records: Iterable[Mapping[str, Any]]) -> str:
    """JSON Lines."""
    return "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in records)
