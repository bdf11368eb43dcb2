"""A ladder whose every name and text is hostile: inert in the page, Markdown and terminal."""

from __future__ import annotations

import io
import json
import re
import subprocess
import threading
from collections.abc import Iterator
from html.parser import HTMLParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from rich.console import Console

from harness.analysis.findings import Findings, findings
from harness.analysis.runs import read_ladder
from harness.inert import visible
from harness.report.conclude import write_reports
from harness.report.markdown import GAP, markdown
from harness.report.page import page
from harness.report.terminal import show
from harness.task import Example
from tests.record.conftest import TRAINING, complete_run
from tests.report.test_page_in_browser import CHROMIUM, told

SERVER = "http://127.0.0.1:{port}"
UNSEEN = "\x1b[31m\x1b]8;;{server}\x07\x00\x9b2J\r\u202e\u2066\u200b\ufeff\u2028"
SCRIPT = "document.title = 'ran'; document.body.dataset.ran = 1"
TEXT = (
    f"<script>{SCRIPT}</script></td></table></code></style><img src='{{server}}/a.png' "
    f'onerror="{SCRIPT}"><svg onload="{SCRIPT}"><iframe src={{server}}/frame></iframe>'
    "<link rel=stylesheet href={server}/a.css><style>@import '{server}/b.css'</style>"
    "<form action={server}><base href={server}>'\"--><b>| a | b |\n|---|---|\n"
    "![x]({server}/m.png) [y](javascript:alert(1)) `` ` ``` {{ 7 * 7 }} {% raw %} $\\frac{$ =1+1 "
    f"[bold]rich[/bold] שלום 👩\u200d🚀 {UNSEEN}"
)
NAME = f'<img src=x onerror="{SCRIPT}">|`$\\frac{{$[red]\x1b[31m\u202e'
"""For what is a folder too: without slashes and NUL."""


def hostile(root: Path, server: str = "http://127.0.0.1:9") -> Findings:
    """What a ladder from somebody else may be."""
    text, task = TEXT.replace("{server}", server), f"task {NAME}"
    ids = [f"{i}{text}" for i in range(4)]
    pair = {"eval_text": text, "text": text, "similarity": 0.5, "containment": 0.5,
            "eval_where": text, "where": text}  # fmt: skip
    isolation = {
        "method": text, "thresholds": {"near_duplicate": 0.6, "contained": 0.9},
        "compared": {"train": 16}, "closest": {text: pair}, "leaks": [], "decision": "sealed",
    }  # fmt: skip
    shared = {
        "task": task, "model": text, "command": text, "isolation": isolation, "lowered": [text],
        "dtype": text, "licences": {"task": text, "model": text}, "versions": {text: text},
        "machine": {"platform": text, "processor": text, "cores": 2, "device": "cpu"},
        "settings": text,
    }  # fmt: skip
    contrasts = {"against": ["prompt"], "best_untuned": False, "pairs": [], "margin": None}
    folders = [
        complete_run(root, "prompt", dict.fromkeys(ids, "blue"), contrasts=contrasts, **shared),
        complete_run(root, NAME, dict.fromkeys(ids, f"red{text}"), contrasts=contrasts,
                     variant=text, training=TRAINING, **shared),
    ]  # fmt: skip
    for folder in folders:
        numbers = folder.read("metrics.json")
        numbers["slices"] = {f"{text}={text}": numbers["slices"]["odd=True"]}
        folder.write("metrics.json", json.dumps(numbers))
    scores = folders[1].table("scores.jsonl").assign(accuracy=1.0).to_dict("records")
    folders[1].write("scores.jsonl", "".join(json.dumps(one) + "\n" for one in scores))
    examples = [Example(i, text, text, i, (), {text: text}, text) for i in ids]
    folders[0].keep_eval(folders[0].manifest()["fingerprints"]["eval"], examples)
    return findings(read_ladder(folders))


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Findings:
    return hostile(tmp_path_factory.mktemp("hostile"))


