"""When facts change, as a reader sees it."""

from __future__ import annotations

import io
from pathlib import Path

from rich.console import Console

from harness.analysis.findings import Findings, findings
from harness.analysis.runs import read_ladder
from harness.report.formatting import Table
from harness.report.knowledge_update import sentence, tables, update_chart
from harness.report.markdown import markdown
from harness.report.page import page
from harness.report.terminal import show
from tests.ladders import five, run
from tests.updates import IDS, INDEX, READ, question, some, tell, updated

__all__ = ["five", "updated"]


def rows(found: Findings, title: str) -> dict[str, list[str]]:
    (table,) = (table for table in tables(found) if title in table.title)
    return {line[0]: list(line[1:]) for line in table.lines}


def notes(shown: list[Table]) -> str:
    return " ".join(note for table in shown for note in table.notes)


def test_the_sentence_names_who_follows_and_who_states_the_old_fact(updated: Findings) -> None:
    said = sentence(updated)
    assert said.startswith(
        "facts changed behind 40 of 60 questions; rag follows 75.0% (59.8–85.8) of them, not "
        "trained again; lora* states the old fact in 87.5% ("
    )


def test_a_ladder_that_was_not_asked_shows_nothing_of_it(five: Findings) -> None:
    assert (sentence(five), tables(five)) == ("", [])
    assert "When facts change" not in page(five)


def test_each_rung_stands_with_what_became_of_the_facts(updated: Findings) -> None:
    told = rows(updated, "the changed facts")
    assert list(told) == ["prompt", "few_shot", "rag", "lora*"]
    assert told["rag"][0] == "yes"
    assert [cell.split(" ")[0] for cell in told["rag"][1:5]] == ["100.0", "75.0", "5.0", "20.0"]
    assert "stay, so that the examples' answers state old facts" in notes(tables(updated))


def test_what_an_update_takes_and_costs(updated: Findings) -> None:
    told = rows(updated, "what one update costs")
    assert told["rag"] == ["index the corpus", "6.0", "", "0.002"]
    assert told["lora"] == ["train again", "600.0", "100", "5.2"]
    pays = rows(updated, "break-even of updates")
    assert pays["lora – rag"] == ["5.2", "never pays", "0"]


def test_what_inflates_the_shares_is_said_loudly(tmp_path: Path) -> None:
    folder = tell(run(tmp_path, "rag", 40, index=INDEX), some(40, 0, 0), **READ, leaks=2, ahead=3)
    said = notes(tables(findings(read_ladder([folder]))))
    assert (
        "NOT ISOLATED: 2 questions stand in the new corpus; 3 training examples state a new fact "
        "already: shares of new facts are inflated." in said
    )


def test_a_limit_that_leaves_no_changed_fact_is_said(tmp_path: Path) -> None:
    folder = tell(run(tmp_path, "rag", 40, index=INDEX), some(40, 0, 0), **READ,
                  questions=[question(i, {}) for i in IDS])  # fmt: skip
    found = findings(read_ladder([folder]))
    assert sentence(found) == "facts changed behind 0 of 60 questions, and none of them was asked"
    assert "When facts change" in page(found)


def test_terminal_markdown_and_page_all_tell_it(updated: Findings) -> None:
    console = Console(file=io.StringIO(), width=120)
    show(updated, console)
    printed = " ".join(console.file.getvalue().split())  # type: ignore[attr-defined]
    assert "• facts changed behind 40 of 60 questions; rag follows 75.0%" in printed
    assert "- facts changed behind 40 of 60 questions" in "\n".join(markdown(updated))
    text = page(updated)
    assert '<h2 id="facts">When facts change</h2>' in text
    assert '<a href="#facts">' in text
    assert "changed facts, %" in text


def test_the_picture_has_a_bar_of_three_parts_for_each_rung(updated: Findings) -> None:
    (axes,) = update_chart(updated).axes
    ends = [patch.get_x() + patch.get_width() for patch in axes.patches]  # type: ignore[attr-defined]
    assert len(ends) == 12
    assert max(ends) <= 100 + 1e-9
    assert [label.get_text() for label in axes.get_yticklabels()] == [
        "prompt", "few_shot", "rag", "lora*",
    ]  # fmt: skip
