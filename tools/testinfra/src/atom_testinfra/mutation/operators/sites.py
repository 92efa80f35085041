"""The places of a module that a mutant can change: blocks, statements, and a change that can be undone."""

from __future__ import annotations

import ast
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Change = Callable[[], Callable[[], None]]
    """Changes the tree when it is called, and returns what undoes the change."""

Definition = ast.FunctionDef | ast.AsyncFunctionDef


class Block(NamedTuple):
    """A list of statements that run together: which function it is in, and which of its blocks it is."""

    function: str | None
    """Qualified name of the outermost function, `None` for the module and the bodies of classes."""
    line: int
    """First line of the function, 0 outside of functions: two functions may share a name."""
    ordinal: int
    """Number of the block in its function, in the order of the source."""
    n_namesakes: int = 0
    """How many functions before it in the module have its name: a setter has its getter's, for example."""

    @property
    def key(self) -> str:
        """A name of the block that edits of other functions do not change."""
        namesakes = f"{self.n_namesakes}:" if self.n_namesakes else ""
        return f"{self.function}#{namesakes}{self.ordinal}"


OUTSIDE = Block(None, 0, 0)


class Site(NamedTuple):
    """A change that can be made to a tree."""

    operator: str
    block: Block
    statement: ast.stmt
    change: Change
    is_hidden: bool = False
    """Only a text changes that a person reads, such as an error's message."""


def walk_blocks(tree: ast.Module) -> Iterator[tuple[list[ast.stmt], Block]]:
    """Yield each list of statements of a module with its block, outer ones before inner ones."""
    yield from _outside(tree.body, (), Counter())


def _outside(
    body: list[ast.stmt], names: tuple[str, ...], n_seen: Counter[str]
) -> Iterator[tuple[list[ast.stmt], Block]]:
    """Yield the blocks of a body that is in no function; `n_seen` counts the functions by name."""
    yield body, OUTSIDE
    for node in body:
        if isinstance(node, ast.ClassDef):
            yield from _outside(node.body, (*names, node.name), n_seen)
        elif isinstance(node, Definition):
            first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            name = ".".join((*names, node.name))
            yield from _inside(node.body, Block(name, first, 0, n_seen[name]), [0])
            n_seen[name] += 1
        elif not is_inert(node):
            for inner in _inner_bodies(node):
                yield from _outside(inner, names, n_seen)


def _inside(body: list[ast.stmt], block: Block, counter: list[int]) -> Iterator[tuple[list[ast.stmt], Block]]:
    """Yield the blocks of a body that is in a function."""
    yield body, block
    for node in body:
        if is_inert(node):
            continue
        for inner in _inner_bodies(node):
            yield from _inside(inner, _next(block, counter), counter)


def _next(block: Block, counter: list[int]) -> Block:
    counter[0] += 1
    return block._replace(ordinal=counter[0])


def _inner_bodies(node: ast.stmt) -> Iterator[list[ast.stmt]]:
    for part in (node, *getattr(node, "handlers", ()), *getattr(node, "cases", ())):
        for name in ("body", "orelse", "finalbody"):
            if inner := getattr(part, name, None):
                yield inner


def is_inert(node: ast.stmt) -> bool:
    """Return whether a statement does nothing when it runs, or only something for a type checker."""
    match node:
        case ast.Expr(value=ast.Constant()):
            return True
        case ast.If(test=ast.Name(id="TYPE_CHECKING") | ast.Attribute(attr="TYPE_CHECKING")):
            return True
        case ast.Import() | ast.ImportFrom() | ast.Pass() | ast.Global() | ast.Nonlocal():
            return True
        case ast.AnnAssign(value=None):
            return True
    return False


def replace_field(node: ast.AST, name: str, value: object) -> Change:
    """Return the change that gives a node's field another value."""

    def change() -> Callable[[], None]:
        before = getattr(node, name)
        setattr(node, name, value)
        return lambda: setattr(node, name, before)

    return change


def replace_item(items: list[Any], index: int, value: object) -> Change:
    """Return the change that puts another value into a list."""

    def change() -> Callable[[], None]:
        before = items[index]
        items[index] = value
        return lambda: items.__setitem__(index, before)

    return change


def exchange_values(one: ast.keyword, other: ast.keyword) -> Change:
    """Return the change that exchanges the values of two keyword arguments."""

    def exchange() -> None:
        one.value, other.value = other.value, one.value

    def change() -> Callable[[], None]:
        exchange()
        return exchange

    return change


def without(items: list[Any], index: int) -> list[Any]:
    """Return the list without one of its items."""
    return items[:index] + items[index + 1 :]
