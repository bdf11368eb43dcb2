"""Chat templates that loop, explode or fail: ended, in one line."""

from __future__ import annotations

import copy
import sys
import threading
import time
from typing import Any

import pytest

from harness.errors import WeightsError
from harness.limits import LimitError, limited
from harness.models.local import template
from harness.models.local.template import applied, check_template

ASKED = [{"role": "user", "content": "?"}]


SECONDS = 0.5
"""In place of the two that hold otherwise."""


@pytest.fixture
def tokenizer(tiny_tokenizer: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(template, "SECONDS", SECONDS)
    return copy.copy(tiny_tokenizer)


@pytest.mark.parametrize(
    "text",
    [
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
        "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(99) }}",
        "{{ 7 ** (7 ** 9) }}",
    ],
    ids=["loops", "exponential", "power"],
)
def test_a_template_that_does_not_end_is_ended(tokenizer: Any, text: str) -> None:
    tokenizer.chat_template = text
    began = time.process_time()
    with pytest.raises(
        WeightsError, match=r"forged: its chat template takes over 0\.5 s.*fix chat"
    ):
        check_template(tokenizer, "forged")
    assert time.process_time() - began < SECONDS + 2


@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited on Linux alone")
@pytest.mark.parametrize(
    "text",
    [
        "{{ 'a' * 10 ** 11 }}",
        "{% set n = namespace(s='a') %}{% for i in range(60) %}{% set n.s = n.s + n.s %}{% endfor %}",
    ],
    ids=["at once", "doubling"],
)
def test_a_template_that_wants_all_memory_gets_none(tokenizer: Any, text: str) -> None:
    tokenizer.chat_template = text
    with pytest.raises(WeightsError, match=r"takes over (1024 MB|0\.5 s)"):
        check_template(tokenizer, "forged")


def test_a_template_that_behaves_until_it_is_asked_something_is_ended_then(tokenizer: Any) -> None:
    tokenizer.chat_template = (
        "{% if 'now' in messages[0].content %}{% for a in range(99999) %}"
        "{% for b in range(99999) %}{% endfor %}{% endfor %}{% endif %}"
    )
    check_template(tokenizer, "forged")
    with pytest.raises(WeightsError, match=r"takes over 0\.5 s"):
        applied(tokenizer, "forged", [{"role": "user", "content": "now"}], open_turn=True)


def test_a_prompt_that_is_far_longer_than_what_was_said_is_refused(tokenizer: Any) -> None:
    tokenizer.chat_template = "{% for a in range(9999) %}{{ 'a' * 99 }}{% endfor %}"
    with pytest.raises(WeightsError, match=r"makes 989,901 characters .* .at most 100,010"):
        check_template(tokenizer, "forged")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{% for", "cannot write a question"),
        ("{{ 1 / 0 }}", "division by zero"),
        ("{{ ''.__class__.__mro__ }}", "unsafe"),
        ("{{ messages.pop() }}", "unsafe"),
        ("{% include '/etc/passwd' %}", "cannot write a question"),
        ("{{" + "(" * 5000 + "1" + ")" * 5000 + "}}", "cannot write a question"),
        (7, "cannot write a question"),
    ],
    ids=["syntax", "fault", "classes", "messages", "files", "deep", "number"],
)
def test_a_template_that_fails_is_one_line(tokenizer: Any, text: Any, said: str) -> None:
    tokenizer.chat_template = text
    with pytest.raises(WeightsError, match=said):
        check_template(tokenizer, "forged")


def test_a_limit_leaves_nothing_behind() -> None:
    with pytest.raises(LimitError), limited(0.05, 100):
        while True:
            pass
    with limited(0.05, 100):
        pass
    began = time.process_time()
    while time.process_time() - began < 0.2:  # nothing strikes any more
        pass
    assert len(bytearray(300 * 2**20)) == 300 * 2**20


def test_outside_of_the_main_thread_there_is_no_limit() -> None:
    done: list[bool] = []

    def work() -> None:
        with limited(0.01):
            time.sleep(0.05)
        done.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == [True]
