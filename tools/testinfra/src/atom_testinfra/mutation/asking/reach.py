"""Which blocks of the product a test enters, and how often: counted by a first statement in each block."""

from __future__ import annotations

import ast
import builtins
import mmap
import os
from typing import TYPE_CHECKING

from atom_testinfra.mutation.operators.sites import walk_blocks

if TYPE_CHECKING:
    from types import CodeType

    from atom_testinfra.mutation.operators.mutants import Module

NOTE = "__testinfra_entered__"
"""The name of the builtin list of counts: a function finds it whatever its globals are."""
MOST_BLOCKS = 1 << 20
"""Capacity of the memory for forks, 8 MB; the kernel provides only pages that are written to."""


class EntryCounts:
    """Counts how often each block is entered: in any thread and, while `follows_forks` is set, in forks."""

    def __init__(self) -> None:
        self._names: list[str] = []
        self.counts: list[int] = []
        """By number of the block. Code adds to it without a call, which a test that traces would see."""
        self._in_forks: memoryview | None = None
        """The counts of forks, in memory that they share with this process; `None` before the first fork."""
        self.follows_forks = False
        """Whether a fork that happens now counts for this process."""

    def install(self) -> None:
        """Let the product's code find the counts; call it once, because hooks of forks cannot be removed."""
        setattr(builtins, NOTE, self.counts)
        os.register_at_fork(before=self._before_fork, after_in_child=self._begin_in_fork)

    def _before_fork(self) -> None:
        if self.follows_forks and self._in_forks is None:
            self._in_forks = memoryview(mmap.mmap(-1, 8 * MOST_BLOCKS)).cast("q")

    def _begin_in_fork(self) -> None:
        if self.follows_forks:
            setattr(builtins, NOTE, self._in_forks)

    def compile(self, module: Module, filename: str) -> CodeType:
        """Return the code of a module whose functions count their blocks; its lines stay as they are."""
        tree = ast.parse(module.text)  # much quicker than a copy of the tree
        for body, block in list(walk_blocks(tree)):
            if block.function is not None:
                number = len(self._names)
                self._names.append(f"{module.path}:{block.key}")
                self.counts.append(0)
                body.insert(int(_is_docstring(body[0])), _entry(number, body[0]))
        return compile(tree, filename, "exec", dont_inherit=True)

    def take(self) -> dict[str, int]:
        """Return the entries since the last call, by block, and begin again."""
        found: dict[str, int] = {}
        for counts in (self.counts,) if self._in_forks is None else (self.counts, self._in_forks):
            for number, name in enumerate(self._names):
                if count := counts[number]:
                    found[name] = found.get(name, 0) + count
                    counts[number] = 0
        return found


def _entry(number: int, at: ast.stmt) -> ast.stmt:
    place = ast.Subscript(ast.Name(NOTE, ast.Load()), ast.Constant(number), ast.Store())
    added = ast.AugAssign(place, ast.Add(), ast.Constant(1))
    return ast.fix_missing_locations(ast.copy_location(added, at))


def _is_docstring(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
