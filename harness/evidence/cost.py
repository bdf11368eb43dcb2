"""What a rung costs: machine, operations, money, and from which volume on tuning pays."""

from __future__ import annotations

import math
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil

from harness.errors import ConfigError
from harness.evidence.statistics import Interval, bootstrapped

if TYPE_CHECKING:
    from harness.task import Prediction

__all__ = [
    "BreakEven",
    "Monitor",
    "Prices",
    "Spending",
    "answering_flops",
    "break_even",
    "training_flops",
]

PERIOD = 1.0
"""Seconds between two looks at the machine."""


def answering_flops(parameters: float, tokens: float) -> float:
    """Floating-point operations of a forward pass: 2 per parameter and token.

    The rule of Kaplan et al. 2020 (arXiv:2001.08361) as Liu et al. 2022 ("Few-Shot
    Parameter-Efficient Fine-Tuning is Better and Cheaper than In-Context Learning",
    arXiv:2205.05638) compare rungs by it: all parameters count, attention over the context does
    not.
    """
    return 2.0 * parameters * tokens


def training_flops(parameters: float, tokens: float) -> float:
    """Floating-point operations of training: 6 per parameter and token, 4 of them backwards.

    Liu et al. 2022, as for `answering_flops`. Frozen weights need no gradient of their own, so that
    an adapter takes as little as two thirds of this; evaluations on dev are not counted.
    """
    return 6.0 * parameters * tokens


@dataclass(frozen=True)
class Prices:
    """What things cost; null is no price.

    Answering is paid by tokens as sent if tokens have prices, otherwise by machine time. Training
    and indexing are paid by machine time, labelled examples by the piece.

    >>> Prices(None, None, machine_hour=1.2, labelled_example=0.05, currency="EUR").machine(1800)
    0.6
    """

    input_per_million: float | None
    """For a million prompt tokens."""
    output_per_million: float | None
    """For a million tokens of answers."""
    machine_hour: float | None
    labelled_example: float | None
    currency: str
    cached_input_per_million: float | None = None
    """For a million prompt tokens that were computed before, as a prefix that prompts share; None:
    they cost what others do."""
    wrong_answer: float | None = None
    """What a wrong answer costs."""
    requests: float | None = None
    """Answers that are expected altogether."""
    updates: float | None = None
    """Times that facts change in their course; each rung is brought up to date as often."""

    def __post_init__(self) -> None:
        for name, price in asdict(self).items():
            if name != "currency" and price is not None and not _is_price(price):
                raise ConfigError(f"prices.{name}={price}: must be a number from 0 up, or null")
        if (self.input_per_million is None) != (self.output_per_million is None):
            missing = "input" if self.input_per_million is None else "output"
            raise ConfigError(
                f"prices.{missing}_per_million=null: give both prices of tokens or neither; "
                "what is free costs 0"
            )
        if self.cached_input_per_million is not None and self.input_per_million is None:
            raise ConfigError(
                f"prices.cached_input_per_million={self.cached_input_per_million}: needs "
                "prices.input_per_million beside it"
            )
        if not isinstance(self.currency, str) or not self.currency.strip():
            raise ConfigError(f"prices.currency={self.currency}: must be a name, for instance USD")

    @property
    def given(self) -> bool:
        """Whether anything has a price."""
        own = ("currency", "requests", "updates")
        return any(v is not None for k, v in asdict(self).items() if k not in own)

    @property
    def by_token(self) -> bool:
        """Whether answering is paid by tokens."""
        return self.input_per_million is not None

    def answer(self, prediction: Prediction) -> float | None:
        """Of one answer; None if it has no price."""
        if self.input_per_million is None or self.output_per_million is None:
            return self.machine(prediction.seconds)
        prompt = prediction.prompt_tokens * self.input_per_million
        if self.cached_input_per_million is not None:
            shared = prediction.prompt_tokens - prediction.computed_tokens
            prompt -= shared * (self.input_per_million - self.cached_input_per_million)
        return (prompt + prediction.completion_tokens * self.output_per_million) / 1e6

    def machine(self, seconds: float) -> float | None:
        """Of machine time; None if it has no price. No time costs nothing."""
        if seconds and self.machine_hour is None:
            return None
        return seconds * (self.machine_hour or 0.0) / 3600

    def labels(self, count: float) -> float | None:
        """Of labelled examples; None if they have no price."""
        return None if self.labelled_example is None else count * self.labelled_example


def _is_price(value: object) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and math.isfinite(value) and value >= 0  # type: ignore[arg-type, operator]


@dataclass(frozen=True)
class Spending:
    """What a rung costs: once, and with every request."""

    fixed: float
    requests: Sequence[float]
    """Of each question of the eval set, in an order that all rungs share."""

    @property
    def per_request(self) -> float:
        return float(np.mean(self.requests))

    def total(self, volume: float) -> float:
        """Of so many requests, the fixed cost included."""
        return self.fixed + volume * self.per_request


