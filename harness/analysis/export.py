"""Findings as plain data, for `findings-<eval>.json`; docs/findings.md documents every field."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from harness import __version__
from harness.analysis.advice_export import advised
from harness.analysis.control_comparisons import ControlComparison
from harness.analysis.data_quality import Cell, DataQuality
from harness.analysis.declared_contrasts import Plan
from harness.analysis.diagnosis import Diagnosis
from harness.analysis.findings import Findings
from harness.analysis.learning_curve import Crossing, Curve, LearningCurve
from harness.analysis.probe_export import probed
from harness.analysis.rung_costs import Costs, Payoff
from harness.analysis.rungs import RungResult
from harness.analysis.runs import RunResult
from harness.evidence.contrasts import Contrast
from harness.evidence.statistics import Interval

__all__ = ["SCHEMA_VERSION", "as_json", "record"]

SCHEMA_VERSION = 1
"""Raised when a field goes away or changes its meaning; new fields do not raise it."""


def as_json(data: Any) -> str:
    """Strict JSON of what `record` gives, or of a list of it."""
    return json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False)


def record(found: Findings) -> dict[str, Any]:
    """Findings as dicts, lists, numbers and strings; NaN is None, infinity is "inf"."""
    manifest = found.manifest
    plain: dict[str, Any] = _strict(
        {
            "schema_version": SCHEMA_VERSION,
            "harness": __version__,
            "task": manifest["task"],
            "eval": found.ladder.eval_set,
            "n": manifest["n"],
            "limit": manifest["limit"],
            "groups": found.groups,
            "effective_groups": found.effective_groups,
            "primary": found.primary,
            "measures": found.measures,
            "warnings": list(found.warnings),
            "runs": [_run(run) for run in found.runs],
            "rungs": [_rung(rung, found) for rung in found.rungs],
            "controls": [_control(one, found) for one in found.controls],
            "plan": _plan(found.plan),
            "contrasts": [
                _contrast(c) | {"blocked": _blocked(found.blocked(c))} for c in found.contrasts
            ],
            "diagnosis": _diagnosis(found.diagnosis) if found.diagnosis else None,
            "checks": {
                key: [asdict(badge) for badge in badges] for key, badges in found.checks.items()
            },
            "costs": _costs(found.costs),
            "dialogues": [asdict(one) for one in found.dialogues],
            "break_even": [_payoff(payoff) for payoff in found.costs.payoffs],
            "data_quality": _data_quality(found.data_quality),
            "ablation": asdict(found.ablation) if found.ablation else None,
            "ledger": {"configurations": found.judged, "optimism": found.optimism},
            "knowledge_update": asdict(update) if (update := found.knowledge_update) else None,
            **probed(found),
            "recommendation": advised(found.recommendation) if found.recommendation else None,
            "prompt_searches": [asdict(one) for one in found.searches],
            "learning_curve": _learning_curve(found.curve) if found.curve else None,
        }
    )
    return plain


def _run(run: RunResult) -> dict[str, Any]:
    m = run.manifest
    names = ("run", "rung", "place", "model", "seed", "variant", "decoding", "n", "dev", "dev_free")
    counts = ("prompt_tokens", "computed_tokens", "completion_tokens", "seconds")
    return {
        "label": run.label,
        "key": run.key,
        **{name: m[name] for name in names},
        "control": m["control"],
        "metrics": {name: asdict(value) for name, value in run.metrics.items()},
        "slices": {
            tag: {name: asdict(value) for name, value in part.items()}
            for tag, part in run.slices.items()
        },
        "per_question": {count: run.per_question(count) for count in counts},
        "isolation": m["isolation"]["decision"],
        "command": m["command"],
    }


def _rung(rung: RungResult, found: Findings) -> dict[str, Any]:
    """One rung, or one control, over its seeds."""
    m = rung.manifest
    sliced = [found.primary, *(name for name in found.measures if name.startswith("kind/"))]
    return {
        "key": rung.key,
        "label": rung.label,
        "rung": m["rung"],
        "place": m["place"],
        "model": m["model"],
        "variant": m["variant"],
        "decoding": m["decoding"],
        "tuned": rung.tuned,
        "elsewhere": rung.elsewhere,
        "seeds": rung.seeds,
        "runs": [run.manifest["run"] for run in rung.runs],
        "n": m["n"],
        "metrics": {name: _interval(rung.metric(name)) for name in rung.metrics},
        "slices": {
            tag: {name: _interval(value) for name in sliced if (value := rung.metric(name, tag))}
            for tag in rung.slices
        },
        "dev": _interval(rung.dev),
        "trials": rung.trials,
        "chosen": m["chosen"],
    }


def _control(one: ControlComparison, found: Findings) -> dict[str, Any]:
    return {
        "kind": one.kind,
        "of": one.of,
        "judges": one.judges,
        "shows": one.shows,
        "result": _rung(one.control, found),
        "rung": one.rung.key if one.rung else None,
        "difference": _interval(one.difference),
        "contrast": _test(one.contrast) if one.contrast else None,
        "remaining": one.remaining,
    }


def _plan(plan: Plan) -> dict[str, Any]:
    return {
        "declared": asdict(plan.declared) if plan.declared else None,
        "known": plan.known,
        "elsewhere": list(plan.elsewhere),
        "pairs": [list(pair) for pair in plan.pairs],
        "choices": [
            {
                "tuned": choice.tuned,
                "best": choice.best,
                "dev": {key: _interval(value) for key, value in choice.candidates.items()},
            }
            for choice in plan.choices
        ],
    }


def _blocked(reasons: Mapping[str, str]) -> str | None:
    return "; ".join(f"{rung} {reason}" for rung, reason in reasons.items()) or None


def _contrast(c: Contrast) -> dict[str, Any]:
    """A contrast of a corrected family."""
    family = {"family": c.family, "level": c.level, "p_adjusted": c.p_adjusted}
    return _test(c) | family | {"detectable": c.detectable, "verdict": c.verdict}


def _test(c: Contrast) -> dict[str, Any]:
    """A contrast on its own."""
    return {
        "rung": c.rung,
        "baseline": c.baseline,
        "metric": c.metric,
        "difference": _interval(c.delta),
        "confidence": 1 - c.step,
        "simultaneous": False,
        "standard_error": c.error.value,
        "p": c.p,
        "test": c.test,
        "equivalent": c.equivalent,
        "groups": c.groups,
        "effective_groups": c.effective_groups,
        "seeds": list(c.seeds),
        "seed_noise_measured": c.seed_noise_measured,
        "improved": list(c.improved),
        "worsened": list(c.worsened),
    }


def _diagnosis(told: Diagnosis) -> dict[str, Any]:
    """Without its cases, which stand in a file of their own."""
    return {
        "reference": told.reference.rung.key,
        "usual_reference": told.reference.usual.key,
        "chosen_by": told.reference.chosen_by,
        "measure": told.measure,
        "threshold": told.threshold,
        "changes": [
            {
                "slot": change.slot,
                "kind": change.kind,
                "run": change.run.key,
                "base": change.base.key,
                "placebo": change.placebo.key if change.placebo else None,
                "searched": change.searched.key if change.searched else None,
                "also": change.also,
                "seeds": change.run.seeds,
            }
            for change in told.changes
        ],
        "missing": [asdict(one) for one in told.missing],
        "whole": asdict(told.whole),
        "usual": asdict(told.usual) if told.usual else None,
        "others": [asdict(split) for split in told.others],
    }


def _costs(costs: Costs) -> dict[str, Any]:
    return {
        "rungs": [asdict(rung) for rung in costs.rungs],
        "prices": asdict(costs.prices) if costs.prices else None,
        "same_machine": costs.same_machine,
    }


def _payoff(payoff: Payoff) -> dict[str, Any]:
    reached = payoff.break_even
    return {
        "tuned": payoff.tuned,
        "untuned": payoff.untuned,
        "contrast": _contrast(payoff.contrast) if payoff.contrast else None,
        "extra": reached.extra if reached else None,
        "saving": _interval(reached.saving) if reached else None,
        "requests": reached.requests if reached else None,
        "low": reached.low if reached else None,
        "high": reached.high if reached else None,
    }


def _data_quality(told: DataQuality) -> dict[str, Any]:
    return {
        "judge": told.judge,
        "doubtful": [asdict(one) for one in told.doubtful],
        "noise": [_cell(cell) for cell in told.cells],
        "precision": [asdict(one) for one in told.precisions],
        "dropping": [
            {
                "key": one.cell.result.key,
                "dev": _test(one.dev) if one.dev else None,
                "eval": _test(one.eval) if one.eval else None,
            }
            for one in told.droppings
        ],
    }


def _cell(cell: Cell) -> dict[str, Any]:
    return {
        "key": cell.result.key,
        "rung": cell.rung,
        "planted": cell.planted,
        "without": cell.without,
        "dropped": cell.dropped,
        "caught": cell.caught,
        "seeds": cell.result.seeds,
        "value": _interval(cell.result.primary),
        "dev": _interval(cell.result.dev),
    }


def _learning_curve(curve: LearningCurve) -> dict[str, Any]:
    return {
        "sizes": curve.sizes,
        "levels": list(curve.levels),
        "curves": [_curve(one) for one in curve.curves],
        "crossings": [_crossing(one) for one in curve.crossings],
    }


def _curve(one: Curve) -> dict[str, Any]:
    held_out = one.held_out
    return {
        "rung": one.key,
        "tuned": one.tuned,
        "points": [asdict(point) for point in one.points],
        "law": asdict(one.law) if one.law else None,
        "held_out": asdict(held_out) | {"miss": held_out.miss, "in_errors": held_out.in_errors}
        if held_out
        else None,
        "fitted": [{"size": size} | asdict(interval) for size, interval in one.drawn],
    }


def _crossing(one: Crossing) -> dict[str, Any]:
    parts = one.parts
    return asdict(one) | {
        "parts": asdict(parts) | {"error": parts.error, "binds": parts.binds} if parts else None
    }


def _interval(interval: Interval | None) -> dict[str, Any] | None:
    return asdict(interval) if interval else None


def _strict(value: Any) -> Any:
    """The same without what JSON does not know: NaN is None, infinity "inf" or "-inf"."""
    if isinstance(value, Mapping):
        return {str(key): _strict(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_strict(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    return value
