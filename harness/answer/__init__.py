"""Answer formats: how targets are written, and how answers are constrained, read and scored.

Each format is one file, and nothing else in harness knows a format by its name.
"""

from harness.answer.format import Accepting, Answer, Parsed, Scorer
from harness.answer.json_object import Field, Json
from harness.answer.label import Label
from harness.answer.text import Text
from harness.answer.tool_calls import ToolCalls

__all__ = [
    "Accepting",
    "Answer",
    "Field",
    "Json",
    "Label",
    "Parsed",
    "Scorer",
    "Text",
    "ToolCalls",
]
