"""Side by side with what a user would pick instead: `python -m bench --help`."""

from __future__ import annotations

import argparse
import importlib
import sys
import time
from collections.abc import Sequence

from bench.table import Row, show

__all__ = ["main"]

SECTIONS = ("answering", "precision", "training", "sweep", "scaling")
SIZES = {"ours": (128, 8), "questions": (4, 2), "steps": (12, 2), "limit": (32, 2)}
"""What an option says by itself, and with --quick."""


def parse(words: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line, with every size filled in."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "what", nargs="*", help=f"any of {', '.join(SECTIONS)} (all of them if none is named), "
        "and overrides like model.dtype=bfloat16"
    )  # fmt: skip
    parser.add_argument(
        "--quick", action="store_true", help="little of everything; sweep only if it is named"
    )
    parser.add_argument("--banking77", metavar="FOLDER", help="with train.csv and test.csv")
    helps = {
        "ours": "questions that harness answers",
        "questions": "how many of them the other ways answer",
        "steps": "training steps that are timed",
        "limit": "questions of the sweep",
    }
    for name, text in helps.items():
        parser.add_argument(f"--{name}", type=int, help=f"{text} {SIZES[name]}")
    arguments = parser.parse_intermixed_args(words)
    arguments.overrides = [word for word in arguments.what if "=" in word]
    named = [word for word in arguments.what if "=" not in word]
    unknown = [word for word in named if word not in SECTIONS]
    if unknown:
        parser.error(f"{unknown[0]}: is not one of {', '.join(SECTIONS)}")
    usual = [s for s in SECTIONS if not (arguments.quick and s == "sweep")]
    arguments.sections = named or usual
    for name, sizes in SIZES.items():
        if getattr(arguments, name) is None:
            setattr(arguments, name, sizes[arguments.quick])
        if getattr(arguments, name) < 1:
            parser.error(f"--{name} must be at least 1")
    return arguments


def main(words: Sequence[str] | None = None) -> None:
    """Run the sections one after the other; print every line as it comes, the table at the end."""
    arguments = parse(words)
    from harness.models.local.allocator import keep_freed_memory
    from harness.progress import silence_libraries

    silence_libraries()
    keep_freed_memory()
    rows: list[Row] = []
    for section in arguments.sections:
        began = time.perf_counter()
        for row in importlib.import_module(f"bench.{section}").rows(arguments):
            print(" | ".join(row.cells()), file=sys.stderr, flush=True)
            rows.append(row)
        print(f"{section}: {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)
    show(rows)


if __name__ == "__main__":
    main()
