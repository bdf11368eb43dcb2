"""The whole audit of a small train with everything in it that can be wrong."""

from __future__ import annotations

from pathlib import Path

from harness.audit.report import audit
from harness.audit.words import lines
from tests.audit.conftest import labelled, materials
from tests.audit.test_classifier import Topics, topical
from tests.audit.test_losses import trained
from tests.record.conftest import sha256


def test_every_finding_stands_under_its_check_with_file_and_line() -> None:
    rows = [*((f"{topic} {n} parcel", topic) for topic in ("a", "b") for n in range(20)),
            ("a 3 parcel", "b"), ("b 4 parcel", "b"), ("one more", "rare")]  # fmt: skip
    found = audit(labelled(rows, [("one more", "rare")]), 0.9)
    said = "\n".join(lines("tickets", found))
    assert "train.jsonl:4, train.jsonl:41: " in said.partition("contradiction: ")[2]
    assert "train.jsonl:25, train.jsonl:42: " in said.partition("copy: ")[2]
    assert "train.jsonl:43, dev.jsonl:1: " in said.partition("leak: ")[2]
    assert "train.jsonl:43: label: rare has 1 example" in said.partition("imbalance: ")[2]
    assert (
        "nothing found: near contradiction, near copy, shared group, drift, not in input, cut off"
        in said
    )
    assert "no example was judged by its target" in said


def test_what_is_too_long_to_print_is_counted() -> None:
    found = audit(labelled([("the same", "a")] * 30), 0.9)
    short, full = (list(lines("tickets", found, everything=all_)) for all_ in (False, True))
    assert "  and 19 more: --full" in short
    assert len(full) == len(short) + 18


def test_the_most_doubtful_are_ranked_by_all_judges_and_flagged_ones_are_marked(
    tmp_path: Path,
) -> None:
    wrong = topical()
    rows = [(e.input, e.target) for e in wrong.train]
    swapped = next(n for n, row in enumerate(rows) if row[1] == "birch")
    rows[swapped] = (rows[swapped][0], "dune")
    of_train = labelled(rows)
    losses = {e.id: [1.0, 2.0 if n == swapped else 0.5] for n, e in enumerate(of_train.train)}
    run = trained(tmp_path, losses)
    found = audit(of_train, 0.9, embedder=Topics(), trained=(tmp_path / "tickets", sha256("train")))
    assert [judge.split()[0] for judge in found.judges] == ["loss", "out-of-fold"]
    assert len(found.doubtful) == 20
    worst = found.doubtful[0]
    assert (worst.where, worst.flagged, worst.doubt) == (f"train.jsonl:{swapped + 1}", True, 1.0)
    assert worst.why == "label dune, not birch?"
    said = "\n".join(lines("tickets", found))
    assert f"  train.jsonl:{swapped + 1}: wrong? " in said
    assert f"lora/{run.path.name}" in said


def test_it_is_said_of_how_many_labels_nothing_is_called_wrong() -> None:
    few = labelled([(f"{label} {n}", label) for n in range(9) for label in ("birch", "dune")])
    said = list(lines("tickets", audit(few, 0.9, embedder=Topics())))
    assert said[-1].startswith("18 of 18 are ranked only")


def test_free_text_without_a_finished_run_has_no_judge() -> None:
    found = audit(materials([(f"question {n}", "an answer") for n in range(9)]), 0.9,
                  embedder=Topics())  # fmt: skip
    assert (found.judges, found.doubtful) == ([], [])
