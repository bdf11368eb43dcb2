"""Answer formats: how targets are written, and how answers are constrained, read and scored.

Each format is one file, and nothing else in harness knows a format by its name.
"""

from harness.answer.format import Answer, Parsed, Scorer
from harness.answer.json_object import Field, Json
from harness.answer.label import Label
from harness.answer.text import Text

__all__ = ["Answer", "Field", "Json", "Label", "Parsed", "Scorer", "Text"]
