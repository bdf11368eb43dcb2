"""A recommendation as plain data, for `findings-<eval>.json`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from harness.analysis.decision import DRAWING_NOISE, TRAINING_NOISE, Candidate
from harness.analysis.recommendation import Recommendation
from harness.evidence.best import METHOD, Pair
from harness.evidence.statistics import CONFIDENCE

__all__ = ["advised"]


def advised(told: Recommendation) -> dict[str, Any]:
    """As docs/findings.md documents it."""
    decision, kind = told.decision, told.kind
    return {
        "outcome": told.outcome,
        "rung": told.rung,
        "until": decision.until.key if decision.until else None,
        "between": [decision.open.key, decision.rival]
        if decision.open and decision.rival
        else None,
        "more": asdict(decision.more) if decision.more else None,
        "loss": asdict(decision.loss) if decision.loss else None,
        "leaks": told.leaks,
        "sentences": [
            {
                "text": one.text,
                "numbers": [{"at": number.at, "value": number.value} for number in one.numbers],
            }
            for one in told.sentences
        ],
        "kind": {
            "name": kind.name,
            "measured": len(kind.effects),
            "effects": [asdict(effect) for effect in kind.effects],
            "repaired": asdict(kind.repaired) if kind.repaired else None,
            "missing": [asdict(one) for one in kind.missing],
        },
        "rule": {
            "margin": told.case.margin,
            "margin_declared": told.margin_declared,
            "confidence": CONFIDENCE,
            "comparisons": len(decision.ranked) - 1,
            "method": METHOD,
            "training_noise": TRAINING_NOISE,
            "drawing_noise": DRAWING_NOISE,
            "cheap_by": told.by,
            "requests": told.case.requests,
            "updates": told.updates,
            "declared": told.declared[1],
            "real": told.declared[0],
        },
        "candidates": [_candidate(c, told) for c in decision.ranked],
        "comparisons": [_pair(pair) for pair in decision.comparisons.pairs],
    }


def _candidate(c: Candidate, told: Recommendation) -> dict[str, Any]:
    return {
        "key": c.key,
        "control": c.control,
        "tuned": c.tuned,
        "value": c.mean,
        "total": c.total,
        "good_enough": c.key in told.decision.good_enough,
        "ruled_out_by": told.decision.ruled_out.get(c.key, []),
        "gates": [{"name": f.name, "means": f.what, "text": f.text} for f in c.flaws],
    }


def _pair(pair: Pair) -> dict[str, Any]:
    return {
        "rung": pair.rung,
        "baseline": pair.baseline,
        "difference": asdict(pair.difference),
        "simultaneous": True,
        "standard_error": pair.error.value,
        "by_questions": pair.by_questions,
        "by_seeds": pair.by_seeds,
        "groups": pair.groups,
    }
