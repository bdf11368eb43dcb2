"""Is a rung's score worth reading? Badges for what commonly goes wrong without an error.

A rung that was cut off, or tuned on nothing, scores low for a reason that has nothing to do with
the method. A failed badge therefore blocks every verdict against that rung.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from harness.evidence.contrasts import Contrast
from harness.evidence.statistics import CONFIDENCE, Interval

__all__ = ["Badge", "above", "badges", "blocked", "called", "effort", "retried", "worst"]

MOST_TRUNCATED = 0.1
"""Of the answers: beyond it the token budget decides the score, and not the rung."""
MOST_MISSING = 0.1
"""Of the questions, in answers that were made elsewhere: beyond it the file decides the score."""
LEAST_STOPPED = 0.9
"""Of the answers: a rung that does not end its answers has not learned the format, or was told of
another stop token than the parser knows."""
LEAST_READABLE = 0.5
"""Of the answers: below it most questions score zero before their content is looked at."""
LEAST_EXAMPLES = 100
"""Different (prompt, completion) pairs: a few dozen are rarely enough to tune on, and copies of
one example teach nothing new."""
LEAST_TAUGHT = 0.5
"""Of the inputs of train: a student that learns fewer learns mostly what its teacher finds easy."""
MOST_REPEATED = 0.9
"""Of the retries: beyond it the model hardly ever reacts to what it is told."""
MOST_FAILED_CALLS = 0.5
"""Of the calls of tools: beyond it the model learns of errors and of little else."""
STILL_FALLING = 0.02
"""Of dev loss, from the evaluation before the last to the last: more than that and training was
stopped on the slope. Less is within what one evaluation differs from the next."""


@dataclass(frozen=True)
class Badge:
    """One check of one rung."""

    name: str
    passed: bool
    text: str
    """What was seen, as it follows the rung's name: "cut off 83% of its answers"."""
    blocks: bool = True
    """Whether failing it makes the score doubtful; else it is a price, and no verdict waits."""


def badges(
    manifest: Mapping[str, Any],
    metrics: Mapping[str, Interval],
    points: Sequence[Mapping[str, float]],
    templates: Collection[str],
) -> list[Badge]:
    """The badges of one run, most telling first; those whose numbers were recorded.

    `points` are those of its training curve, empty for an untuned rung. `templates` are the hashes
    of the chat templates of all rungs of its model on this ladder, its own among them.
    """
    if manifest.get("external") is not None:  # how it was made is not known
        return [_answered(metrics["failed"].value), _readable(metrics["readable"].value)]
    made = [
        _truncation(metrics["truncated"].value),
        _stops(metrics["stopped"].value),
        _readable(metrics["readable"].value),
    ]
    if manifest["training"] is not None:
        made += _tuned(manifest["training"])
        solved = manifest["training"].get("head") or {}
        made.append(
            _convergence(solved)
            if "converged" in solved
            else _best_step([point for point in points if "dev_loss" in point])
        )
    if search := manifest.get("search"):
        made.append(_search(search))
    if manifest["template"] is not None:
        made.append(_template(templates))
    if manifest.get("teacher") is not None:
        made.append(_teacher(manifest["teacher"]))
    if manifest["training"] is not None and (manifest["dev_free"] or {}).get("p") is not None:
        made.append(_constraint(manifest["dev_free"]))
    return made


def effort(trials: int, most: int) -> Badge:
    """Whether a rung tried as many settings on dev as the rung that tried most."""
    text = f"tried {trials} {'setting' if trials == 1 else 'settings'} on dev"
    return Badge("effort", trials == most, text + (f", others {most}" if trials != most else ""))


def retried(repeated: float) -> Badge:
    """Whether a rung that asks again gets other texts: a price of the way, for this model."""
    text = f"wrote the refused answer again in {_percent(repeated)} of its retries"
    return Badge("retries", repeated <= MOST_REPEATED, text, blocks=False)


