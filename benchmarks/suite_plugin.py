"""The pytest side of `suite.py`: each process leaves the most memory that it ever held."""

from __future__ import annotations

import json
import os
import resource
import sys
from pathlib import Path


def pytest_unconfigure() -> None:
    """Write the figure under the name of the worker."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    mb = peak / (2**20 if sys.platform == "darwin" else 2**10)
    name = os.environ.get("PYTEST_XDIST_WORKER", "controller")
    Path(os.environ["SUITE_OUT"], f"{name}.json").write_text(json.dumps({"peak_mb": mb}))
