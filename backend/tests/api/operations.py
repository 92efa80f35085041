"""The operations that programs know by name: `operations.txt` beside this module, one a line."""

from __future__ import annotations

from pathlib import Path

from atom.identity.models import ApiKeyScope

FILE = Path(__file__).with_name("operations.txt")


def committed() -> dict[str, ApiKeyScope | None]:
    """Return the scope of key that each operation takes, by name, method and path; None means no key."""
    lines = (line.rpartition(" ") for line in FILE.read_text().splitlines())
    return {operation: None if scope == "-" else ApiKeyScope(scope) for operation, _, scope in lines}


def scopes_of_operations() -> dict[str, ApiKeyScope | None]:
    """Return the same by the name of the operation alone."""
    return {operation.split()[0]: scope for operation, scope in committed().items()}


OPERATIONS = sorted(scopes_of_operations())
"""The names of all operations."""