def called(calling: float, failed: float | None) -> Badge:
    """Whether a rung with tools called them, and was told more than errors: one that does not is
    the rung without tools, with a longer prompt."""
    if failed is None:
        return Badge("tool calls", False, "never called a tool")
    text = (
        f"called tools in {_percent(calling)} of its questions; {_percent(failed)} of calls failed"
    )
    return Badge("tool calls", failed <= MOST_FAILED_CALLS, text)


def above(controls: Mapping[str, Contrast]) -> Badge:
    """Whether a tuned rung is detectably above its controls: name → rung against control."""
    text = "is not detectably above "
    below = [name for name, c in controls.items() if c.p >= 1 - CONFIDENCE or c.delta.value <= 0]
    if below:
        return Badge("above controls", False, text + " and ".join(below))
    return Badge("above controls", True, f"is detectably above {' and '.join(controls)}")


def worst(seeds: Sequence[Sequence[Badge]]) -> list[Badge]:
    """One list for several seeds of a rung: a badge is passed if each seed passed it."""
    merged = []
    for name in dict.fromkeys(badge.name for found in seeds for badge in found):
        each = [badge for found in seeds for badge in found if badge.name == name]
        failed = [badge for badge in each if not badge.passed]
        if failed and len(seeds) > 1:
            text = f"{failed[0].text} ({len(failed)} of {len(seeds)} seeds)"
            merged.append(replace(failed[0], text=text))
        else:
            merged.append(failed[0] if failed else each[0])
    return merged


def blocked(contrast: Contrast, found: Mapping[str, Iterable[Badge]]) -> dict[str, str]:
    """Why a verdict is not to be acted on: what is wrong with each rung that it goes against and
    that failed a badge, by rung; empty if it may be.

    A difference goes against the lower rung; finding none goes against both. `found` has the
    badges of each rung.
    """
    match contrast.verdict:
        case "better":
            losers = [contrast.baseline]
        case "worse":
            losers = [contrast.rung]
        case _:
            losers = [contrast.rung, contrast.baseline]
    return {
        rung: _said(failed)
        for rung in losers
        if (failed := [b for b in found.get(rung, ()) if b.blocks and not b.passed])
    }


def _said(failed: Sequence[Badge]) -> str:
    """The first of several reasons: the rest often follow from it."""
    more = len(failed) - 1
    return failed[0].text + (f" (and {more} more)" if more else "")


def _truncation(share: float) -> Badge:
    return Badge("truncation", share <= MOST_TRUNCATED, f"cut off {_percent(share)} of its answers")


def _answered(missing: float) -> Badge:
    text = f"has no answer to {_percent(missing)} of the questions"
    return Badge("answered", missing <= MOST_MISSING, text)


def _stops(share: float) -> Badge:
    text = f"ended {_percent(share)} of its answers by itself"
    return Badge("stops", share >= LEAST_STOPPED, text)


def _readable(share: float) -> Badge:
    text = f"wrote {_percent(share)} of its answers so that they can be read"
    return Badge("readable", share >= LEAST_READABLE, text)


def _tuned(training: Mapping[str, Any]) -> list[Badge]:
    """Of a rung that changed weights, as its training recorded it."""
    made = []
    if (effect := training.get("effect")) is not None:
        moved = f"moved the logits by up to {effect:.3g}"
        text = moved if effect > 0 else "left all logits unmoved"
        made.append(Badge("adapter effect", effect > 0, text))
    if zero := training.get("zero_step"):
        text = (
            f"wrote the base model's text for {zero['identical']} of {zero['questions']} "
            "questions before training"
        )
        made.append(Badge("zero-step", zero["identical"] == zero["questions"], text))
    if ranks := training.get("ranks"):
        made.append(_ranks(ranks))
    if (distinct := training.get("distinct")) is not None:
        text = f"was tuned on {distinct} different examples"
        made.append(Badge("training examples", distinct >= LEAST_EXAMPLES, text))
    return made


