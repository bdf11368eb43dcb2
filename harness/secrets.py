"""Passwords, tokens and keys, taken out of whatever is recorded or said.

A secret is known by the name it stands under (`model.api_key=…`, `?token=…`), by its place in a URI
(`https://user:password@host`), by its shape (`hf_…`), or because the environment has it under such
a name (`MLFLOW_TRACKING_PASSWORD`). What is used stays as it is: only records and messages change.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, TypeVar
from urllib.parse import quote, unquote

__all__ = ["MARK", "is_secret", "redact", "redacted", "redacted_word"]

T = TypeVar("T")

MARK = "***"
SHORTEST = 8
"""Letters of a value in the environment that is looked for everywhere: shorter ones are words."""
FOLDERS = ("PWD", "OLDPWD")
"""In the environment: names of folders, and not of passwords."""

WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
ENDINGS = ("password", "passwd", "passphrase", "secret", "apikey", "accesskey", "authtoken")
LAST = ("pwd", "pw", "credential", "credentials", "authorization", "token")
KEYS = ("api", "access", "secret", "private", "auth", "account", "subscription", "encryption")
"""Words in front of `key`."""
NO_TOKEN = frozenset(
    {
        "eos", "bos", "pad", "unk", "sep", "cls", "mask", "stop", "start", "end", "begin", "image",
        "audio", "video", "special", "new", "next", "last", "first", "per", "a", "an", "the",
        "each", "every", "one", "of", "virtual", "prompt", "completion", "answer", "max", "min",
    }
)  # fmt: skip
"""Words in front of `token` where it is one of a tokenizer."""

URI_USER = re.compile(
    r"([a-z][a-z0-9+.-]{0,30}://)"
    r"(?:[^\s/'\"<>@:]{0,300}:[^\s'\"<>@]{0,300}@|[^\s/'\"<>@]{0,300}@)(?:[^\s/'\"<>@]{0,300}@)*",
    re.IGNORECASE,
)
QUERY = re.compile(
    r"([?&;](?:key|sig|signature|sas|auth|jwt|odbc_connect|x-amz-[a-z-]+)=)[^&#\s'\"]+",
    re.IGNORECASE,
)
VALUE = r"(?:(?:bearer|basic|token)\s+)?(?:'[^'\n]*'|\"(?:\\.|[^\"\\\n])*\"|[^\s,;&#'\"()\[\]{}]+)"
NAMED = r"[\w-]{0,60}?(?:pass(?:word|wd|phrase)|secret|token|key|pwd|pw|credentials?|authorization)"
ASSIGNED = re.compile(rf"(?<![\w-])({NAMED}['\"]?\s?=(?!=)\s?)({VALUE})", re.IGNORECASE)
"""`name=value` of overrides, queries and keyword arguments."""
MAPPED = re.compile(
    r"((?:^[ \t]*|[{,][ \t]*)['\"]?(?:[\w-]{1,60}\.){0,9}"
    rf"{NAMED}['\"]?\s?:\s{{0,3}})({VALUE})",
    re.IGNORECASE | re.MULTILINE,
)
"""`name: value` of YAML, JSON and inline mappings; not in the middle of a sentence."""
NAME = re.compile(r"[\w-]+")
SHAPES = re.compile(
    r"(?<![\w-])(?:hf_[A-Za-z0-9]{16,}|gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,}"
    r"|glpat-[\w-]{16,}|sk-(?=[\w-]*\d)[\w-]{16,}|xox[abeoprs]-[\w-]{10,}|AKIA[0-9A-Z]{16}"
    r"|AIza[\w-]{35}|dapi[0-9a-f]{32}|eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*)"
)
"""How tokens of Hugging Face, GitHub, GitLab, OpenAI, Slack, AWS, Google and Databricks look, and
JSON Web Tokens."""
BEARER = re.compile(r"\b((?:bearer|basic)\s+)(?=[\w.~+/-]*\d)[\w.~+/-]{12,}=*", re.IGNORECASE)


def is_secret(name: str) -> bool:
    """Whether a value of this name is a secret.

    >>> [name for name in ("HF_TOKEN", "api-key", "eos_token", "max_new_tokens") if is_secret(name)]
    ['HF_TOKEN', 'api-key']
    """
    words = [word.lower() for word in WORDS.findall(name)]
    if not words:
        return False
    before, last = words[-2] if len(words) > 1 else "", words[-1]
    if last == "token":
        return before not in NO_TOKEN
    if last == "key":
        return before in KEYS
    return last in LAST or last.endswith(ENDINGS)


def redact(text: str) -> str:
    """The text with a mark in the place of each secret.

    >>> redact("tracking.uri=https://ann:pass@host/?token=abc +model.api_key='a b'")
    'tracking.uri=https://***@host/?token=*** +model.api_key=***'
    """
    text = URI_USER.sub(rf"\1{MARK}@", text)
    text = QUERY.sub(rf"\1{MARK}", text)
    for pattern in (ASSIGNED, MAPPED):
        text = pattern.sub(_named, text)
    text = BEARER.sub(rf"\1{MARK}", SHAPES.sub(MARK, text))
    known = _pattern(tuple(sorted(set(_in_environment()), key=lambda s: (-len(s), s))))
    return known.sub(MARK, text) if known else text


def redacted(value: T) -> T:
    """Plain data (dicts, lists, text, numbers) with a mark in the place of each secret."""
    made: Any = _plain(value)
    return made  # type: ignore[no-any-return]


def redacted_word(word: str) -> str:
    """One override of a command line: all that stands behind a secret's name is the secret."""
    key, equals, _ = word.partition("=")
    return f"{key}={MARK}" if equals and is_secret(key) else redact(word)


def _plain(value: Any) -> Any:
    match value:
        case str():
            return redact(value)
        case Mapping():
            return {k: MARK if _kept_secret(k, v) else _plain(v) for k, v in value.items()}
        case list():
            return [_plain(each) for each in value]
        case tuple():
            return tuple(_plain(each) for each in value)
    return value


def _kept_secret(name: Any, value: Any) -> bool:
    """A number may be a password, but a token that is one is a tokenizer's."""
    if not isinstance(name, str) or not is_secret(name) or value in (None, "", "???"):
        return False
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, str) or (number and not name.lower().endswith("token"))


def _named(found: re.Match[str]) -> str:
    before, value = found.groups()
    names = NAME.findall(before)
    return f"{before}{MARK}" if names and is_secret(names[-1]) and value != "null" else found[0]


def _in_environment() -> Iterator[str]:
    """Values of secrets in the environment, as they are and as a URI or JSON writes them."""
    for name, value in os.environ.items():
        if name in FOLDERS:
            continue
        secret = is_secret(name) or name.upper().endswith("_KEY")
        userinfo = re.search(r"://[^/@\s]*:([^\s]+)@", value)
        for one in [value] * secret + ([unquote(userinfo[1])] if userinfo else []):
            if len(one) >= SHORTEST:
                yield from (one, quote(one, safe=""), json.dumps(one)[1:-1])


@lru_cache(maxsize=1)
def _pattern(values: tuple[str, ...]) -> re.Pattern[str] | None:
    return re.compile("|".join(map(re.escape, values))) if values else None
