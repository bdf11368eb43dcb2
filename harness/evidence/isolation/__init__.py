"""Whether eval is sealed: does any of it stand in what a rung learns from?

Leaks are equal ids, shared groups, equal text after normalization, and near-duplicates by the
Jaccard similarity of their sets of character 5-grams (Broder 1997, "On the resemblance and
containment of documents"), or because an eval input is contained in a longer text. A corpus may
hold facts: the passages that an example names as its sources may say what it asks in nearly its
words; the data of a tool may have a short input, a name say, as what is looked up. Similarities are
exact: the candidates come from sparse matrix products and not from a sketch, so that no pair over a
threshold is missed.

Suspects are texts that seem rewritten from an eval input, long answers of eval in other places, and
on request paraphrases. They are said, and left where they are.

What is found of planted copies is measured by bench/isolation.py (the table in
docs/experiments.md).

    check.py         the settings, and the check of a task: what is compared with what
    certificate.py   what it found: pairs, leaks, suspects, and how they are said
    letters.py       texts as they are compared
    features.py      texts as sets of numbers: character 5-grams, pairs of words
    table.py         all pairs of texts that share much
    inputs.py        ids, groups, equal, similar, contained and rewritten inputs
    answers.py       long answers of eval where no rung should find them
    paraphrases.py   inputs that mean the same, by sentence embeddings
"""

from harness.evidence.isolation.answers import long_texts
from harness.evidence.isolation.certificate import Certificate, Leak, Pair, suspects_message
from harness.evidence.isolation.check import Isolation
from harness.evidence.isolation.letters import normalize
from harness.evidence.isolation.paraphrases import Encoder
from harness.evidence.isolation.table import similar_pairs

__all__ = [
    "Certificate", "Encoder", "Isolation", "Leak", "Pair", "long_texts", "normalize",
    "similar_pairs", "suspects_message",
]  # fmt: skip
