"""A chat template applied, within limits: it is a program that comes with the weights.

It runs in Jinja's sandbox, which keeps it from files and from Python, but not from looping. A
template can behave well when it is tried and loop on a certain input, so that every rendering has
the limits and not a trial alone.
"""

from __future__ import annotations

from typing import Any

from harness.errors import WeightsError, first_line
from harness.limits import LimitError, limited
from harness.models.engine import Conversation

__all__ = ["applied", "check_template"]

SECONDS = 2.0
"""Of the processor, for one conversation."""
MEGABYTES = 1024
"""That rendering may take."""
TIMES = 10
"""How many times as long as its messages a prompt may be, beside ALWAYS."""
ALWAYS = 100_000
"""Characters."""


def applied(tokenizer: Any, name: str, messages: Conversation, *, open_turn: bool) -> str:
    """The prompt of a conversation. Raises WeightsError for a template that breaks its limits, and
    jinja2's TemplateError for one that refuses the conversation."""
    try:
        with limited(SECONDS, MEGABYTES):
            text: str = tokenizer.apply_chat_template(
                messages, tokenize=False, add_generation_prompt=open_turn
            )
    except LimitError as error:
        raise _refused(name, f"takes over {SECONDS:g} s for one conversation") from error
    except MemoryError as error:
        raise _refused(name, f"takes over {MEGABYTES} MB for one conversation") from error
    most = ALWAYS + TIMES * sum(len(message["content"]) for message in messages)
    if len(text) > most:
        raise _refused(
            name, f"makes {len(text):,} characters of one conversation (at most {most:,})"
        )
    return text


def check_template(tokenizer: Any, name: str) -> None:
    """Raise WeightsError for a template that is missing, or that cannot write a question."""
    if tokenizer.chat_template is None:
        raise WeightsError(f"{name}: has no chat template; choose an instruct model")
    try:
        applied(tokenizer, name, [{"role": "user", "content": "?"}], open_turn=True)
    except WeightsError:
        raise
    except Exception as error:  # whatever a template raises, nothing can be asked with it
        raise _refused(name, f"cannot write a question ({first_line(error)})") from error


def _refused(name: str, what: str) -> WeightsError:
    return WeightsError(
        f"{name}: its chat template {what}; choose another model, or fix chat_template.jinja"
    )
