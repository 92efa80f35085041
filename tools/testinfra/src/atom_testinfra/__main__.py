"""`python -m atom_testinfra`."""

from __future__ import annotations

import sys

from atom_testinfra.cli import main

if __name__ == "__main__":
    sys.exit(main())
