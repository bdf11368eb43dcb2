"""How often each value is shown: imbalance within train, and what differs between train and dev."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence

from harness.audit.columns import classes, parsed, shown
from harness.audit.finding import Finding
from harness.task import Example, Materials

__all__ = ["Shares", "drift", "imbalance", "shares"]

Shares = Mapping[str, tuple[float, float | None]]
"""By value, the share of the examples of train and of dev that have it; None without dev."""

RARE = 0.1
"""Of the share that each of K values would have if all were equal: Datalab's class_imbalance."""
DOMINANT = 0.8
"""Share of one value from which the others are hardly seen."""
LEVEL = 0.01
"""For a difference between train and dev, over all that is compared (Bonferroni)."""
MOST = 20
"""Lines of a value that are named."""


def imbalance(materials: Materials) -> list[Finding]:
    """Values that train hardly shows, or shows nearly all the time."""
    where = {example.id: example.where for example in materials.train}
    found: list[Finding] = []
    for name, column in classes(materials).items():
        counts = Counter(column.values())
        value, most = counts.most_common(1)[0]
        if most >= DOMINANT * len(column):
            share = f"{most} of {len(column)} examples"
            found.append(Finding("imbalance", (), f"{name}: {shown(value)} is {share}"))
        even = len(column) / len(counts)
        for value, count in sorted(counts.items(), key=lambda one: one[1]):
            if count < max(2, RARE * even):
                lines = tuple(where[i] for i, v in column.items() if v == value)[:MOST]
                text = f"{name}: {shown(value)} has {_times(count)}, {even:.0f} if all were equal"
                found.append(Finding("imbalance", lines, text))
    unseen = set(materials.answer.labels or ()) - {e.target for e in materials.train}
    text = "label: {} is in no example of train"
    return found + [Finding("imbalance", (), text.format(label)) for label in sorted(unseen)]


def shares(materials: Materials) -> dict[str, Shares]:
    """How often each value of train and dev is shown, and how often each optional key."""
    splits = [materials.train, materials.dev]
    parts = [(parsed(materials.answer, examples), len(examples)) for examples in splits]
    told: dict[str, Shares] = {}
    for name in classes(materials):
        told[name] = _share([(Counter(column[name].values()), n) for column, n in parts])
    for name in _optional(materials):
        told[f"key {name}"] = _share([(Counter(given=len(c[name])), n) for c, n in parts])
    return told


def _share(parts: Sequence[tuple[Counter[str], int]]) -> Shares:
    (train, n), (dev, m) = parts
    values = sorted({**train, **dev}, key=lambda value: -train[value])
    return {shown(v): (train[v] / n, dev[v] / m if m else None) for v in values}


def drift(materials: Materials) -> list[Finding]:
    """What differs between train and dev: values that train never shows, optional keys, and the
    share of each value where a test at 1% over all of them finds a difference.

    Examples of one group count once for each value, as they are not independent.
    """
    if not materials.dev:
        return []
    train = parsed(materials.answer, materials.train)
    dev = parsed(materials.answer, materials.dev)
    known = classes(materials)
    found = [finding for name in known for finding in _unseen(name, train, dev, materials)]
    compared = [
        *(
            (f"key {name}", _keys(materials, train[name], dev[name]))
            for name in _optional(materials)
        ),
        *((name, _shares(materials, train[name], dev[name])) for name in known),
    ]
    for name, counts in compared:
        p = _p(counts)
        if p < LEVEL / len(compared):
            text = f"{name}: {_largest(counts)} (p {p:.1g})"
            found.append(Finding("drift", (), text))
    return found


def _unseen(
    name: str,
    train: Mapping[str, Mapping[str, str]],
    dev: Mapping[str, Mapping[str, str]],
    materials: Materials,
) -> Iterator[Finding]:
    """Values of dev that no example of train has."""
    where = {example.id: example.where for example in materials.dev}
    lines: dict[str, list[str]] = {}
    for i, value in dev[name].items():
        if value not in set(train[name].values()):
            lines.setdefault(value, []).append(where[i])
    for value, places in lines.items():
        text = f"{name}: {shown(value)} is in {_times(len(places))} of dev and in none of train"
        yield Finding("drift", places[:MOST], text)


def _optional(materials: Materials) -> list[str]:
    """Fields of a JSON answer that it may leave out."""
    return [field.name for field in materials.answer.fields if not field.required]


Counts = Mapping[str, tuple[int, int]]
"""By value: how many groups of train and of dev have it."""


def _keys(materials: Materials, train: Collection[str], dev: Collection[str]) -> Counts:
    """Groups in which some example has the key, and in which none has."""
    told: list[Counter[str]] = []
    for examples, having in ((materials.train, train), (materials.dev, dev)):
        groups = {e.group for e in examples}
        has = {e.group for e in examples if e.id in having}
        told.append(Counter(given=len(has), missing=len(groups - has)))
    return _beside(told)


def _shares(materials: Materials, train: Mapping[str, str], dev: Mapping[str, str]) -> Counts:
    return _beside([_groups(materials.train, train), _groups(materials.dev, dev)])


def _groups(examples: Sequence[Example], column: Mapping[str, str]) -> Counter[str]:
    """In how many groups each value stands."""
    return Counter(
        value for _, value in {(e.group, column[e.id]) for e in examples if e.id in column}
    )


def _beside(told: Sequence[Counter[str]]) -> Counts:
    return {value: (told[0][value], told[1][value]) for value in sorted({**told[0], **told[1]})}


def _p(counts: Counts) -> float:
    """Of Pearson's chi-squared test of independence; values of which not one group would be
    expected on either side count as one value."""
    from scipy.stats import chi2_contingency

    total = [sum(pair[side] for pair in counts.values()) for side in (0, 1)]
    if not all(total):
        return 1.0
    share = total[1] / sum(total)
    frequent = [pair for pair in counts.values() if sum(pair) * min(share, 1 - share) >= 1]
    rest = [total[side] - sum(pair[side] for pair in frequent) for side in (0, 1)]
    table = [*frequent, rest] if any(rest) else frequent
    if len(table) < 2:
        return 1.0
    return float(chi2_contingency(table, correction=False).pvalue)


def _largest(counts: Counts) -> str:
    """The value whose share differs most, in words."""
    total = [sum(pair[side] for pair in counts.values()) for side in (0, 1)]
    value, both = max(
        ((v, [n / t for n, t in zip(pair, total, strict=True)]) for v, pair in counts.items()),
        key=lambda one: round(abs(one[1][0] - one[1][1]), 9),
    )
    return f"{shown(value)} is {100 * both[0]:.0f}% of train and {100 * both[1]:.0f}% of dev"


def _times(count: int) -> str:
    return f"{count} example{'' if count == 1 else 's'}"
