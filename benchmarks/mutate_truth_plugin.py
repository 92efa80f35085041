"""A plugin of pytest that gives properties the seeds that `testinfra mutate` gives them, and no database."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import settings

from atom_testinfra.pytest_plugin.steering.requests import seed_of
from atom_testinfra.pytest_plugin.steering.subject import find_subject

if TYPE_CHECKING:
    import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Fix the seeds: another seed may find a fault that this one does not."""
    for item in items:
        subject = find_subject(item)
        if subject is not None and subject.settings is not None:
            own = subject.settings
            is_free = subject.own_seed is None and not own.derandomize
            seed = seed_of(item.nodeid, 0) if is_free else None
            subject.install(settings(own, database=None, deadline=None), seed)
