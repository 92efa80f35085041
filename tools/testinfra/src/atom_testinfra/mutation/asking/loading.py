"""Put a mutant into a process: exchange a function's code, or import the module with the change."""

from __future__ import annotations

import gc
import importlib.abc
import importlib.util
from importlib.machinery import PathFinder, SourceFileLoader
from types import CodeType, FunctionType
from typing import TYPE_CHECKING

from atom_testinfra.mutation.operators.mutants import describe_code

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

    from atom_testinfra.core.mutants import Mutant
    from atom_testinfra.mutation.operators.mutants import Module

    Compile = Callable[[str], CodeType | None]
    """Returns the code to run for a file, or `None` to import it as it is."""


class Functions:
    """The functions of the product that exist in this process, wherever they are kept."""

    def __init__(self, files: Sequence[str]) -> None:
        """`files` are absolute paths, as code objects name them."""
        wanted = frozenset(files)
        self._by_file: dict[str, list[FunctionType]] = {}
        gc.unfreeze()  # what was set aside from collection is not found otherwise
        for found in gc.get_objects():
            if type(found) is FunctionType and found.__code__.co_filename in wanted:
                self._by_file.setdefault(found.__code__.co_filename, []).append(found)
        gc.collect()
        gc.freeze()  # a fork that looks for garbage would copy every page of what was imported

    @property
    def files(self) -> frozenset[str]:
        """Files with a function that exists here: the modules that were imported."""
        return frozenset(self._by_file)

    def exchange(self, filename: str, module: Module, mutant: Mutant) -> str | None:
        """
        Give the function that a mutant changes its new code, in this process.

        Functions that were made inside of it, such as a decorator's wrapper, get theirs too.

        Returns:
            Why that cannot be done here, or `None` when it is done.
        """
        block = module.sites[mutant.index].block
        changed = module.compile_function(mutant, block, filename)
        original = module.compile_function(None, block, filename)
        if changed is None or original is None:
            return "its code was not found"
        codes = dict(_changed_codes(original, changed))
        n_exchanged = 0
        for function in self._by_file.get(filename, ()):
            place = function.__code__.co_qualname, function.__code__.co_firstlineno
            code = codes.get(place)
            if code is None:
                continue
            try:
                function.__code__ = code
            except ValueError:
                return "it closes over other variables than before"
            n_exchanged += 1
        return None if n_exchanged else "no function of this code exists in the process"


def _changed_codes(before: CodeType, after: CodeType) -> Iterator[tuple[tuple[str, int], CodeType]]:
    """Yield a function's new code, and that of the functions inside of it that changed, by name and line."""
    yield (after.co_qualname, after.co_firstlineno), after
    inner = {(code.co_qualname, code.co_firstlineno): code for code in _inner_codes(before)}
    for code in _inner_codes(after):
        old = inner.get((code.co_qualname, code.co_firstlineno))
        if old is None or describe_code(old) != describe_code(code):
            yield (code.co_qualname, code.co_firstlineno), code


def _inner_codes(code: CodeType) -> Iterator[CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _inner_codes(constant)


class Importer(importlib.abc.MetaPathFinder):
    """Imports files with other code than their source's, and every other module as ever."""

    def __init__(self, compile_file: Compile) -> None:
        self._compile = compile_file

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find a module where it is, and let it be loaded with other code if it has some."""
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is None or not isinstance(spec.loader, SourceFileLoader) or spec.origin is None:
            return None
        code = self._compile(spec.origin)
        if code is None:
            return None
        spec.loader = CodeLoader(fullname, spec.origin, code)
        return spec


class CodeLoader(SourceFileLoader):
    """Loads a module from code that was compiled already."""

    def __init__(self, fullname: str, path: str, code: CodeType) -> None:
        super().__init__(fullname, path)
        self._code = code

    def get_code(self, fullname: str) -> CodeType:  # noqa: ARG002
        """Return the code, whatever the file says."""
        return self._code
