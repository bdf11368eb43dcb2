"""The README's Python, run as it stands on a small task and a tiny model."""

from __future__ import annotations

import re

from tests.conftest import ROOT
from tests.test_experiment import Settings, here

__all__ = ["here"]


def test_the_readmes_lines_of_python_run(here: Settings) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"## From Python\n+```python\n(.*?)```", text, re.DOTALL)
    assert len([line for line in code.splitlines() if line]) == 5
    small = here | {"dev_questions": 2, "training.epochs": 1}
    known: Settings = {"small": small}
    exec(code.replace('"support_json"', '"mine", **small'), known)
    assert set(known["runs"]["rung"]) == {"prompt", "lora"}
    assert {contrast.rung for contrast in known["found"].contrasts} == {"lora"}
