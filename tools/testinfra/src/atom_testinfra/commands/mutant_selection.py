"""Which mutants `testinfra mutate` is about: what the command line names, and what a diff touches."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from atom_testinfra.core.errors import ConfigError, NothingMeasuredError
from atom_testinfra.mutation.operators.written import put_back
from atom_testinfra.storage.git import Repository

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from atom_testinfra.core.mutants import Mutant
    from atom_testinfra.mutation.operators.mutants import Module
    from atom_testinfra.mutation.operators.written import WrittenFault
    from atom_testinfra.mutation.product import Product
    from atom_testinfra.storage.project import Project

    Ranges = list[tuple[int, int]]
    """First and last lines that changed."""


def find_changed_lines(revision: str, product: Product, project: Project) -> dict[str, Ranges]:
    """
    Return the lines of the product that changed since a revision, by file from the project's root.

    Raises:
        NothingMeasuredError: There are none; no file of the product is read to say so.
    """
    lines = Repository(project.root).changed_lines(revision)
    files = frozenset(product.files)
    changed = {product.relative(path): ranges for path, ranges in lines.items() if path.resolve() in files}
    if not changed:
        raise NothingMeasuredError(
            "no statement that can be changed was selected",
            hint=f"nothing in the product changed since {revision}",
        )
    return changed


def find_removed_lines(
    revision: str, modules: Mapping[str, Module], product: Product, project: Project
) -> list[WrittenFault]:
    """Return the faults of putting back what was removed from functions of the product since a revision."""
    found = []
    for removed in Repository(project.root).removed_lines(revision):
        module = modules.get(product.relative(removed.path))
        fault = None if module is None else put_back(module, removed.after, removed.lines)
        if fault is not None:
            found.append(fault)
    return found


def select_named(
    modules: Mapping[str, Module], paths: Sequence[str], product: Product, project: Project
) -> list[Mutant]:
    """Return the mutants of what the command line names, or all of them."""
    if not paths:
        return [mutant for module in modules.values() for mutant in module.mutants]
    chosen: dict[str, Mutant] = {}
    for word in paths:
        name, _, function = word.partition("::")
        place = next(
            (
                folder / name
                for folder in (Path.cwd(), project.rootdir, project.root)
                if (folder / name).exists()
            ),
            None,
        )
        if place is None:
            raise ConfigError(f"there is no {name!r} here", hint="name a file or a folder of the product")
        relative = product.relative(place.resolve())
        found = [
            mutant
            for path, module in modules.items()
            if path == relative or path.startswith(f"{relative}/") or relative == "."
            for mutant in module.mutants
            if not function or _is_in(mutant, function)
        ]
        if not found:
            raise ConfigError(
                f"{word!r} has no statement that can be changed",
                hint=f"the product is {', '.join(map(product.relative, product.places))}",
            )
        chosen |= {mutant.id: mutant for mutant in found}
    return list(chosen.values())


def _is_in(mutant: Mutant, function: str) -> bool:
    name = mutant.function or ""
    return name == function or name.startswith(f"{function}.")


def select_changed(mutants: Sequence[Mutant], changed: Mapping[str, Ranges]) -> list[Mutant]:
    """Return the mutants of statements that a diff touches."""
    return [
        mutant
        for mutant in mutants
        if any(
            first <= mutant.end_line and mutant.line <= last for first, last in changed.get(mutant.path, ())
        )
    ]
