"""Measurements; harness comes first, as it sets how threads wait before torch is loaded."""

import harness  # noqa: F401
