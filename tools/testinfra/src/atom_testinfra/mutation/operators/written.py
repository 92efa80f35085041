"""Faults that a person wrote down: what the source says, and what it would say with the fault."""

from __future__ import annotations

import ast
import os
import tomllib
from io import StringIO
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from atom_testinfra.core.errors import ConfigError
from atom_testinfra.mutation.operators.sites import OUTSIDE, Block, Site, replace_field, walk_blocks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from atom_testinfra.core.mutants import Mutant
    from atom_testinfra.mutation.operators.mutants import Module

OPERATOR = "written down"
PUT_BACK = "removed lines put back"


class WrittenFault(Struct, frozen=True, kw_only=True):
    """A text of one file that is replaced by another; other keys of an entry are its owner's."""

    path: str
    before: str
    """Occurs exactly once in the file."""
    after: str
    says: str
    """What goes wrong, in a sentence."""
    is_put_back: bool = False
    """The lines that `after` adds were removed; every test that enters their function is asked."""


def load_written(path: Path) -> list[WrittenFault]:
    """
    Return the faults of a TOML file: tables `[[fault]]` with path, before, after and says.

    Raises:
        ConfigError: The file cannot be read, or an entry lacks a key.
    """
    try:
        entries = tomllib.loads(path.read_text(encoding="utf-8")).get("fault", [])
        return msgspec.convert(entries, list[WrittenFault])
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as exc:
        raise ConfigError(
            f"cannot read {os.fspath(path)!r}: {exc}",
            hint="each [[fault]] has a path, a before, an after, and says what goes wrong",
        ) from exc


def put_back(module: Module, after: int, lines: Sequence[str]) -> WrittenFault | None:
    """
    Return the fault that puts lines back which were removed from a function; `None` if they do not fit there.

    Args:
        module: The module as it is now, without the lines.
        after: The line that they stood below, 0 at the start of the file.
        lines: The lines, without what ends them.
    """
    now = [*StringIO(module.text)]  # a form feed ends no line, neither for git nor for Python
    back = "".join(f"{line}\n" for line in lines)
    code = [i for i, line in enumerate(lines) if line.strip() and not line.lstrip().startswith("#")]
    if not code:
        return None
    first = after + 1 + code[0]
    for n_before, n_after in ((0, 1), (1, 0), (1, 1), (0, 2), (2, 0), (2, 2), (3, 3)):
        above, below = now[max(after - n_before, 0) : after], now[after : after + n_after]
        before = "".join([*above, *below])
        fault = WrittenFault(
            path=module.path,
            before=before,
            after="".join([*above, back, *below]),
            says=f"what was removed from {module.path} below line {after}",
            is_put_back=True,
        )
        if not before.strip() or find_problem(fault, {module.path: module}) is not None:
            continue
        tree = ast.parse(module.text.replace(fault.before, fault.after))
        function = _block_at(tree, first, first)[0].function
        if function is not None and _site(module, tree, fault).block.function == function:
            return fault
    return None


def apply_written(faults: Sequence[WrittenFault], modules: Mapping[str, Module]) -> list[Mutant]:
    """
    Return a mutant for each fault.

    Raises:
        ConfigError: Faults name no file of the product, or a text that is not there exactly once, or would
            make their file invalid; all of them are named.
    """
    problems = [problem for fault in faults if (problem := find_problem(fault, modules)) is not None]
    if problems:
        raise ConfigError(
            "\n".join([f"{len(problems)} of {len(faults)} written faults do not apply:", *problems]),
            hint="write down a text that stands exactly once in the file as it is now",
        )
    mutants = []
    for fault in faults:
        module = modules[fault.path]
        text = module.text.replace(fault.before, fault.after)
        mutants.append(module.add(_site(module, ast.parse(text), fault), text))
    return mutants


def find_problem(fault: WrittenFault, modules: Mapping[str, Module]) -> str | None:
    """Return why a fault does not apply to the product as it is now, or `None` when it does."""
    module = modules.get(fault.path)
    if module is None:
        return f"{fault.says!r}: {fault.path!r} is not a file of the product"
    n_times = module.text.count(fault.before)
    if n_times != 1:
        return f"{fault.says!r}: {fault.path} has {n_times} times {fault.before!r}"
    try:
        ast.parse(module.text.replace(fault.before, fault.after))
    except SyntaxError as exc:
        return f"{fault.says!r}: {fault.path} would be invalid ({exc})"
    return None


def _site(module: Module, after: ast.Module, fault: WrittenFault) -> Site:
    begin = module.text.index(fault.before)
    first = module.text.count("\n", 0, begin + len(fault.before) - len(fault.before.lstrip())) + 1
    last = module.text.count("\n", 0, begin + len(fault.before.rstrip())) + 1
    block, statement = _block_at(module.tree, first, last)
    if not _has_function(after, block):
        block = OUTSIDE
    elif fault.is_put_back:
        block = block._replace(ordinal=0)  # every test that enters the function, not only the lines beside it
    return Site(
        PUT_BACK if fault.is_put_back else OPERATOR,
        block,
        statement,
        replace_field(module.tree, "body", after.body),
    )


def _block_at(tree: ast.Module, first: int, last: int) -> tuple[Block, ast.stmt]:
    """Return the innermost block and statement that hold the first line, if one function holds all lines."""
    found, statement = OUTSIDE, tree.body[0]
    ends = 0
    for body, block in walk_blocks(tree):
        for node in body:
            if node.lineno <= first <= (node.end_lineno or node.lineno):
                statement = node
                if block.function is not None:
                    if block.function != found.function or block.line != found.line:
                        ends = body[-1].end_lineno or 0
                    found = block
    return (found, statement) if last <= ends else (OUTSIDE, statement)


def _has_function(tree: ast.Module, block: Block) -> bool:
    places = {(found.function, found.line) for _, found in walk_blocks(tree)}
    return (block.function, block.line) in places
