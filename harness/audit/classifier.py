"""Doubtful labels: what classifiers that never saw an example think of its target.

Linear classifiers on sentence embeddings, the same as the control of that name, give each example
out-of-fold probabilities; cleanlab's Datalab finds the labels that contradict them (confident
learning, Northcutt et al. 2021, arXiv:1911.00068). Of JSON answers each field whose values repeat
is judged for itself. Whole groups are left out together, so that no example is judged by another
of its scenario.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.audit.columns import classes, shown
from harness.audit.copied import strangers
from harness.ladder.baselines import linear_model
from harness.ladder.transform import Suspects
from harness.models.embedder import Embedder, Vectors
from harness.task import Materials

__all__ = ["label_suspects", "out_of_fold"]

FOLDS = 5
AGREED = 0.5
"""Share of the fields that could be judged in which an example must be flagged."""
STRANGE = 5.0
"""Nats for a value that should stand in the input and does not: odds of 150 to 1."""
FEW = 10
"""Examples of a value that cleanlab wants to leave: it flags none of a value that has no more."""
LEAST = 1e-6
"""A label score is at least this."""

Probabilities = npt.NDArray[np.float64]


@dataclass(frozen=True)
class _Judged:
    """What Datalab says of one column, by id."""

    doubt: Mapping[str, float]
    """Surprisal in nats: minus the logarithm of cleanlab's label score, from 0 up."""
    flagged: frozenset[str]
    likely: Mapping[str, str]
    """The value that the classifier holds most probable."""


def label_suspects(materials: Materials, embedder: Embedder) -> Suspects | None:
    """Doubt about each example of train in nats, from 0 up: of a JSON answer the mean over its
    fields, and more for a value that others copy from the input and that is not in this one.

    None if no column of the targets can be classified, or there are too few groups.
    """
    train = materials.train
    columns = classes(materials)
    if not columns or len({example.group for example in train}) < FOLDS:
        return None
    vectors = embedder.encode([example.input for example in train])
    judged: dict[str, _Judged] = {}
    for name, column in columns.items():
        rows = [i for i, example in enumerate(train) if example.id in column]
        ids = [train[i].id for i in rows]
        groups = [train[i].group for i in rows]
        judged[name] = _judged(ids, [column[i] for i in ids], vectors[rows], groups)
    strange = strangers(materials, train)
    counts = {name: Counter(column.values()) for name, column in columns.items()}
    doubt: dict[str, float] = {}
    wrong, rare, why = 0, 0, {}
    for i in (example.id for example in train):
        seen = {name: one for name, one in judged.items() if i in one.doubt}
        foreign = {name: column[i] for name, column in strange.items() if i in column}
        if seen:
            doubt[i] = fmean(one.doubt[i] for one in seen.values()) + STRANGE * len(foreign)
            why[i] = "; ".join([*_strange(foreign), *_unlikely(i, seen, columns)])
            against = sum(i in one.flagged for one in seen.values())
            wrong += bool(foreign) or against >= AGREED * len(seen)
            rare += all(counts[name][columns[name][i]] <= FEW for name in seen)
    # How many, cleanlab knows; which, the ranking knows better.
    return Suspects(doubt, sorted(doubt, key=lambda i: -doubt[i])[:wrong], why, rare)


def out_of_fold(
    vectors: Vectors, values: Sequence[str], groups: Sequence[str]
) -> tuple[Probabilities, list[str]]:
    """Probabilities [examples, values] by models that did not see the example's group, and the
    values in the order of the columns. Rows of values that such a model did not know are NaN."""
    from sklearn.model_selection import StratifiedGroupKFold

    known, codes = np.unique(np.asarray(values), return_inverse=True)
    probabilities = np.zeros((len(values), len(known)))
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=0)
    with warnings.catch_warnings():
        # A value of fewer examples than folds is nothing to be told: its rows are NaN.
        warnings.filterwarnings("ignore", "The least populated class")
        splits = list(folds.split(vectors, codes, groups))
    for fitted, asked in splits:
        there = np.unique(codes[fitted])
        if len(there) < 2:
            probabilities[asked] = np.nan
            continue
        model = linear_model().fit(vectors[fitted], codes[fitted])
        probabilities[np.ix_(asked, model.classes_)] = model.predict_proba(vectors[asked])
        probabilities[asked[~np.isin(codes[asked], there)]] = np.nan
    return probabilities, known.tolist()


def _strange(foreign: Mapping[str, str]) -> list[str]:
    return [f"{name} {shown(value)} is not in the input" for name, value in foreign.items()]


def _unlikely(
    i: str, judged: Mapping[str, _Judged], columns: Mapping[str, Mapping[str, str]]
) -> list[str]:
    """Where the classifiers hold another value more probable than the target's."""
    return [
        f"{name} {shown(columns[name][i])}, not {shown(one.likely[i])}?"
        for name, one in judged.items()
        if one.likely[i] != columns[name][i]
    ]


def _judged(
    ids: Sequence[str], values: Sequence[str], vectors: Vectors, groups: Sequence[str]
) -> _Judged:
    """One column, as far as it can be judged."""
    if len(set(groups)) < FOLDS:
        return _Judged({}, frozenset(), {})
    probabilities, known = out_of_fold(vectors, values, groups)
    rows = np.flatnonzero(~np.isnan(probabilities[:, 0]))
    given = np.array([known.index(values[i]) for i in rows.tolist()])
    there, codes = np.unique(given, return_inverse=True)
    if len(there) < 2:
        return _Judged({}, frozenset(), {})
    kept = probabilities[np.ix_(rows, there)]
    found = _issues(codes, kept / kept.sum(1, keepdims=True))
    named = [ids[i] for i in rows.tolist()]
    wrong = {i for i, flag in zip(named, found["is_label_issue"], strict=True) if flag}
    surprisal = -np.log(np.maximum(found["label_score"].to_numpy(), LEAST))
    doubt = dict(zip(named, surprisal.tolist(), strict=True))
    likely = dict(zip(named, [known[i] for i in there[kept.argmax(1)]], strict=True))
    return _Judged(doubt, frozenset(wrong), likely)


def _issues(codes: npt.NDArray[np.intp], probabilities: Probabilities) -> Any:
    """Datalab's table: `is_label_issue` and `label_score` of each example."""
    from cleanlab import Datalab

    lab = Datalab({"label": codes.tolist()}, label_name="label", verbosity=0)
    alone = {"find_label_issues_kwargs": {"n_jobs": 1}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # cleanlab's own use of pandas, nothing of the data's
        lab.find_issues(
            pred_probs=probabilities, issue_types={"label": {"clean_learning_kwargs": alone}}
        )
    return lab.get_issues("label")
