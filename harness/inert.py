"""Text that others wrote, inert where it leaves: in a terminal, in Markdown, in printed JSON.

Tasks, models and results of other people bring text that may be anything: escape codes, marks that
turn the reading direction, Markdown, HTML. It is kept as it is, and changed where it is shown:

- `say` and `tell` print a line, on standard error and on standard output
- `visible` is for whatever draws itself, such as a table of rich
- `markdown` and `code` are for Markdown, `json_text` for JSON in a terminal
- the template of the page escapes HTML itself, and shows with `visible` what HTML leaves
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import regex

from harness.secrets import redact

__all__ = ["clean", "code", "json_text", "markdown", "say", "tell", "visible"]

NEEDED = (
    # Emoji of several; letters of Persian and of India; how one sign is drawn; three flags.
    r"(?<=[\p{Extended_Pictographic}\p{Emoji_Modifier}\uFE0F])\u200D(?=\p{Extended_Pictographic})"
    r"|(?<=[\p{Lo}\p{M}])[\u200C\u200D](?=\p{Lo})"
    r"|(?<=[^\p{Default_Ignorable_Code_Point}\s])[\uFE00-\uFE0F\u180B-\u180D\U000E0100-\U000E01EF]"
    r"|\U0001F3F4[\U000E0061-\U000E007A]{3,6}\U000E007F"
)
"""What is not seen, and without which text is drawn otherwise."""
UNSEEN = r"[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\uFFF9-\uFFFB]"
"""What a reader does not see: control characters, marks that turn the reading direction, letters
of no width, halves of letters."""
HIDDEN = regex.compile(f"(?P<needed>{NEEDED})|(?P<line>[\n\t])|{UNSEEN}")

CODE_SPAN = regex.compile(r"`(?:(?!\]\()[^`<])+`")
"""Without what would be a link or HTML if a reader of Markdown saw no code there."""
ACTIVE = regex.compile(
    r"\\(?=[!-/:-@\[-`{-~]|$)"  # an escape that was there already
    r"|`|\[|\||~(?=~)"
    r"|\*(?=\w)|(?<!\w)\*(?=\S)"  # a star that can open emphasis; `lora*` cannot
    r"|(?<![^\W_])_(?=\S)"
    r"|\b(?:https?|ftp|mailto|xmpp)\K:|\bwww\K\."  # links without brackets
    r"|^\s*\K(?:[#>=~]|[*+-](?=[\s-]))"
    r"|^\s*\d{1,9}\K[.)](?=\s|$)",
    regex.IGNORECASE,
)
ENTITIES = {"<": "&lt;", "&": "&amp;", "$": "&#36;", "@": "&#64;"}
"""What a backslash does not disarm in every reader of Markdown."""
AS_ENTITY = regex.compile(r"<(?=[A-Za-z/!?])|&(?=#?\w+;)|\$|@")


def visible(text: str, *, lines: bool = False) -> str:
    r"""The text in one line, with what a reader would not see as Python writes it.

    Letters of all scripts and emoji stay as they are. With `lines` so do line breaks and tabs.

    >>> visible("\x1b[31mred\n"), visible("Größe 语 👩‍🚀")
    ('\\x1b[31mred\\n', 'Größe 语 👩‍🚀')
    """
    return _shown(text, lambda c: c.encode("unicode_escape").decode(), lines)


def markdown(text: str) -> str:
    r"""The text for one line of Markdown, or one cell of a table; code between backticks stays.

    No link, image, HTML, heading, list or table comes of it.

    >>> markdown("![x](https://a.b) <b> in `rag_lora`|")
    '!\\[x](https\\://a.b) &lt;b> in `rag_lora`\\|'
    """
    line = visible(text)
    made, last = "", 0
    for span in CODE_SPAN.finditer(line):
        # A pipe would end the cell of a table inside of code too.
        made += _disarmed(line[last : span.start()]) + span[0].replace("|", r"\|")
        last = span.end()
    return made + _disarmed(line[last:])


def code(text: str) -> str:
    """The text as a code span of Markdown, whatever backticks are in it."""
    line = visible(text)
    fence = "`" * (1 + max(map(len, regex.findall("`+", line)), default=0))
    return f"{fence}{line}{fence}" if len(fence) == 1 else f"{fence} {line} {fence}"


def json_text(text: str) -> str:
    r"""The same JSON with what a reader would not see as `\u` escapes."""
    return _shown(text, _json_escape, lines=True)


def clean(text: str, *, lines: bool = False) -> str:
    """The text without secrets, and visible: for whatever is said to a person."""
    return visible(redact(text), lines=lines)


def say(line: str) -> None:
    """Print one line on standard error: progress, warnings, mistakes."""
    print(clean(line), file=sys.stderr)


def tell(line: str) -> None:
    """Print one line on standard output: what was asked for."""
    print(clean(line))


def _shown(text: str, escape: Callable[[str], str], lines: bool) -> str:
    def shown(found: regex.Match[str]) -> str:
        keep = found["needed"] is not None or (lines and found["line"] is not None)
        return found[0] if keep else escape(found[0])

    return str(HIDDEN.sub(shown, text))


def _json_escape(c: str) -> str:
    units = c.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i : i + 2].hex()}" for i in range(0, len(units), 2))


def _disarmed(text: str) -> str:
    escaped = ACTIVE.sub(lambda found: f"\\{found[0]}", text)
    return str(AS_ENTITY.sub(lambda found: ENTITIES[found[0]], escaped))
