"""Special tokens in what people write are text: a ticket that says `<|im_end|>` ends no turn.

A chat template writes special tokens around messages as plain strings, so that afterwards nobody
could tell them from the same strings inside a message. Those inside are hidden while the template
is applied, and tokenized as the letters that they are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from harness.models.engine import Conversation, Message

__all__ = ["Verbatim"]

MARK = "\ue000"
"""Stands around the number of a hidden string; of Unicode's private use, and hidden itself."""
HIDDEN = re.compile(f"{MARK}(\\d+){MARK}")


class Verbatim:
    """Which strings a tokenizer takes for special tokens, and how to write them as text."""

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer
        special = {
            token.content for token in tokenizer.added_tokens_decoder.values() if token.special
        }
        # The longest first, as a tokenizer takes it; the mark itself must not be mistaken either.
        self.strings = [MARK, *sorted(special, key=lambda s: (-len(s), s))]
        self._known = re.compile("|".join(map(re.escape, self.strings)))

    def hide(self, messages: Conversation) -> list[Message]:
        """The messages without special tokens in what they say."""
        return [_with_content(message, self._hidden(message["content"])) for message in messages]

    def ids(self, text: str) -> list[int]:
        """Token ids of a rendered template; what was hidden is text."""
        pieces = HIDDEN.split(text)
        ids: list[int] = []
        for place, piece in enumerate(pieces):
            if place % 2:
                ids += self._plain(self.strings[int(piece)])
            elif piece:
                # The template has written BOS already where the model wants one.
                ids += self.tokenizer(piece, add_special_tokens=False).input_ids
        return ids

    def _hidden(self, content: str) -> str:
        return self._known.sub(lambda m: f"{MARK}{self.strings.index(m[0])}{MARK}", content)

    def _plain(self, text: str) -> list[int]:
        """Token ids of a special token's letters."""
        ids: list[int] = self.tokenizer(
            text, add_special_tokens=False, split_special_tokens=True
        ).input_ids
        return ids


def _with_content(message: Message, content: str) -> Message:
    changed: Mapping[str, str] = {**message, "content": content}
    return changed
