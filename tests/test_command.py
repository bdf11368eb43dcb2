"""How a command line ends."""

from __future__ import annotations

import errno
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.command import no_room

SLEEP = "import time; what = lambda: (print('on', flush=True), time.sleep(60))"
COMPUTE = (
    "import hashlib\n"
    "def what():\n"
    "    print('on', flush=True)\n"
    "    hashlib.pbkdf2_hmac('sha256', b'a', b'b', 2_000_000_000)"
)


def started(what: str) -> subprocess.Popen[str]:
    """A command that has said that it is `on`."""
    process = subprocess.Popen(
        [sys.executable, "-c", f"{what}\nfrom harness.command import command\ncommand(what)"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "on\n"
    return process


@pytest.mark.parametrize("what", [SLEEP, COMPUTE], ids=["waiting", "computing"])
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_within_seconds_in_one_line_that_says_how_to_go_on(
    what: str, number: signal.Signals, code: int
) -> None:
    process = started(what)
    began = time.monotonic()
    process.send_signal(number)
    _, said = process.communicate(timeout=30)
    assert time.monotonic() - began < 4  # 1.5 of grace, and a busy machine
    assert process.returncode == code
    assert said.splitlines() == [
        "stopped; nothing is lost: the same command goes on where it stopped"
    ]


def test_what_was_left_for_the_end_is_done_and_a_signal_meanwhile_is_the_same_line() -> None:
    process = started(
        "import atexit, time\n"
        "def what():\n"
        "    atexit.register(lambda: (print('on', flush=True), time.sleep(60)))"
    )
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=30)
    assert (process.returncode, len(said.splitlines())) == (143, 1)

    process = started(
        "import atexit, threading, time\n"
        "def late():\n"
        "    time.sleep(0.3)\n"
        "    print('a thread')\n"
        "def what():\n"
        "    print('on', flush=True)\n"
        "    atexit.register(print, 'registered')\n"
        "    threading.Thread(target=late).start()\n"
        "    return 3"
    )
    told, said = process.communicate(timeout=30)
    assert (process.returncode, told, said) == (3, "a thread\nregistered\n", "")


def test_a_second_signal_kills() -> None:
    process = started(
        "import time\n"
        "def what():\n"
        "    try:\n"
        "        print('on', flush=True)\n"
        "        time.sleep(60)\n"
        "    finally:\n"
        "        print('cleaning', flush=True)\n"
        "        time.sleep(60)"
    )
    process.send_signal(signal.SIGINT)
    assert process.stdout is not None
    assert process.stdout.readline() == "cleaning\n"
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=30) == -signal.SIGINT


@pytest.mark.parametrize(
    ("number", "fix"),
    [(errno.ENOSPC, "make room there"), (errno.EROFS, "choose a folder"), (errno.EACCES, "change")],
)
def test_a_file_that_cannot_be_written_is_one_line_with_a_fix(number: int, fix: str) -> None:
    said = no_room(OSError(number, "why", "/mnt/results/metrics.json"))
    assert said is not None
    assert said.startswith(f"/mnt/results/metrics.json: why; {fix}")


def test_other_faults_of_the_operating_system_keep_their_traceback() -> None:
    assert no_room(OSError(errno.EBADF, "Bad file descriptor")) is None


FAULTY = """
import logging, warnings

def what():
    logging.warning("https://ann:%s@host \\x1b[31m", "planted")
    warnings.warn("token=planted \\u202e")
    raise RuntimeError("api_key=planted \\x1b[31m")
"""


def test_tracebacks_warnings_and_logs_have_no_secrets_and_no_escape_codes() -> None:
    code = f"{FAULTY}\nfrom harness.command import command\ncommand(what)"
    said = subprocess.run(
        [sys.executable, "-c", code], check=False, capture_output=True, text=True
    ).stderr
    assert "planted " not in said and "planted@" not in said
    assert "https://***@host \\x1b[31m" in said
    assert "token=*** \\u202e" in said
    assert "RuntimeError: api_key=*** \\x1b[31m" in said
    assert "\x1b" not in said


def test_a_full_disk_is_told_with_the_room_that_is_left(tmp_path: Path) -> None:
    said = no_room(OSError(errno.ENOSPC, "why", str(tmp_path / "run" / "metrics.json")))
    assert said is not None
    assert re.search(r"metrics\.json: why; make room there \([\d,]+ bytes free\); then", said)


def test_a_signal_that_comes_while_it_imports_is_one_line_too() -> None:
    code = (
        "from harness.command import command, listen\n"
        "listen()\n"
        "import time\n"
        "print('on', flush=True)\n"
        "time.sleep(60)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "on\n"
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert said.splitlines() == [
        "stopped; nothing is lost: the same command goes on where it stopped"
    ]


def test_memory_that_runs_out_is_one_line_with_a_fix_and_anything_else_keeps_its_traceback() -> (
    None
):
    ends = "from harness.command import command\ndef what():\n    WHAT\ncommand(what)"

    def said(line: str, code: int) -> list[str]:
        done = subprocess.run(
            [sys.executable, "-c", ends.replace("WHAT", line)],
            check=False,
            capture_output=True,
            text=True,
        )
        assert done.returncode == code
        return done.stderr.splitlines()

    (line,) = said("b'x' * (1 << 60)", code=2)
    assert line.startswith("error: memory ran out (") and "fix: batch_size=1" in line
    assert said("{}['no']", code=1)[-1].startswith("KeyError")


def test_what_the_output_cannot_encode_is_escaped() -> None:
    code = "from harness.command import command\ncommand(lambda: print('\u2022 70 %'))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        check=False,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (0, "\\u2022 70 %\n")
