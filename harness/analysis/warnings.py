"""What must be said loudly about runs, whatever their scores."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness.analysis.runs import RunResult

__all__ = ["FEW_GROUPS", "warnings"]

SHAPING = ("harness", "torch", "transformers", "peft", "sentence-transformers", "bitsandbytes")
"""Packages on which answers may depend."""
FEW_GROUPS = 10
"""Effective groups of questions: with fewer, intervals are wide and depend on single scenarios."""


def warnings(runs: Sequence[RunResult]) -> list[str]:
    """What must be said loudly about these runs, each sentence once."""
    said = dict.fromkeys(_not_isolated([run.manifest["isolation"] for run in runs]))
    for run in runs:
        m = run.manifest
        if run.effective_groups < FEW_GROUPS:
            said[_few_groups(run)] = None
        if m["limit"] is not None:
            said[f"limit={m['limit']}: only a sample of {m['n']} eval examples was asked"] = None
        for line in m["lowered"]:
            said[f"{run.label}: {line}"] = None
        if m["external"] is not None:
            if missing := m["external"]["missing"]:
                file = m["external"]["file"]
                said[
                    f"{run.label}: {missing} of {m['n']} questions have no answer in {file} and "
                    "count as wrong"
                ] = None
        elif count := sum(p.error is not None for p in run.predictions):
            failed = _many(count, "prediction failed and counts", "predictions failed and count")
            said[f"{run.label}: {failed} as wrong"] = None
    said |= dict.fromkeys(_unlike([run.manifest for run in runs if not run.manifest["external"]]))
    return list(said)


def _unlike(manifests: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Of packages of which runs had different versions."""
    for package in SHAPING:
        versions = {m["versions"][package] for m in manifests if package in m["versions"]}
        if len(versions) > 1:
            told = " and ".join(sorted(versions))
            yield (
                f"runs were made with different versions of {package} ({told}): what differs "
                "between them may come from that; force=true makes them again"
            )


def _not_isolated(certificates: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Sentences about leaks into eval and what may be some: most in any run, as rungs that learn
    from less have fewer."""
    leaks: dict[str, int] = {}
    for certificate in certificates:
        decision = certificate["decision"]
        leaks[decision] = max(leaks.get(decision, 0), len(certificate["leaks"]))
    if "allowed" in leaks:
        leaky = _many(leaks["allowed"], "leak into eval was", "leaks into eval were")
        yield f"NOT ISOLATED: {leaky} allowed; scores are inflated"
    if "dropped" in leaks:
        leaky = _many(leaks["dropped"], "leak into eval was", "leaks into eval were")
        yield f"{leaky} found and taken out of what rungs learn from"
    if suspects := max((len(c["suspects"]) for c in certificates), default=0):
        yield _many(
            suspects,
            "text that rungs learn from looks like eval's and was left in",
            "texts that rungs learn from look like eval's and were left in",
        )


def _many(count: int, one: str, more: str) -> str:
    return f"{count} {one if count == 1 else more}"


def _few_groups(run: RunResult) -> str:
    groups = len(set(run.groups.values()))
    unequal = run.effective_groups < groups - 0.05
    worth = f", worth {run.effective_groups:.1f} of one size" if unequal else ""
    return f"only {groups} groups of questions{worth}: below ten, intervals are rough"
