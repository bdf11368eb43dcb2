"""What `import harness` gives, and what it does not cost."""

from __future__ import annotations

import subprocess
import sys

import pytest

import harness

HEAVY = ("torch", "transformers", "mlflow", "pandas", "datasets", "sentence_transformers", "scipy")


@pytest.mark.parametrize("name", harness.__all__)
def test_every_public_name_is_there_and_documented(name: str) -> None:
    assert getattr(harness, name).__doc__


def test_a_name_that_is_not_public_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Manager'"):
        _ = harness.Manager


@pytest.mark.parametrize("module", ["harness", "harness.__main__"])
def test_importing_costs_no_heavy_library(module: str) -> None:
    code = f"import sys, {module}; print([m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_room_of_the_house_names_what_it_offers() -> None:
    import importlib
    import pkgutil

    for found in pkgutil.walk_packages(harness.__path__, "harness."):
        if found.name.endswith("__main__") and found.name != "harness.__main__":
            continue
        module = importlib.import_module(found.name)
        if not found.ispkg:
            missing = [n for n in module.__all__ if not hasattr(module, n)]
            assert not missing, f"{found.name}: {missing}"
            assert module.__doc__
