"""The recommendation comes first wherever a ladder is shown."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO

from rich.console import Console

from harness.analysis.findings import Findings
from harness.report.advice import advice, rule, rule_table
from harness.report.markdown import markdown
from harness.report.page import page
from harness.report.terminal import show


def test_the_inputs_have_a_line_for_each_candidate_the_cheapest_first(five: Findings) -> None:
    (table,) = rule_table(five)
    assert [line[0] for line in table.lines] == [
        "majority", "nearest_answer", "prompt", "few_shot", "rag", "lora", "rag_lora",
    ]  # fmt: skip
    assert table.notes == [rule(five)]


def test_who_is_ruled_out_by_many_names_the_best_of_them(five: Findings) -> None:
    (table,) = rule_table(five)
    standing = {line[0]: line[-2] for line in table.lines}
    assert standing["prompt"] == "no: rag_lora and 4 others better by more"
    assert standing["few_shot"] == "no: rag_lora better by more"


def test_the_rule_says_its_margin_and_how_many_comparisons_hold_together(five: Findings) -> None:
    assert rule(five) == (
        "Rule: margin 2.0 points (not declared), 95% for 6 comparisons with the best together; good "
        "enough: rag_lora; ruled out: majority, nearest_answer, prompt, few_shot, lora; 2 of 3 "
        "declared differences real."
    )


def test_the_rule_says_what_money_is_counted_for(five: Findings) -> None:
    told = five.recommendation
    assert told
    case = replace(told.case, requests=20_000.0)
    paid = replace(five, recommendation=replace(told, by="money", case=case, updates=12.0))
    assert rule(paid).endswith("real; money for 20,000 requests and 12 updates.")


def test_the_page_says_it_before_the_verdicts(five: Findings) -> None:
    text = page(five)
    assert text.index("Recommendation</h2>") < text.index("Verdict</h2>")
    assert "cost against quality" in text


def test_commands_are_code_on_the_page_and_names_are_escaped(five: Findings) -> None:
    text = page(five)
    assert all("`" not in line for line in text.splitlines() if 'class="advice"' in line)


def test_markdown_and_mlflow_begin_with_it(five: Findings) -> None:
    parts = [part for part in markdown(five) if part not in [f"**{w}**" for w in five.warnings]]
    assert parts[0] == " ".join(advice(five))
    assert parts[1] == rule(five)


def test_the_terminal_begins_with_it(five: Findings) -> None:
    out = StringIO()
    show(five, Console(file=out, width=200))
    text = " ".join(out.getvalue().split())
    assert text.index(advice(five)[0]) < text.index("•")
