"""
A plugin of pytest that gives properties what `testinfra mutate` gives them, and no database.

That is the seeds, and the constants that Hypothesis reads in the files of the product: of the unchanged
product, whose folder the variable UNCHANGED names behind that of the edited one.
"""

from __future__ import annotations

import os
from types import ModuleType
from typing import TYPE_CHECKING, Any

from hypothesis import settings
from hypothesis.internal.conjecture import providers

from atom_testinfra.pytest_plugin.steering.requests import seed_of
from atom_testinfra.pytest_plugin.steering.subject import find_subject

if TYPE_CHECKING:
    import pytest


read_constants: Any = vars(providers)["constants_from_module"]


def read_unchanged_constants(module: ModuleType, **options: Any) -> Any:
    """Return the constants in the file of the unchanged product, where there is one."""
    edited, unchanged = os.environ["UNCHANGED"].split(os.pathsep)
    file = getattr(module, "__file__", None) or ""
    if file.startswith(edited):
        stand_in = ModuleType(module.__name__)
        stand_in.__file__ = unchanged + file.removeprefix(edited)
        return read_constants(stand_in, **options)
    return read_constants(module, **options)


vars(providers)["constants_from_module"] = read_unchanged_constants


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Fix the seeds: another seed may find a fault that this one does not."""
    for item in items:
        subject = find_subject(item)
        if subject is not None and subject.settings is not None:
            own = subject.settings
            is_free = subject.own_seed is None and not own.derandomize
            seed = seed_of(item.nodeid, 0) if is_free else None
            subject.install(settings(own, database=None, deadline=None), seed)
