"""The edge at which generated cases are tried: a command line's main function, in this process.

Weights are never loaded: a run that would load them is ready, and that counts as valid.
"""

from __future__ import annotations

import hashlib
import io
import os
import traceback
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

from hypothesis import HealthCheck, seed, settings

from harness.command import no_room

SEED = int(os.environ.get("GENERATED_SEED", "0"))
"""Of all generated cases: `GENERATED_SEED=7 python -m pytest tests/generated` tries others."""

TIMES = int(os.environ.get("GENERATED_TIMES", "1"))
"""So many times as many cases as a run of the tests has: `GENERATED_TIMES=10` takes long."""


class Ready(BaseException):
    """Everything was checked, and the weights would be loaded next."""


@dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    code: int | None
    """None for an exception that nobody caught."""
    errors: tuple[str, ...]
    """Lines of standard error that begin with `error: `."""
    said: str
    """Standard error, or the traceback."""


def tried(main: Callable[[], int | None]) -> Outcome:
    """What a command does, as `harness.command` would end it."""
    out, err = io.StringIO(), io.StringIO()
    code: int | None
    try:
        with redirect_stdout(out), redirect_stderr(err):
            code = main() or 0
    except Ready:
        code = 0
    except SystemExit as left:
        code = left.code if isinstance(left.code, int) else 0
    except Exception as error:  # noqa: BLE001 - which one it is, is what the tests ask
        said = no_room(error) if isinstance(error, OSError) else None
        if said is None:
            return Outcome(None, (), traceback.format_exc())
        print(f"error: {said}", file=err)
        code = 2
    said = err.getvalue()
    errors = tuple(line for line in said.splitlines() if line.startswith("error: "))
    return Outcome(code, errors, said)


def judge(outcome: Outcome, case: object) -> None:
    """It is valid, or it is refused in one line that says what is wrong, with exit code 2."""
    about = f"seed {SEED}, case {case!r:.600}:\n{outcome.said}"
    assert outcome.code in (0, 2), about
    assert len(outcome.errors) == (1 if outcome.code == 2 else 0), about
    assert "Traceback" not in outcome.said, about
    for line in outcome.errors:
        assert len(line) > len("error: ") + 10, about
        assert len(line) < 2000, about


def generated(examples: int) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """So many cases of one kind, the same ones under the same seed."""

    def decorate(test: Callable[..., None]) -> Callable[..., None]:
        configured = settings(
            max_examples=examples * TIMES,
            deadline=None,
            database=None,
            print_blob=True,
            suppress_health_check=list(HealthCheck),
        )
        return seed(SEED)(configured(test))

    return decorate


def snapshot(folder: Path) -> dict[str, str]:
    """What stands below a folder, by path: SHA-256 of files, the targets of links."""
    found: dict[str, str] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            found[name] = f"link to {path.readlink()}"
        elif path.is_file():
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
        else:
            found[name] = "folder"
    return found
