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


def with_key(*methods: str) -> list[str]:
    """Return the names of the operations that take a key and have one of these methods."""
    return sorted(
        operation.split()[0]
        for operation, scope in committed().items()
        if operation.split()[1] in methods and scope is not None
    )


OPERATIONS = sorted(scopes_of_operations())
"""The names of all operations."""