class Parsed(HTMLParser):
    """The elements of a page, and the attributes that they have."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: set[str] = set()
        self.attributes: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        self.attributes |= {name for name, _ in attrs}


def test_the_page_has_no_element_of_theirs(found: Findings) -> None:
    text = page(found)
    parsed = Parsed(text)
    theirs = {"script", "img", "iframe", "link", "form", "base"}
    assert theirs & parsed.elements == {"script"}
    assert not [name for name in parsed.attributes if name.startswith("on")]
    assert text.count("<script>") == 1 and text.count("<style>") == 1
    assert visible(text, lines=True) == text, "what would not be seen is shown"
    assert "{{ 7 * 7 }}" in text and "שלום 👩\u200d🚀" in text


def test_ladder_md_has_no_markdown_of_theirs(found: Findings) -> None:
    text = GAP.join(markdown(found))
    assert Parsed(text).elements == set()
    active = re.sub(r"\\.|`[^`]+`", "", text)
    assert not re.search(r"[\[`]|://", active), "escaped, or in code"
    assert visible(text, lines=True) == text
    for table in re.findall(r"(?:^\|.*\|\n?)+", text, re.MULTILINE):
        columns = {len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}
        assert len(columns) == 1, "a pipe of theirs begins no cell"


@pytest.mark.parametrize("full", [False, True])
def test_a_terminal_is_told_nothing_by_them(found: Findings, full: bool) -> None:
    console = Console(file=io.StringIO(), width=120, force_terminal=True, color_system=None)
    show(found, console, full=full)
    said = console.file.getvalue()  # type: ignore[attr-defined]
    assert visible(said, lines=True) == said
    assert "[red]" in said, "rich's own markup is text too"


CSP = re.compile(r'<meta http-equiv="Content-Security-Policy" content="([^"]+)">')


def test_the_page_has_a_policy_that_knows_its_own_script_and_style_alone(found: Findings) -> None:
    import base64
    import hashlib

    text = page(found)
    (policy,) = CSP.findall(text)
    policy = policy.replace("&#39;", "'")
    assert policy.startswith("default-src 'none'; ")
    for kind, element in {"script-src": "script", "style-src-elem": "style"}.items():
        (content,) = re.findall(f"<{element}>(.*?)</{element}>", text, re.S)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{kind} 'sha256-{digest}'" in policy
    assert "<style " not in text, "drawings have no style element"


class Requests(list[str]):
    """Paths that somebody asked a server for."""

    url: str


@pytest.fixture
def server() -> Iterator[Requests]:
    seen = Requests()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(self.path)
            self.send_error(404)

        def log_message(self, *args: object) -> None:
            pass

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    seen.url = SERVER.format(port=listening.server_port)
    threading.Thread(target=listening.serve_forever, daemon=True).start()
    yield seen
    listening.shutdown()


def opened(path: Path) -> tuple[str, str]:
    """What a browser makes of a page, and what it says on its console."""
    done = subprocess.run(
        [str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom",
         "--virtual-time-budget=5000", "--enable-logging=stderr", path.as_uri()],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    return done.stdout, "\n".join(line for line in done.stderr.splitlines() if "CONSOLE" in line)


@pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium on PATH")
@pytest.mark.parametrize("width", [390, 1200])
def test_in_a_browser_nothing_runs_nothing_is_fetched_and_the_page_fits(
    tmp_path: Path, server: Requests, width: int
) -> None:
    path = write_reports(hostile(tmp_path, server.url))
    dom, console = opened(path)
    assert server == []
    assert "data-ran" not in dom and "<title>ran</title>" not in dom
    assert console == "", "the page keeps its own policy"
    said = told(path, width)
    wide, screen = map(int, said["scroll"].split(" of "))
    assert wide <= screen <= width
    assert said["shown"] == "4", "its own script runs"


@pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium on PATH")
def test_in_a_browser_the_policy_holds_where_escaping_would_fail(
    tmp_path: Path, server: Requests
) -> None:
    path = write_reports(hostile(tmp_path))
    attack = (
        f"<script>{SCRIPT}</script><img src='{server.url}/a.png' onerror=\"{SCRIPT}\">"
        f"<iframe src='{server.url}/f'></iframe><link rel=stylesheet href='{server.url}/a.css'>"
        f"<script src='{server.url}/a.js'></script>"
    )
    path.write_text(path.read_text().replace("<h1>", f"{attack}<h1>", 1))
    dom, console = opened(path)
    assert server == []
    assert "data-ran" not in dom
    assert "Content Security Policy" in console
