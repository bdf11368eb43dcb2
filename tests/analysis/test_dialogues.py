"""What retries repaired, and what they took."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.analysis.export import record
from harness.analysis.findings import Findings, findings
from harness.analysis.runs import read_ladder
from harness.evidence.statistics import Interval
from harness.report.dialogues import decoded_freely, dialogue_tables
from harness.report.markdown import markdown
from harness.report.page import page
from harness.task import Attempt
from harness.tool import Call
from tests.record.conftest import complete_run

ANSWERS = {f"eval-{i}": "red" for i in range(10)}
WRONG = Attempt("rd", "stop", 100, 5, 0.5, "not a label", 40)
SAME = Attempt("red", "stop", 100, 5, 0.5, "not a label", 40)


def found(root: Path, **changes: Any) -> Findings:
    """A constrained prompt, and a retry of which four of ten first answers were refused."""
    readable = {"readable": Interval(1.0, 0.9, 1.0, 10, "wilson")}
    earlier = {"eval-0": [WRONG], "eval-1": [WRONG, WRONG], "eval-2": [WRONG], "eval-3": [SAME]}
    retry: dict[str, Any] = {"dialogue": "Retry", "earlier": earlier, "declared_free": True}
    pairs = {"against": [], "best_untuned": False, "pairs": [["retry", "prompt"]], "margin": None}
    folders = [
        complete_run(root, "prompt", ANSWERS, decoding="constrained", contrasts=pairs),
        complete_run(root, "retry", ANSWERS, readable, contrasts=pairs, **(retry | changes)),
    ]
    return findings(read_ladder(folders))


def test_it_counts_what_each_retry_repaired(tmp_path: Path) -> None:
    (told,) = found(tmp_path).dialogues
    assert (told.rung, told.kind, told.free, told.answers) == ("retry", "retry", True, 1.5)
    assert told.retries is not None
    assert told.retries.refused == pytest.approx(0.4)
    assert told.retries.repaired == pytest.approx([0.3, 0.1])
    assert told.retries.left == pytest.approx(0.0)
    # Five retries: eval-1 wrote its first wrong text again, eval-3 the very text that counts.
    assert told.retries.repeated == pytest.approx(2 / 5)
    assert told.earlier_tokens == pytest.approx(5 / 15)


def test_a_rung_that_answers_freely_by_declaration_meets_the_constrained_prompt(
    tmp_path: Path,
) -> None:
    assert [c.name for c in found(tmp_path / "a").contrasts] == ["retry – prompt"]
    assert found(tmp_path / "b", declared_free=False).contrasts == []


def test_a_retry_is_not_taken_for_the_prompt_without_the_constraint(tmp_path: Path) -> None:
    assert found(tmp_path).ablation is None


def test_attempts_add_up_in_the_costs(tmp_path: Path) -> None:
    costs = {one.rung: one.answering for one in found(tmp_path).costs.rungs}
    assert costs["retry"].prompt_tokens == 1.5 * costs["prompt"].prompt_tokens
    assert costs["retry"].computed_tokens == 1.5 * costs["prompt"].computed_tokens
    assert costs["retry"].completion_tokens == 1.5 * costs["prompt"].completion_tokens


def test_a_model_that_writes_the_same_again_is_said_so_and_blocks_no_verdict(
    tmp_path: Path,
) -> None:
    again = {name: [SAME] for name in ANSWERS}
    badges = {b.name: b for b in found(tmp_path, earlier=again).checks["retry"]}
    assert badges["retries"].text == "wrote the refused answer again in 100% of its retries"
    assert not badges["retries"].passed
    assert not badges["retries"].blocks


def test_the_report_shows_it_and_says_that_the_constraint_did_not_hold(tmp_path: Path) -> None:
    shown = found(tmp_path)
    (table,) = dialogue_tables(shown)
    assert "repaired by retry 2" in table.headings
    assert table.lines[0][:5] == ["retry", "1.50", "60.0", "30.0", "10.0"]
    assert decoded_freely(shown) == "retry answers without the constraint, by declaration"
    for text in ("\n".join(markdown(shown)), page(shown)):
        assert table.title in text
        assert decoded_freely(shown) in text
    json.dumps(record(shown)["dialogues"])


def test_nothing_is_shown_where_every_rung_took_the_first_answer(tmp_path: Path) -> None:
    shown = findings(read_ladder([complete_run(tmp_path, "prompt")]))
    assert (shown.dialogues, dialogue_tables(shown), decoded_freely(shown)) == ([], [], "")
    assert "Before the answer" not in page(shown)


def test_calls_of_tools_are_counted_by_tool(tmp_path: Path) -> None:
    calls = {
        "eval-0": [called("order"), called("handbook", failed=True)],
        "eval-1": [called("order"), called("order")],
    }
    rung = complete_run(tmp_path, "tools", ANSWERS, dialogue="Tools", earlier=calls)
    shown = findings(read_ladder([rung]))
    (told,) = shown.dialogues
    assert (told.kind, told.calling, told.failed_calls) == ("tools", 0.2, 0.25)
    assert told.retries is None
    assert [(t.tool, t.calls, t.questions, t.failed) for t in told.tools] == [
        ("order", 0.3, 0.2, 0.0),
        ("handbook", 0.1, 0.1, 1.0),
    ]
    (table,) = dialogue_tables(shown)
    assert table.lines[0] == ["tools", "order", "0.30", "20.0", "0.0", "0.25"]
    assert {b.name: b.passed for b in shown.checks["tools"]}["tool calls"]


def test_a_rung_that_never_calls_a_tool_fails_a_badge(tmp_path: Path) -> None:
    shown = findings(read_ladder([complete_run(tmp_path, "tools", ANSWERS, dialogue="Tools")]))
    badge = {b.name: b for b in shown.checks["tools"]}["tool calls"]
    assert (badge.passed, badge.blocks, badge.text) == (False, True, "never called a tool")


def called(tool: str, *, failed: bool = False) -> Attempt:
    call = Call(tool, {}, "…", failed, 0.25)
    return Attempt("{}", "stop", 100, 5, 0.5, None, 40, call)
