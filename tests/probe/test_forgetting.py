"""What an adapter does to text and instructions that have nothing to do with the task."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from harness.errors import ConfigError, ProbeUnavailableError, TaskError, WeightsError
from harness.models.local.engine import LocalEngine
from harness.models.weights import Wheel
from harness.probe.passages import instructions, passages
from harness.record.measurements import measured
from harness.run import run
from harness.task import Task
from harness.tuning.adapter import Adapter
from harness.tuning.quantization import FourBit
from tests.conftest import lora, plan
from tests.probe.conftest import MakeJob, forgetting
from tests.test_run import LORA, PROMPT


def test_a_tuned_rung_is_measured_beside_the_untouched_base(
    job: MakeJob, apt: LocalEngine, general: Path
) -> None:
    folder = run(job(LORA, probes=(forgetting(general),)))
    one = measured(folder, "forgetting")
    assert one is not None
    texts = passages(str(general), "text", 4, [])
    reference = apt.fresh(torch.float32)
    for text, told in zip(texts, one.found["passages"], strict=True):
        ids = torch.tensor([apt.tokenizer(text).input_ids[:16]])
        with torch.no_grad():
            loss = float(reference(ids, labels=ids).loss)
        assert told["before"] == pytest.approx(loss, abs=1e-4)
        assert told["tokens"] == 15
    assert any(abs(p["after"] - p["before"]) > 1e-3 for p in one.found["passages"])
    assert one.limit == {"max_increase": 0.1}
    assert len(one.found["instructions"]) == 6


def test_the_divergence_is_that_of_the_whole_distribution_along_the_rungs_answers(
    job: MakeJob, task: Task, apt: LocalEngine, general: Path
) -> None:
    from peft import PeftModel

    folder = run(job(LORA, probes=(forgetting(general),)))
    one = measured(folder, "forgetting")
    assert one is not None
    told = one.found["divergence"]
    assert len(told) == 3
    answers = {p.id: p.text for p in folder.predictions()}
    base = apt.fresh(torch.float32)
    tuned = PeftModel.from_pretrained(
        apt.fresh(torch.float32), folder.path.parents[2] / folder.manifest()["trained"] / "adapter"
    ).eval()
    inputs = {q.id: q.input for q in task.questions}
    for line in told:
        asked = [
            {"role": "system", "content": task.materials.instructions["short"]},
            {"role": "user", "content": inputs[line["id"]]},
        ]
        prompt, answer = apt.encode(asked), apt.encode_answer(asked, answers[line["id"]])
        ids = torch.tensor([[*prompt, *answer]])
        with torch.no_grad():
            ours, theirs = (
                model(ids).logits[0, len(prompt) - 1 : -1].double().log_softmax(-1)
                for model in (tuned, base)
            )
        expected = torch.nn.functional.kl_div(theirs, ours, log_target=True, reduction="none")
        assert line["tokens"] == len(answer)
        assert line["kl"] == pytest.approx(float(expected.sum(-1).mean()), abs=1e-3)


def test_the_base_is_measured_once_for_all_runs_of_a_task(
    job: MakeJob, general: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    measure = LocalEngine.text_log_probabilities

    def counted(engine: LocalEngine, texts: Any, tokens: int) -> Any:
        told.append(engine.fingerprint)
        return measure(engine, texts, tokens)

    monkeypatch.setattr(LocalEngine, "text_log_probabilities", counted)
    for seed in (0, 1):
        run(job(LORA, seed=seed, probes=(forgetting(general),)))
    bases = [name for name in told if "+" not in name]
    assert (len(bases), len(told)) == (1, 3)
    (kept,) = (job().root / "tickets" / "probes").glob("base-*.json")
    assert len(json.loads(kept.read_text())["entropy"]) == 4


def test_other_passages_and_instructions_in_the_same_files_are_measured_again(
    job: MakeJob, general: Path, tmp_path: Path
) -> None:
    own = tmp_path / "own.yaml"
    own.write_text("- Say hello.\n")
    probe = forgetting(general, instructions=str(own))

    def told() -> list[str]:
        found = measured(run(job(LORA, probes=(probe,))), "forgetting")
        assert found is not None
        return [json.dumps(found.found[part]) for part in ("passages", "instructions")]

    first = told()
    own.write_text("- Say goodbye.\n")
    second = told()
    general.write_text(general.read_text().upper())
    third = told()
    assert first[0] == second[0] != third[0]
    assert first[1] != second[1] == third[1]


def test_over_a_4_bit_base_that_very_base_is_what_it_is_compared_with(
    job: MakeJob, even: LocalEngine, general: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What four bits cost is not forgetting; and the full weights may not fit into memory."""
    pytest.importorskip("bitsandbytes", reason="has no wheel for every machine")
    fresh, full = LocalEngine.fresh, []

    def watched(engine: LocalEngine, dtype: torch.dtype, quantized: bool = False) -> Any:
        full.extend([engine] * (not quantized))
        return fresh(engine, dtype, quantized)

    # At a rate of which nothing is learned: all that is left is what the base does.
    still = Adapter(lora(), plan(epochs=1, learning_rate=1e-7), quantization=FourBit(merged=False))
    with monkeypatch.context() as patch:
        patch.setattr(LocalEngine, "fresh", watched)
        probes = (forgetting(general),)
        folder = run(job(replace(LORA, tuning=still), model=even.spec, probes=probes))
    assert not full
    one = measured(folder, "forgetting")
    assert one is not None
    assert all(abs(p["after"] - p["before"]) < 1e-3 for p in one.found["passages"])
    assert all(abs(line["kl"]) < 1e-3 for line in one.found["divergence"])
    run(job(LORA, model=even.spec, probes=probes))
    kept = [json.loads(p.read_text()) for p in folder.path.parents[1].glob("probes/base-*.json")]
    assert len(kept) == 2, "each base is kept by itself"
    assert kept[0]["entropy"] != pytest.approx(kept[1]["entropy"], abs=1e-2)


