"""The schema of a file, read and made harmless."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema

from harness.errors import TaskError
from harness.schemas import check_rules

__all__ = ["read_schema"]

MOST_BYTES = 5_000_000


def read_schema(path: Path) -> dict[str, Any]:
    """The schema of a file. Raises TaskError for what is none, refers to what is not in it, or
    would take too long."""
    try:
        if path.is_file() and (size := path.stat().st_size) > MOST_BYTES:
            raise TaskError(
                f"{path}: has {size:,} bytes (at most {MOST_BYTES:,}); leave out what is not scored"
            )
        schema = json.loads(path.read_text(encoding="utf-8-sig"))
        if not isinstance(schema, dict):
            raise TaskError(
                f"{path}: is {schema!r} and not an object; list the fields of the answer"
            )
        check_rules(schema, path)
        jsonschema.Draft202012Validator.check_schema(schema)
    except FileNotFoundError as error:
        raise TaskError(f"{path}: no such schema; write it or fix answer.schema") from error
    except UnicodeDecodeError as error:
        raise TaskError(f"{path}: is not UTF-8 text ({error.reason}); save it as UTF-8") from error
    except json.JSONDecodeError as error:
        raise TaskError(f"{path}:{error.lineno}: not JSON ({error.msg})") from error
    except ValueError as error:  # a number of more digits than Python reads
        raise TaskError(f"{path}: cannot be read ({error}); fix the number") from error
    except RecursionError as error:
        raise TaskError(f"{path}: is nested too deeply; use $defs and $ref") from error
    except jsonschema.SchemaError as error:
        raise TaskError(f"{path}: not a JSON Schema ({error.message})") from error
    return schema
