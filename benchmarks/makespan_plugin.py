"""The pytest side of `makespan.py`: each worker notes when its tests began and ended."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator

CLOCK = time.monotonic
"""Bound before a test can freeze it; one clock for all processes of a machine."""
SPANS: list[tuple[float, float]] = []


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol() -> Generator[None, object, object]:
    """Note one test, with its fixtures."""
    began = CLOCK()
    try:
        return (yield)
    finally:
        SPANS.append((began, CLOCK()))


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish() -> None:
    """Write what was noted, if this process ran tests; later, xdist may have ended it."""
    if SPANS:
        name = os.environ.get("PYTEST_XDIST_WORKER", "serial")
        Path(os.environ["SPANS"], f"{name}.json").write_text(json.dumps(SPANS))