@dataclass(frozen=True)
class BreakEven:
    """From how many requests on a tuned rung is cheaper than an untuned one."""

    extra: float
    """How much more the tuned rung costs once; negative if it costs less."""
    saving: Interval
    """How much less each request costs, on average; the interval is over questions."""
    requests: float
    """At so many both have cost the same; 0: cheaper at once; inf: at no volume.

    If `shrinking`, the tuned rung is cheaper only up to here; inf: at every volume.
    """
    low: float | None
    """95% interval of `requests`; None where none can be given. Either bound may be inf."""
    high: float | None

    @property
    def shrinking(self) -> bool:
        """Whether the tuned rung starts cheaper, and a volume can only take that away."""
        return self.extra < 0

    def __str__(self) -> str:
        """In requests: `1,200 (900–never)`, `at once`, `never`, `only up to 300 (200–any)`."""
        if not self.shrinking:
            return self._said("at once", "never")
        if self.requests < math.inf:
            return f"only up to {self._said('0', 'any')}"
        return (
            "at once"
            if self.low in (None, math.inf)
            else f"at once, up to {self._said('0', 'any')}"
        )

    def _said(self, zero: str, infinity: str) -> str:
        """The number of requests with its bounds, as far as they differ from it."""

        def word(volume: float) -> str:
            return infinity if volume == math.inf else f"{math.ceil(volume):,}" if volume else zero

        value = word(self.requests)
        if self.low is None or self.high is None or self.low == self.high:
            return value
        return f"{value} ({word(self.low)}–{word(self.high)})"


def break_even(tuned: Spending, untuned: Spending, seed: int = 0) -> BreakEven:
    """After how many requests tuning has paid for itself.

        requests = (fixed of tuned - fixed of untuned) / (request of untuned - request of tuned)

    The interval is that of the mean saving (BCa bootstrap over questions, paired; Efron 1987) put
    through the same formula, which keeps percentiles since it is monotone. Fixed costs are taken as
    they are. Raises ValueError unless both have a cost for every question.
    """
    theirs, ours = (np.asarray(s.requests, dtype=float) for s in (untuned, tuned))
    if theirs.shape != ours.shape or not len(ours):
        raise ValueError(f"{len(ours)} and {len(theirs)} requests: not the same questions")
    extra = tuned.fixed - untuned.fixed
    saved = theirs - ours
    sampled = bootstrapped(saved, np.arange(len(saved)), seed)
    saving = Interval(float(saved.mean()), *sampled, len(saved), "bootstrap")
    bounds = [None if s is None else _volume(extra, s) for s in (saving.low, saving.high)]
    low, high = bounds if extra < 0 else bounds[::-1]
    return BreakEven(extra, saving, _volume(extra, saving.value), low, high)


def _volume(extra: float, saving: float) -> float:
    """Where two lines cross that start `extra` apart and close in by `saving` a request."""
    if extra < 0:
        return extra / saving if saving < 0 else math.inf
    return extra / saving if saving > 0 else math.inf


class Monitor:
    """Watches this process and the machine while a block runs.

    The operating system's own high-water mark covers the whole process, and the rungs of a sweep
    share one; hence the looks. `samples` has the time, the processor's and the memory's use.
    """

    def __init__(self) -> None:
        self.samples: list[dict[str, float]] = []
        self._process = psutil.Process()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    @property
    def peak_memory_mb(self) -> float:
        """The most that this process held: resident, plus a GPU's."""
        return max(
            s["process_memory_megabytes"] + s.get("gpu_memory_megabytes", 0.0) for s in self.samples
        )

    def __enter__(self) -> Monitor:
        torch = _torch()
        if torch and torch.cuda.is_initialized():
            torch.cuda.reset_peak_memory_stats()  # an earlier block's peak is not this one's
        psutil.cpu_percent()  # the first call only sets the clock
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while True:
            self.samples.append(self._look())
            if self._over.wait(PERIOD):
                self.samples.append(self._look())
                return

    def _look(self) -> dict[str, float]:
        torch = _torch()
        sample = {
            "time": time.time(),
            "cpu_utilization_percentage": psutil.cpu_percent(),
            "system_memory_usage_percentage": psutil.virtual_memory().percent,
            "process_memory_megabytes": self._process.memory_info().rss / 1e6,
        }
        if torch and torch.cuda.is_available():
            sample["gpu_memory_megabytes"] = torch.cuda.max_memory_allocated() / 1e6
        return sample


def _torch() -> Any:
    """torch if it is loaded, whole: who does not need it does not wait for it here."""
    module = sys.modules.get("torch")
    loading = getattr(getattr(module, "__spec__", None), "_initializing", False)
    return None if loading else module
