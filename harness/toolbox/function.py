"""A Python function of the task's author."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import inspect
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from harness.errors import TaskError, first_line
from harness.files import file_sha256
from harness.home import located
from harness.tool import Opened, Tool, ToolError, check_parameters
from harness.values import settings

__all__ = ["Function"]


@settings("task.tools")
class Function(Tool):
    """A function that is called with the arguments by name; what it returns is told as it is if it
    is text, else as JSON. What it raises is told to the model as an error.

    It runs in a thread of its own. One that takes too long is not waited for, but goes on.
    """

    description: str
    function: str
    """`module:name`, or `folder/file.py:name`. A YAML that names one is refused unless the command
    line trusts it (harness/configuration/targets.py)."""
    parameters: Mapping[str, Any]

    def __post_init__(self) -> None:
        check_parameters(self.parameters)
        _ = self._function

    @property
    def fingerprint(self) -> str:
        """With the source of the file that defines it; what that imports is not part of it."""
        try:
            path = inspect.getsourcefile(self._function)
        except TypeError:  # built into Python: known by its name
            path = None
        content = file_sha256(Path(path)) if path else ""
        name = self.function.rpartition(":")[2]
        about = ["function", self.description, name, content, dict(self.parameters)]
        return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()

    def opened(self, passages: Sequence[str]) -> Opened:
        return self._call

    @cached_property
    def _function(self) -> Callable[..., Any]:
        """Raises TaskError for what is none."""
        place, colon, name = self.function.rpartition(":")
        try:
            module = _load(located(place)) if place.endswith(".py") else _import(place)
            found = getattr(module, name)
        except (ImportError, AttributeError, OSError, SyntaxError, ValueError) as error:
            raise TaskError(
                f"task.tools: function={self.function}: cannot be had ({first_line(error)}); say "
                "module:name or folder/file.py:name"
            ) from error
        if not (colon and callable(found)):
            raise TaskError(f"task.tools: function={self.function}: is no function")
        called: Callable[..., Any] = found
        return called

    def _call(self, arguments: Mapping[str, Any], seconds: float) -> str:
        done: list[Any] = []
        failed: list[BaseException] = []

        def work() -> None:
            try:
                done.append(self._function(**arguments))
            except BaseException as error:  # noqa: BLE001 - sys.exit among them: the model is told
                failed.append(error)

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        thread.join(seconds)
        if failed:
            raise ToolError(first_line(failed[0])) from failed[0]
        if not done:
            raise ToolError(f"it took longer than {seconds:g} s")
        found = done[0]
        try:
            return found if isinstance(found, str) else json.dumps(found, ensure_ascii=False)
        except (TypeError, ValueError) as error:
            raise ToolError(f"what it returned is no JSON: {first_line(error)}") from error


def _import(name: str) -> Any:
    return importlib.import_module(name)


def _load(path: str) -> Any:
    spec = importlib.util.spec_from_file_location(Path(path).stem, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
