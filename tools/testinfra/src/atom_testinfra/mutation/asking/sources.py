"""The product's modules in a process that asks: read once, compiled with a change, or found to be foreign."""

from __future__ import annotations

import os
import sys
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from atom_testinfra.mutation.asking.loading import CodeLoader
from atom_testinfra.mutation.operators.mutants import Module
from atom_testinfra.mutation.operators.written import apply_written

if TYPE_CHECKING:
    from atom_testinfra.core.mutants import Mutant
    from atom_testinfra.mutation.orders import Orders


class Sources:
    """The files of the product, and a `Module` for each that is asked for."""

    def __init__(self, orders: Orders) -> None:
        self._faults = orders.faults
        self._modules: dict[str, Module] = {}
        self._files = {
            os.path.relpath(file, orders.root).replace(os.sep, "/"): file for file in orders.product
        }
        self._paths = {file: path for path, file in self._files.items()}

    @property
    def files(self) -> list[str]:
        """Absolute paths, as code objects name them."""
        return list(self._files.values())

    @cached_property
    def foreign_files(self) -> frozenset[str]:
        """Files that something else than our loader has loaded: nothing can be changed there."""
        specs = [getattr(module, "__spec__", None) for module in list(sys.modules.values())]
        return frozenset(
            spec.origin
            for spec in specs
            if spec is not None and spec.origin in self._paths and not isinstance(spec.loader, CodeLoader)
        )

    def find(self, filename: str) -> Module | None:
        """Return the module of a file, `None` where the file is not product."""
        path = self._paths.get(filename)
        return None if path is None else self.read(path)

    def of(self, mutant: Mutant) -> tuple[Module, str]:
        """Return the module that a mutant changes, and its file."""
        return self.read(mutant.path), self._files[mutant.path]

    def read(self, path: str) -> Module:
        """Return a module, parsed once, with the faults that were written down for it."""
        if path not in self._modules:
            module = Module(path, Path(self._files[path]).read_text(encoding="utf-8"))
            apply_written([fault for fault in self._faults if fault.path == path], {path: module})
            self._modules[path] = module
        return self._modules[path]
