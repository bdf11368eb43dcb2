"""Words of a command line, with slips and worse: refused in one line, or meant."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from tests.generated import edge as edges
from tests.generated.conftest import Edge, make_user
from tests.generated.edge import generated, snapshot

NAMES = (
    "seed", "limit", "train_share", "force", "decoding", "trials", "controls", "dev_questions",
    "batch_size", "results", "trusted", "isolation", "isolation.near_duplicate",
    "isolation.contained", "isolation.leaks", "contrasts", "contrasts.against",
    "contrasts.best_untuned", "contrasts.pairs", "contrasts.margin", "prices",
    "prices.input_per_million", "prices.machine_hour", "prices.currency", "prices.requests",
    "probes", "probes.forgetting", "probes.forgetting.enabled", "probes.forgetting.count",
    "probes.forgetting.passages", "probes.consistency.enabled", "probes.consistency.perturbations",
    "probes.calibration.questions", "model", "model.name", "model.dtype", "model.device",
    "model.batch_size", "model.weights", "model.weights.path", "embedder", "embedder.name",
    "embedder.weights", "training", "training.epochs", "training.learning_rate", "training.dtype",
    "training.schedule", "rung", "rung.name", "rung.place", "rung.role", "rung.instructions",
    "rung.shots", "rung.retrieval", "rung.tuning", "rung.transform", "rung.candidates",
    "rung.search", "task", "task.name", "task.folder", "task.answer", "task.answer.schema",
    "task.primary", "task.max_new_tokens", "task.question", "task.sizes", "task.sizes.train",
    "task.splits", "task.splits.eval", "task.metrics", "task.licence", "tracking",
    "hydra.sweeper.params", "hydra.job.name",
)  # fmt: skip

VALUES = (
    "abc", "-1", "0", "1.5", "nan", "inf", "-inf", "1e400", "10000000000000000000000", "true", "no",
    "maybe", "null", "''", "' '", "[]", "{}", "[1,2]", "{a:1}", "[[a]]", "[a,[b]]", "${seed}",
    "${nothing}", "${oc.env:NOT_THERE}", "${task}", "???", "../../x", "/", "prompt", "[prompt]",
    "1,2", "a=b", "range(1,3)", "glob(*)", "'${'", "ünï", "", "[${seed}]", "{_target_:builtins.eval}",
    "x" * 300,
)  # fmt: skip

GROUPS = (
    "rung=lor",
    "model=smolm2",
    "+experiment=loook",
    "+task=min",
    "tracking=mlflo",
    "embedder=x",
)


@st.composite
def misspelt(draw: st.DrawFn) -> str:
    """A name with a letter too few, too many or in another place."""
    name = draw(st.sampled_from(NAMES))
    at = draw(st.integers(0, len(name) - 1))
    how = draw(st.sampled_from(["drop", "double", "swap", "dot", "add"]))
    match how:
        case "drop":
            return name[:at] + name[at + 1 :]
        case "double":
            return name[:at] + name[at] + name[at:]
        case "swap":
            return name[:at] + name[at : at + 2][::-1] + name[at + 2 :]
        case "dot":
            return f"{name}.more"
    return f"{name}_x"


@st.composite
def word(draw: st.DrawFn) -> str:
    """One override: mostly a name that there is with another value."""
    kind = draw(st.integers(0, 19))
    mark = draw(st.sampled_from([""] * 7 + ["++", "++", "+", "~"]))
    value = draw(st.sampled_from(VALUES))
    if kind < 13:
        return f"{mark}{draw(st.sampled_from(NAMES))}={value}"
    if kind < 17:
        return f"{mark}{draw(misspelt())}={value}"
    if kind < 18:
        return draw(st.sampled_from(GROUPS))
    return draw(st.text(alphabet="abs=+~.,[]{}$:'\"\\ \x00é", min_size=1, max_size=12))


words = st.one_of(*[st.tuples(word())] * 4, st.tuples(word(), word()))


@generated(40)
@given(typed=words)
def test_every_word_is_meant_or_refused_in_one_line(edge: Edge, typed: tuple[str, ...]) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(scratch) / "home"
        make_user(home)
        before = snapshot(home)
        outcome = edge.run(home, *typed)
        edges.judge(outcome, typed)
        after = snapshot(home)
        assert {k: v for k, v in after.items() if k in before} == before
        assert [p.name for p in Path(scratch).iterdir()] == ["home"]
