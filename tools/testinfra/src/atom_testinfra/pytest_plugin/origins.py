"""
Writes which modules were imported from a folder that they should not come from.

Loaded with `-p` where another commit is run in a tree of its own: a package that is installed in place could
still come from the first tree, and then the two sides would be the same code.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

SHOWN = 10


def pytest_sessionfinish() -> None:
    """Write the names of the modules, as a JSON list."""
    root = Path(os.environ["TESTINFRA_FOREIGN_ROOT"])
    Path(os.environ["TESTINFRA_ORIGINS"]).write_text(json.dumps(find_foreign_modules(root)), encoding="utf-8")


def find_foreign_modules(root: Path) -> list[str]:
    """Return the modules that came from below `root`, but for installed ones and this tool."""
    environment = Path(sys.prefix).resolve()
    foreign = []
    for name, module in sorted(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if not isinstance(file, str) or name.partition(".")[0] == "atom_testinfra":
            continue
        path = Path(file).resolve()
        if path.is_relative_to(root) and not path.is_relative_to(environment):
            foreign.append(name)
    return foreign[:SHOWN]
