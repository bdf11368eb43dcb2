"""Sentences whose every number stands in findings.json, with the place where it stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from harness.evidence.statistics import Interval

__all__ = ["Between", "Number", "Sentence", "pointer", "said"]

Form = Literal["points", "opposite", "size", "count", "money", "quote"]


@dataclass(frozen=True)
class Number:
    """A number of findings.json, or a text that is quoted from it."""

    at: str
    """Its place, as a JSON pointer (RFC 6901)."""
    value: float | str
    """As it stands there."""
    form: Form = "points"
    """How it is written. `points`: a share in percent; `opposite`: with the other sign; `size`:
    without a sign; `count`: a whole number; `money`: in three figures; `quote`: as it is."""

    @property
    def numbers(self) -> Sequence[Number]:
        return (self,)

    @property
    def text(self) -> str:
        if isinstance(self.value, str):
            return self.value
        match self.form:
            case "count":
                return f"{self.value:,.0f}"
            case "money":
                return f"{self.value:,.0f}" if abs(self.value) >= 100 else f"{self.value:.3g}"
            case "size":
                return _percent(abs(self.value))
            case "opposite":
                return _percent(-self.value)
        return _percent(self.value)


@dataclass(frozen=True)
class Between:
    """An interval of findings.json: 7.0 points (4.9 to 9.4)."""

    at: str
    interval: Interval
    turned: bool = False
    """Whether it is told with the other sign."""

    @property
    def numbers(self) -> Sequence[Number]:
        form: Form = "opposite" if self.turned else "points"
        names = ("value", "high", "low") if self.turned else ("value", "low", "high")
        known = [(name, getattr(self.interval, name)) for name in names]
        return [Number(f"{self.at}/{n}", v, form) for n, v in known if v is not None]

    @property
    def text(self) -> str:
        value, *bounds = (number.text for number in self.numbers)
        return f"{value} points ({' to '.join(bounds)})" if len(bounds) == 2 else f"{value} points"


@dataclass(frozen=True)
class Sentence:
    """A sentence, and the numbers in it."""

    text: str
    numbers: Sequence[Number]


def said(template: str, *told: str | Number | Between) -> Sentence:
    """A sentence with names and numbers in the places of `{}`."""
    numbers = [n for one in told if not isinstance(one, str) for n in one.numbers]
    texts = [one if isinstance(one, str) else one.text for one in told]
    return Sentence(template.format(*texts), numbers)


def pointer(*parts: Any) -> str:
    """A place in a JSON document: `/rungs/3/metrics/kind~1format`."""
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in parts)


def _percent(share: float) -> str:
    """In percent with one decimal; zero has no sign."""
    return f"{round(100 * share, 1) + 0.0:.1f}"
