"""The most memory that a process has had, looked at from outside while it lives."""

from __future__ import annotations

import re
import threading
import time
from pathlib import Path

__all__ = ["Peak"]


class Peak:
    """Bytes of address space and resident bytes; what the last twentieth of a second adds may be
    missed."""

    def __init__(self, pid: int) -> None:
        self.address = 0
        self.resident = 0
        self._status = Path(f"/proc/{pid}/status")
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        while True:
            try:
                found = dict(re.findall(r"(VmPeak|VmHWM):\s+(\d+) kB", self._status.read_text()))
            except OSError:
                return
            if not found:  # it has ended, and was not waited for
                return
            self.address = int(found["VmPeak"]) * 1024
            self.resident = int(found["VmHWM"]) * 1024
            time.sleep(0.05)
