"""What each rung costs: to answer, to tune, to run, in money if there are prices; and from which
volume on tuning pays. `costing.py` finds it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.evidence.contrasts import Contrast
from harness.evidence.cost import BreakEven, Prices

__all__ = [
    "Answering",
    "Costs",
    "Indexing",
    "Money",
    "Payoff",
    "RungCosts",
    "Searching",
    "Taught",
    "Tuning",
]


@dataclass(frozen=True)
class Answering:
    """Of one question; all but the percentiles are means over questions and seeds. None is what is
    not known of answers that were made elsewhere."""

    prompt_tokens: float | None
    """As sent."""
    computed_tokens: float | None
    """Prompt tokens that were computed, after prefixes that prompts share were computed once."""
    completion_tokens: float | None
    seconds_median: float | None
    """A question's share of its batch, without retrieval."""
    seconds_p95: float | None
    """95th percentile of the same."""
    flop_sent: float | None
    """Floating-point operations of prompt and answer: 2 per parameter and token, as sent."""
    flop_computed: float | None
    """The same of the tokens that were computed."""

    @property
    def tokens(self) -> float | None:
        """Sent and answered."""
        if self.prompt_tokens is None or self.completion_tokens is None:
            return None
        return self.prompt_tokens + self.completion_tokens


@dataclass(frozen=True)
class Tuning:
    """Of one run that changed weights."""

    seconds: float
    tokens: float
    """Of all examples seen, each with its prompt."""
    trainable: float
    """Parameters."""
    parameters: float
    """Of the whole model."""
    flop: float
    """Floating-point operations: 6 per parameter and token."""
    megabytes: float
    """Of what training left on disk: the adapter, or all weights."""
    weights_megabytes: float | None
    """Memory of all weights while training; None if its runs are older than this number."""
    peak_megabytes: float | None
    """The most memory that training held, these weights among it; None likewise."""
    answering: str | None
    """Which weights answer, where that is not the full base model with what training left."""


@dataclass(frozen=True)
class Indexing:
    """Of one run that retrieves."""

    seconds: float
    """To build the index."""
    megabytes: float


@dataclass(frozen=True)
class Searching:
    """Of one run that searched for its prompt, beside its trials."""

    asked: float
    """Dev questions answered, all prompts together."""
    tokens: float
    """Prompt and answer tokens, those of reflections included."""
    seconds: float


@dataclass(frozen=True)
class Taught:
    """What a teacher answered to train, once for all seeds of a rung that learned from it; the mean
    over seeds, and totals over its answers."""

    teacher: str
    """A rung, or a file of recorded answers."""
    targets: str
    """`teacher`, or `gold`: the targets of train, of the examples whose answers were kept."""
    min_score: float | None
    """What an answer had to score; None if nothing was asked."""
    asked: float
    """Train inputs."""
    answered: float
    unparsed: float
    """Answers that cannot be read, were cut off or are too long."""
    below: float
    """Answers that score less than `min_score`."""
    leaked: float
    """Recorded answers that hold something of eval."""
    kept: float
    prompt_tokens: float | None
    """None, as the other counts, if a file of answers does not tell."""
    completion_tokens: float | None
    seconds: float | None
    """Of answering, and of its index and its training."""
    cost: float | None
    """What a file of answers says that they cost, in the currency."""


@dataclass(frozen=True)
class Money:
    """In the currency of the prices; None without a price."""

    request: float | None
    """Of one answer, on average."""
    machine: float | None
    """Of training, indexing, searching for a prompt and a teacher's answers, once. Answers are paid
    as those to eval are: by token prices a teacher's own training costs nothing."""
    labels: float | None
    """Of labelled examples, once; None too if runs are older than their count."""


@dataclass(frozen=True)
class RungCosts:
    """What one rung costs; seeds are averaged."""

    rung: str
    """Its key."""
    answering: Answering
    tuning: Tuning | None
    indexing: Indexing | None
    taught: Taught | None
    """None without a teacher."""
    labelled: float | None
    """Labelled examples that it needed; None if its runs are older than this count, or if it was
    answered elsewhere."""
    peak_memory_megabytes: float | None
    """Of the process, plus a GPU's; None if it was answered elsewhere."""
    seconds: float | None
    """Of a whole run; None if it was answered elsewhere."""
    money: Money | None
    """None if no prices were given, and none were told with the answers."""
    searching: Searching | None = None


@dataclass(frozen=True)
class Payoff:
    """A tuned rung against an untuned one of its model: what it costs more once, and saves."""

    tuned: str
    untuned: str
    contrast: Contrast | None
    """The declared contrast of the two, or one of its own; None without values per question."""
    break_even: BreakEven | None
    """None if something of it has no price."""


@dataclass(frozen=True)
class Costs:
    """Of all rungs of a ladder."""

    rungs: Sequence[RungCosts]
    payoffs: Sequence[Payoff]
    """Each tuned rung against each untuned one of its model; none without prices."""
    prices: Prices | None
    same_machine: bool
    """Whether all runs had the same processor, cores and device; else seconds do not compare."""
    averaged: bool
    """Whether some rung has several seeds."""
