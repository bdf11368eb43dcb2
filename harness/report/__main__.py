"""`python -m harness.report RESULTS`: the ladders of a results folder again, from disk."""

from __future__ import annotations

from harness.command import command, listen

if __name__ == "__main__":
    listen()  # before what follows, which takes a while

import argparse
from pathlib import Path

from harness.analysis.export import as_json, record
from harness.errors import ConfigError, HarnessError, ResultsError
from harness.inert import json_text, say
from harness.record.results import find_runs
from harness.report.conclude import Said, conclude
from harness.report.figures import ladder_chart, save

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> int:
    """Report each sealed eval set; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m harness.report",
        description="Report the ladders of a results folder, one for each sealed eval set.",
    )
    parser.add_argument("results", help="a folder, for instance results/support_json")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--full", action="store_true", help="print all tables, as the page has them")
    how.add_argument(
        "--json", action="store_true", help="print the findings as a list, as docs/findings.md says"
    )
    parser.add_argument("--chart", help="also draw the (last) ladder into this .png or .svg file")
    options = parser.parse_args(arguments)
    said: Said = "nothing" if options.json else "full" if options.full else "essence"
    try:
        if options.chart:
            _check_chart(Path(options.chart))
        found = conclude(find_runs(options.results), said=said, within=Path(options.results))
        if options.json:
            print(json_text(as_json([record(one) for one in found])))
        if options.chart:
            if not found[-1].rungs:
                raise ResultsError(
                    f"{options.results}: holds controls alone; there is no ladder to draw"
                )
            save(ladder_chart(found[-1].rungs), Path(options.chart))
    except HarnessError as error:
        say(f"error: {error}")
        return 2
    return 0


def _check_chart(path: Path) -> None:
    """Raise ConfigError for what no chart can be drawn into: before anything is read."""
    if path.suffix not in (".png", ".svg") or not path.parent.is_dir() or path.is_dir():
        raise ConfigError(
            f"--chart {path}: must be a .png or .svg file in a folder that there is; fix the path"
        )


if __name__ == "__main__":
    command(main)
