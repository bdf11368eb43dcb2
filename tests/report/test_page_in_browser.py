"""The page in a browser: on a phone, on a desk, and its filter."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from harness.analysis.findings import findings
from harness.analysis.runs import read_ladder
from harness.report.conclude import write_reports
from harness.task import Example
from tests.record.conftest import TRAINING, complete_run

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium on PATH")

IDS = [f"eval-{i}" for i in range(30)]
LONG = "a_rung_of_a_very_long_name_that_nobody_would_type"
# A window is never narrower than 500 pixels, a frame is.
FRAME = """<!doctype html><body style="margin:0"><script>
const frame = document.createElement("iframe"), told = document.createElement("pre");
frame.style = "border:0;height:900px;width:{width}px";
frame.onload = () => {{
  const page = frame.contentDocument, view = frame.contentWindow, say = [];
  const shown = () => page.querySelectorAll(".item:not([hidden])").length;
  const set = (id, value) => {{
    page.getElementById(id).value = value;
    page.getElementById(id).dispatchEvent(new view.Event("input"));
  }};
  say.push("scroll " + page.documentElement.scrollWidth + " of " + view.innerWidth);
  say.push("shown " + shown());
  page.getElementById("more").click();
  say.push("more " + shown());
  set("words", "ticket eval-7?");
  say.push("words " + shown() + " " + page.getElementById("count").textContent);
  set("words", "");
  set("change", "worsened");
  say.push("worsened " + page.getElementById("count").textContent);
  told.textContent = say.join(";");
  document.body.append(told);
}};
frame.src = "{page}";
document.body.append(frame);
</script>"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report with long names, several seeds, a control, and thirty changed questions."""
    root = tmp_path_factory.mktemp("results")
    wrong = dict.fromkeys(IDS, "blue")
    right = {i: "red " * 40 if i == "eval-3" else "red" for i in IDS}
    folders = [
        complete_run(root, "prompt", {**wrong, "eval-3": "red", "eval-4": "x" * 300}),
        *(complete_run(root, "lora", right, seed=s, training=TRAINING) for s in (0, 1)),
        complete_run(root, LONG, wrong),
        complete_run(root, "majority", wrong, control={"kind": "majority", "of": None}),
    ]
    examples = [Example(i, f"ticket {i}?", "red", i, (), {"odd": "yes"}, "") for i in IDS]
    folders[0].keep_eval(folders[0].read("manifest.json")["fingerprints"]["eval"], examples)
    return write_reports(findings(read_ladder(folders)))


def told(page: Path, width: int) -> dict[str, str]:
    """What a browser says of the page at a width in pixels."""
    frame = page.with_name(f"frame-{width}.html")
    frame.write_text(FRAME.format(width=width, page=page.name))
    done = subprocess.run(
        [str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom",
         "--allow-file-access-from-files", "--virtual-time-budget=5000",
         f"--window-size={max(width, 500)},900", frame.as_uri()],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    (said,) = re.findall(r"<pre>(.+?)</pre>", done.stdout)
    return dict(line.split(" ", 1) for line in said.split(";"))


@pytest.mark.parametrize("width", [390, 1200])
def test_nothing_is_wider_than_the_screen_and_the_filter_hides(page: Path, width: int) -> None:
    said = told(page, width)
    wide, screen = map(int, said["scroll"].split(" of "))
    assert wide <= screen <= width
    # 29 questions got better, one got worse (a long answer is wrong), and the long rung lost one.
    assert (said["shown"], said["more"]) == ("10", "20")
    assert said["words"] == "1 1 of 31"
    assert said["worsened"] == "2 of 31"


def test_nothing_is_fetched(page: Path) -> None:
    text = page.read_text()
    used = re.findall(r"""(?:src|href|url|@import|fetch)\s*[=(]?\s*["']?(\w+:)?//""", text)
    assert used == []