def test_only_tuned_rungs_can_forget(task: Task, general: Path) -> None:
    assert forgetting(general).wanted(LORA, task)
    assert not forgetting(general, enabled=True).wanted(PROMPT, task)
    assert not forgetting(general, enabled=False).wanted(LORA, task)


def test_passages_are_always_the_same_ones_and_none_that_the_task_shows(tmp_path: Path) -> None:
    path = tmp_path / "general.jsonl"
    texts = [f"passage {n}" for n in range(20)]
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    chosen = passages(str(path), "text", 5, [])
    assert len(set(chosen)) == 5
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts[::-1] * 2))
    assert passages(str(path), "text", 5, []) == chosen
    rest = passages(str(path), "text", 5, [chosen[0].replace(" ", "\n")])
    assert rest[:4] == chosen[1:]


def test_a_text_file_has_a_passage_between_blank_lines(general: Path) -> None:
    found = passages(str(general), "unused", 100, [])
    assert len(found) == 6
    assert "The code of the year is blue.\nIt has 0 notes." in found


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        ("none.txt", None, r"probes\.forgetting\.passages=.*none\.txt: no such file"),
        ("one.txt", "only one\n", r"one\.txt: has 1 passages that the task does not show"),
        ("a.jsonl", '{"words": "x"}\n', r"a\.jsonl:1: has no text under 'text'; .*there are: words"),
        ("b.jsonl", "{broken\n", r"b\.jsonl:1: not JSON"),
    ],
)  # fmt: skip
def test_a_file_that_is_not_as_it_must_be_is_said_in_one_line(
    job: MakeJob, tmp_path: Path, name: str, text: str | None, complaint: str
) -> None:
    path = tmp_path / name
    if text is not None:
        path.write_text(text)
    with pytest.raises((ConfigError, TaskError), match=complaint):
        run(job(LORA, probes=(forgetting(path),)))
    assert not list(job().root.rglob("training.json")), "said before anything is trained"


def test_a_task_that_shows_all_the_passages_is_run_without_the_probe(
    job: MakeJob, task: Task, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "own.txt"
    path.write_text("\n\n".join(passage.text for passage in task.materials.corpus))
    result = run(job(LORA, probes=(forgetting(path),)))
    assert not list(result.path.glob("*forgetting*"))
    said = capsys.readouterr().err
    assert "probe forgetting is left out" in said
    assert "has 0 passages that the task does not show" in said


def test_a_package_that_cannot_be_fetched_leaves_the_probe_out(
    task: Task, general: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nothing(wheel: Wheel) -> Path:
        raise WeightsError("suite==1: cannot be fetched by pip")

    monkeypatch.setattr(Wheel, "resolve", nothing)
    probe = forgetting(general, passages=Wheel("suite==1", "x.jsonl", "a" * 64))
    with pytest.raises(ProbeUnavailableError, match=r"cannot be fetched by pip.*passages=FILE"):
        probe.check(task)


def test_instructions_of_ones_own_are_a_list_of_texts(tmp_path: Path) -> None:
    assert len(instructions(None)) == 6
    path = tmp_path / "own.yaml"
    path.write_text("- Say hello.\n- Count to three.\n")
    assert instructions(str(path)) == ["Say hello.", "Count to three."]
    path.write_text("- Say: hello.\n")
    with pytest.raises(ConfigError, match="is not a YAML list of texts"):
        instructions(str(path))
