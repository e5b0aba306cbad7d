"""Kill things and count what was lost. Smoke size by default; TIER=full (or all) for the figures of the plan."""

from __future__ import annotations

import os

import pytest

FULL = os.environ.get("TIER", "smoke") in ("full", "all")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "faults: kills or stops processes of its own; `make faults` runs them at full size"
    )
