"""Text that others wrote, where it leaves."""

from __future__ import annotations

import ast
import json

import pytest

from harness.inert import code, json_text, markdown, say, tell, visible
from tests.conftest import ROOT


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x1b]0;title\x07", r"\x1b[31mred\x1b]0;title\x07"),
        ("\x9b31m", r"\x9b31m"),
        ("a\x00b\x7f", r"a\x00b\x7f"),
        ("overwritten\rby this", r"overwritten\rby this"),
        ("\u202egnp.exe\u2066", r"\u202egnp.exe\u2066"),
        ("ze\u200bro\ufeff", r"ze\u200bro\ufeff"),
        ("la\u200dtin", r"la\u200dtin"),
        ("soft\xadhyphen", r"soft\xadhyphen"),
        ("two\u2028lines", r"two\u2028lines"),
        ("half \ud800", r"half \ud800"),
        ("\u3164", r"\u3164"),
        ("tag\U000e0041", r"tag\U000e0041"),
        ("a\ufe0f\ufe0f\ufe0f", "a\ufe0f" + r"\ufe0f\ufe0f"),
    ],
)
def test_what_a_reader_would_not_see_is_shown(text: str, shown: str) -> None:
    assert visible(text) == shown
    assert visible(shown) == shown


@pytest.mark.parametrize(
    "text",
    [
        "Größe, naïve, e\u0301", "日本語 葛\U000e0100", "שלום עולם 12", "مرحبا می\u200cخواهم",
        "क\u094d\u200dष", "a\u00a0b", "👩\u200d🚀 👨🏽\u200d🚀 🏳️\u200d🌈 🙂\u200d↔️", "1️⃣ ❤️",
        "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
    ],
)  # fmt: skip
def test_letters_of_all_scripts_and_emoji_stay_as_they_are(text: str) -> None:
    assert visible(text) == text


def test_line_breaks_stay_where_lines_are_wanted() -> None:
    assert visible("a\n\tb\x1b", lines=True) == "a\n\tb\\x1b"
    assert visible("a\n\tb") == r"a\n\tb"


@pytest.mark.parametrize(
    ("text", "inert"),
    [
        ("![x](http://a.b/c.png)", r"!\[x](http\://a.b/c.png)"),
        ("[x](javascript:alert(1))", r"\[x](javascript:alert(1))"),
        ("<img src=x onerror=alert(1)>", "&lt;img src=x onerror=alert(1)>"),
        ("</td><!-- x --><script>", "&lt;/td>&lt;!-- x -->&lt;script>"),
        ("&#x202e; &lt;b>", "&amp;#x202e; &amp;lt;b>"),
        ("www.evil.com, me@evil.com", r"www\.evil.com, me&#64;evil.com"),
        ("a | b", r"a \| b"),
        ("`a | b`", r"`a \| b`"),
        ("```js", r"\`\`\`js"),
        ("\\`a`", r"\\`a`"),
        ("`<b>`", r"\`&lt;b>\`"),
        ("# heading", r"\# heading"),
        ("> quote", r"\> quote"),
        ("- item", r"\- item"),
        ("1. item", r"1\. item"),
        ("* item", r"\* item"),
        ("---", r"\---"),
        ("*loud* _loud_ __init__", r"\*loud* \_loud_ \_\_init__"),
        (r"\[x](y)", r"\\\[x](y)"),
        ("$x$", "&#36;x&#36;"),
        ("first\n\nsecond", r"first\n\nsecond"),
    ],
)
def test_markdown_of_others_is_text(text: str, inert: str) -> None:
    assert markdown(text) == inert


@pytest.mark.parametrize(
    "text",
    [
        "lora* is better than rag_lora*: 7.0 (4.3–9.9) points of fields", "-6.6 (-10.2 to -2.9)",
        "p <0.001, n=300", "run `seed=0,1,2` before you rely on it", "–", "-", "Größe 语",
    ],
)  # fmt: skip
def test_markdown_of_ours_stays_as_it_is(text: str) -> None:
    assert markdown(text) == text


def test_a_code_span_ends_where_it_should() -> None:
    assert code("a b") == "`a b`"
    assert code("a ` <b> `` c") == "``` a ` <b> `` c ```"


def test_json_says_the_same_without_what_a_terminal_would_obey() -> None:
    value = {"a\x9b": "\x7f\u202e\U000e0041 half \ud800 👩\u200d🚀\n"}
    text = json.dumps(value, ensure_ascii=False, indent=1)
    assert json.loads(json_text(text)) == value
    assert visible(json_text(text), lines=True) == json_text(text)


def test_lines_are_printed_without_secrets_and_without_escape_codes(
    capsys: pytest.CaptureFixture[str],
) -> None:
    say("https://ann:pass@host \x1b[31m")
    tell("token=abc\n")
    assert capsys.readouterr() == ("token=***\\n\n", "https://***@host \\x1b[31m\n")


PRINTERS = {"inert.py", "command.py"}
JSON = {"harness/audit/__main__.py", "harness/report/__main__.py"}
"""Where JSON is printed, by way of `json_text`."""


def test_everything_is_printed_by_way_of_say_and_tell() -> None:
    for path in (ROOT / "harness").rglob("*.py"):
        calls = [n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Call)]
        printed = [n for n in calls if isinstance(n.func, ast.Name) and n.func.id == "print"]
        if path.name in PRINTERS:
            continue
        if str(path.relative_to(ROOT)) in JSON:
            assert all(ast.unparse(n.args[0]).startswith("json_text(") for n in printed)
        else:
            assert not printed, f"{path}: take harness.inert.say or tell"
