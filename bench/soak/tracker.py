"""A tracking server that plays parts: in front of a real one, or alone."""

from __future__ import annotations

import base64
import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

__all__ = ["Front", "Part", "await_server", "mlflow_server"]

COPIED = ("Content-Type", "Authorization", "Content-Disposition", "Accept")


@dataclass(frozen=True)
class Part:
    """What a server does; by default it passes every call on."""

    closed: bool = False
    """Nobody listens."""
    dies_after: int | None = None
    """Calls that are answered before it closes in the middle of the next."""
    seconds: float = 0.0
    """Before each answer."""
    status: int | None = None
    """That every call is answered with, and a page of HTML."""
    password: str | None = None
    """Of the user `me`; whoever has another gets a 401."""


class Front:
    """A server at one port, whose part can be changed. `calls` counts what it was asked."""

    def __init__(self, upstream: int | None) -> None:
        self.upstream, self.port = upstream, free_port()
        self.part = Part(closed=True)
        self.calls = 0
        self._server: ThreadingHTTPServer | None = None

    @property
    def uri(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def play(self, part: Part) -> None:
        self.close()
        self.part, self.calls = part, 0
        if not part.closed:
            handler = type("Bound", (_Handler,), {"front": self})
            self._server = ThreadingHTTPServer(("127.0.0.1", self.port), handler)
            self._server.daemon_threads, self._server.block_on_close = True, False
            threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()


class _Handler(BaseHTTPRequestHandler):
    front: Front

    def _answer(self) -> None:
        front, part = self.front, self.front.part
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        front.calls += 1
        if part.dies_after is not None and front.calls > part.dies_after:
            front.close()
            return
        time.sleep(part.seconds)
        if part.password is not None:
            right = base64.b64encode(f"me:{part.password}".encode()).decode()
            if self.headers.get("Authorization") != f"Basic {right}":
                self._say(401, "text/plain", b"You are not authenticated.")
                return
        if part.status is not None or front.upstream is None:
            self._say(part.status or 503, "text/html", b"<html>It works!</html>")
            return
        asked = http.client.HTTPConnection("127.0.0.1", front.upstream)
        headers = {name: self.headers[name] for name in COPIED if self.headers[name]}
        asked.request(self.command, self.path, body or None, headers)
        answer = asked.getresponse()
        self._say(answer.status, answer.headers["Content-Type"] or "text/plain", answer.read())
        asked.close()

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _answer  # noqa: N815

    def _say(self, status: int, kind: str, body: bytes) -> None:
        try:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        except OSError:
            pass  # whoever asked has gone

    def log_message(self, format: str, *arguments: object) -> None:
        pass


@contextmanager
def mlflow_server(folder: Path) -> Iterator[int]:
    """The port of a real server with an SQLite store, `mlflow.db`, in this folder."""
    folder.mkdir()
    port = free_port()
    log = (folder / "server.log").open("w")
    server = subprocess.Popen(
        [
            sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port),
            "--workers", "1", "--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}",
            "--artifacts-destination", str(folder / "artifacts"),
        ],
        stdout=log,
        stderr=subprocess.STDOUT,
        env={**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
        start_new_session=True,
    )  # fmt: skip
    try:
        yield port
    finally:
        os.killpg(server.pid, signal.SIGTERM)  # its workers too
        server.wait()
        log.close()


def await_server(port: int, seconds: float = 120) -> None:
    """Raises TimeoutError if it does not answer in so long."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            asked = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            asked.request("GET", "/health")
            if asked.getresponse().status == 200:
                return
        except OSError:
            pass
        time.sleep(0.2)
    raise TimeoutError(f"mlflow server at port {port} does not answer")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