def _ranks(ranks: Mapping[str, int]) -> Badge:
    """Of an adapter that allocates its ranks: whether it has kept to its budget, and chosen."""
    text = f"kept {ranks['final']} of {ranks['initial']} ranks, {{}} for a layer"
    if ranks["least"] == ranks["most"]:
        text = text.format(f"the same {ranks['most']}")
    else:
        text = text.format(f"{ranks['least']} to {ranks['most']}")
    over = ranks["final"] > ranks["target"]
    text += f": {ranks['target']} are its budget" if over else ""
    return Badge("rank allocation", not over and ranks["least"] < ranks["most"], text)


def _best_step(evaluations: Sequence[Mapping[str, float]]) -> Badge:
    """Whether dev was best somewhere between the first and the last evaluation."""
    losses = [one["dev_loss"] for one in evaluations]
    if len(evaluations) < 2:
        times = "once" if evaluations else "never"
        text = f"was evaluated on dev {times}: whether it trained long enough is unknown"
        return Badge("best step", True, text)
    best = losses.index(min(losses))
    at = f"(evaluation {best + 1} of {len(losses)}, step {evaluations[best]['step']:.0f})"
    # A first look late in training (AdaLoRA's is at half of it) has much training before it.
    early = evaluations[0]["step"] < evaluations[-1]["step"] // 2
    if best == 0 and early:
        return Badge("best step", False, f"was best on dev at first {at}, then got worse")
    last, before = losses[-1], losses[-2]
    if best == len(losses) - 1 and last < (1 - STILL_FALLING) * before:
        fall = _percent(1 - last / before)
        text = f"was still learning at the end: dev loss fell by {fall} at the last evaluation"
        return Badge("best step", False, text)
    return Badge("best step", True, f"was best on dev {at}, where it had levelled off")


def _convergence(solved: Mapping[str, Any]) -> Badge:
    """Whether the solver that fitted a head reached the optimum."""
    text = f"{solved['iterations']} iterations of the solver"
    ends = "converged in" if solved["converged"] else "had not converged after"
    return Badge("convergence", solved["converged"], f"{ends} {text}")


def _constraint(free: Mapping[str, Any]) -> Badge:
    """Whether a tuned rung loses nothing by the grammar that it answers under, on dev."""
    points = _percent(abs(free["difference"]["value"]))
    loses = free["p"] < 1 - CONFIDENCE and free["difference"]["value"] < 0
    text = f"scored {points} lower on dev under the constraint than without it"
    return Badge("constraint", not loses, text if loses else "loses nothing by the constraint")


def _search(search: Mapping[str, Any]) -> Badge:
    """Whether a search for a prompt had anything to choose among."""
    tried, out = len(search["tried"]), len(search["dropped"])
    text = f"chose among {tried} prompts on {search['n']} dev questions"
    if search["reflector"] and not search["proposed"]:
        return Badge("search", False, f"{text}; {search['reflector']} proposed nothing new")
    left = f" ({out} left out: they leak or do not fit)" if out else ""
    return Badge("search", tried > 1, (text if tried > 1 else "had one prompt to choose") + left)


def _teacher(told: Mapping[str, Any]) -> Badge:
    """Whether most of what a teacher was asked was worth learning; a poor teacher is a price."""
    kept, asked = told["kept"], told["asked"]
    text = f"was taught {kept} of {asked} train inputs by {told['name']}"
    return Badge("teacher", kept >= LEAST_TAUGHT * asked, text, blocks=False)


def _template(templates: Collection[str]) -> Badge:
    if len(templates) == 1:
        return Badge("template", True, "was asked with the chat template of all rungs of its model")
    text = f"was asked with one of {len(templates)} chat templates that its model's rungs used"
    return Badge("template", False, text)


def _percent(share: float) -> str:
    return f"{100 * share:.1f}".removesuffix(".0") + "%"
