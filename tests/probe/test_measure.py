"""A run is probed once, whenever it was finished, and its answers stay what they were."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import pytest

from harness.errors import ConfigError, ProbeUnavailableError
from harness.ladder.rung import Predictor, Rung
from harness.models.weights import digest
from harness.probe.probe import FittedRun, Probe
from harness.record.measurements import measured
from harness.record.results import RunFolder
from harness.run import Shared, run
from harness.task import Task
from harness.values import settings
from tests.probe.conftest import MakeJob
from tests.test_run import LORA, PROMPT, trainings

SEEN: list[FittedRun] = []
"""What the probes of a test were given."""


@pytest.fixture(autouse=True)
def _unseen() -> Iterator[None]:
    SEEN.clear()
    yield


@settings("probes.count")
class Counting(Probe):
    """How many answers there are."""

    name: ClassVar[str] = "count"
    gate: ClassVar[tuple[str, ...]] = ("most",)

    enabled: bool | None
    times: int
    most: float

    def applies(self, rung: Rung, task: Task) -> bool:
        return rung.name != "rag"

    def cheap(self, rung: Rung, task: Task) -> bool:
        return rung.name == "prompt"

    def check(self, task: Task) -> None:
        if self.times == 13:
            raise ProbeUnavailableError("thirteen cannot be had; take another number")
        if self.times < 0:
            raise ConfigError(f"probes.count.times={self.times}: must be from 0 up")

    def measure(self, run: FittedRun) -> dict[str, Any]:
        SEEN.append(run)
        if self.times == 99:
            raise KeyboardInterrupt
        return {"answers": self.times * len(run.predictions)}


def probe(enabled: bool | None = True, times: int = 1, most: float = 10.0) -> Counting:
    return Counting(enabled, times, most)


def answering(patch: pytest.MonkeyPatch) -> list[str]:
    """Ids of the questions that are answered from now on."""
    asked: list[str] = []
    answer = Predictor.__call__

    def told(predictor: Predictor, questions: Any) -> Any:
        asked.extend(q.id for q in questions)
        return answer(predictor, questions)

    patch.setattr(Predictor, "__call__", told)
    return asked


def found(folder: RunFolder) -> Any:
    one = measured(folder, "count")
    assert one is not None
    return one.found["answers"]


@pytest.mark.parametrize(
    ("enabled", "rung", "expected"),
    [
        (None, "prompt", True), (None, "lora", False), (True, "lora", True),
        (True, "rag", False), (False, "prompt", False),
    ],
)  # fmt: skip
def test_a_probe_is_wanted_where_it_applies_and_is_asked_for_or_cheap(
    task: Task, enabled: bool | None, rung: str, expected: bool
) -> None:
    assert probe(enabled).wanted(Rung(rung, "full"), task) is expected


def test_a_new_run_is_probed_when_it_is_finished(job: MakeJob, task: Task) -> None:
    folder = run(job(probes=(probe(),)))
    assert folder.complete
    assert found(folder) == len(task.eval)
    (given,) = SEEN
    assert given.folder.path == folder.path
    assert set(given.answered) == {q.id for q in task.questions}


def test_a_probe_is_added_to_a_finished_run_without_training_or_answering_again(
    job: MakeJob, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run(job(LORA))
    before = {p.name: p.read_bytes() for p in whole.path.iterdir() if p.is_file()}
    finished = (whole.path / "complete.json").stat().st_mtime_ns
    trained, asked = trainings(monkeypatch), answering(monkeypatch)
    folder = run(job(LORA, probes=(probe(),)))
    assert (trained, asked) == ([], [])
    assert folder.path == whole.path, "a probe determines no result"
    assert found(folder) == len(task.eval)
    after = {p.name: p.read_bytes() for p in folder.path.iterdir() if p.is_file()}
    assert after.keys() - before.keys() == {"probe-count.json"}
    assert {n for n in before if before[n] != after[n]} == {"complete.json"}
    assert (folder.path / "complete.json").stat().st_mtime_ns == finished
    for name, sha256 in folder.read("complete.json")["sha256"].items():
        assert digest(folder.path / name) == sha256
    assert "probe-count.json" in folder.read("complete.json")["sha256"]


def test_what_was_measured_is_not_measured_again_unless_it_is_set_otherwise(job: MakeJob) -> None:
    for _ in range(2):
        run(job(probes=(probe(),)))
    assert len(SEEN) == 1
    assert found(run(job(probes=(probe(times=2),)))) == 16
    assert len(SEEN) == 2
    run(job(probes=(probe(times=2),), force=True), Shared())
    assert len(SEEN) == 3


def test_a_threshold_that_is_changed_later_is_kept_beside_the_one_declared_before(
    job: MakeJob, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = run(job(probes=(probe(most=10.0),)))
    one = measured(folder, "count")
    assert one and (one.limit, one.declared_late) == ({"most": 10.0}, False)
    run(job(probes=(probe(most=20.0),)))
    later = measured(folder, "count")
    assert len(SEEN) == 1, "nothing is measured again"
    assert later and (later.limit, later.declared_late) == ({"most": 20.0}, True)
    assert [declared["limits"] for declared in later.limits] == [{"most": 10.0}, {"most": 20.0}]
    assert "other thresholds are declared" in capsys.readouterr().err
    assert digest(folder.path / "probe-count.json") in str(folder.read("complete.json"))


def test_a_run_whose_probe_was_interrupted_is_complete_and_only_lacks_that(
    job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(job(probes=(probe(times=99),)))
    folder = run(job())
    assert folder.complete and measured(folder, "count") is None
    asked = answering(monkeypatch)
    assert found(run(job(probes=(probe(),)))) == 8
    assert asked == []


def test_a_probe_that_cannot_be_had_is_left_out_with_a_line(
    job: MakeJob, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = run(job(probes=(probe(times=13),)))
    assert folder.complete and measured(folder, "count") is None
    line = "warning: probe count is left out: thirteen cannot be had; take another number"
    assert capsys.readouterr().err.splitlines().count(line) == 1


def test_a_mistake_in_a_probe_is_said_before_anything_is_answered(job: MakeJob) -> None:
    with pytest.raises(ConfigError, match=r"probes\.count\.times=-1: must be from 0 up"):
        run(job(probes=(probe(times=-1),)))
    assert not list(job().root.rglob("predictions.jsonl"))


def test_controls_are_not_probed(job: MakeJob) -> None:
    made = job(PROMPT, controls=None, probes=(probe(),))
    for control in made.control_jobs(run(made)):
        assert measured(run(control), "count") is None


def test_answers_of_other_settings_have_another_file() -> None:
    assert probe().answers("case") != probe(times=2).answers("case")
    assert probe().answers("case") == probe(enabled=None, most=3.0).answers("case")
