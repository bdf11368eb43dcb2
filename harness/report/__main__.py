"""`python -m harness.report RESULTS`: the ladders of a results folder again, from disk."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from harness.errors import HarnessError
from harness.record.results import find_runs
from harness.report.contrasts import write_changes
from harness.report.figures import ladder_chart, save
from harness.report.findings import findings
from harness.report.ladder import ladders
from harness.report.page import write_page
from harness.report.terminal import show

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> int:
    """Print one table per sealed eval set; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m harness.report",
        description="Print the ladders of a results folder; one table for each sealed eval set.",
    )
    parser.add_argument("results", help="a folder, for instance results/support_json")
    parser.add_argument("--chart", help="also draw the (last) ladder into this .png or .svg file")
    options = parser.parse_args(arguments)
    try:
        for rows in ladders(find_runs(options.results)):
            found = findings(rows)
            show(rows, found)
            write_changes(rows, found.contrasts)
            print(f"report: {write_page(rows, found)}")
            if options.chart:
                save(ladder_chart(found.ladder), Path(options.chart))
    except HarnessError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
