"""What can go wrong with a statement as a whole: it is missing, or its check is, or it runs too rarely."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from atom_testinfra.mutation.operators.expressions import find_expression_sites
from atom_testinfra.mutation.operators.names import Names
from atom_testinfra.mutation.operators.sites import (
    Block,
    Definition,
    Site,
    is_inert,
    replace_field,
    replace_item,
    walk_blocks,
    without,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from atom_testinfra.mutation.operators.sites import Change

KEPT_DECORATORS = frozenset(
    {"property", "staticmethod", "classmethod", "overload", "abstractmethod", "setter", "dataclass", "wraps"}
)
"""Without one of these a module rarely works at all, which says nothing about a test."""


def find_sites(tree: ast.Module) -> Iterator[Site]:
    """Yield every change that an operator can make to a module, in the order of the source."""
    names = Names(tree)
    for body, block in walk_blocks(tree):
        for index, node in enumerate(body):
            if isinstance(node, Definition):
                yield from find_expression_sites(node.args, node, block, names)
                yield from _find_decorator_sites(node, block)
                yield from _find_annotation_sites(node, block, names)
            elif isinstance(node, ast.ClassDef):
                yield from _find_decorator_sites(node, block)
            elif not is_inert(node):
                yield from _find_statement_sites(body, index, block, names)


def _find_decorator_sites(node: Definition | ast.ClassDef, block: Block) -> Iterator[Site]:
    for index, decorator in enumerate(node.decorator_list):
        called = decorator.func if isinstance(decorator, ast.Call) else decorator
        name = getattr(called, "attr", getattr(called, "id", ""))
        if name not in KEPT_DECORATORS:
            change = replace_field(node, "decorator_list", without(node.decorator_list, index))
            yield Site("decorator", block, node, change)


def _find_annotation_sites(node: Definition, block: Block, names: Names) -> Iterator[Site]:
    """
    Yield other annotations of a handler's arguments.

    A handler is registered by a call, as in `@router.get("/")`. What registers it may read its annotations,
    for example to see what a request has to bring along; other functions' annotations change nothing.
    """
    if any(isinstance(one, ast.Call) and isinstance(one.func, ast.Attribute) for one in node.decorator_list):
        for argument in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs):
            for other in names.find_annotations(argument):
                placed = ast.fix_missing_locations(ast.copy_location(other, argument))
                yield Site("annotation", block, node, replace_field(argument, "annotation", placed))


def _find_statement_sites(body: list[ast.stmt], index: int, block: Block, names: Names) -> Iterator[Site]:
    node = body[index]

    def becomes(operator: str, replacement: ast.stmt) -> Site:
        ast.copy_location(replacement, node)
        return Site(operator, block, node, replace_item(body, index, ast.fix_missing_locations(replacement)))

    match node:
        case ast.Expr() | ast.Delete():
            yield becomes("statement", ast.Pass())
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript(), *_]) if block.function is not None:
            yield becomes("statement", ast.Pass())
        case ast.Assign(targets=[ast.Name(id=name)], value=value) if _reads(value, name):
            yield becomes("statement", ast.Pass())
        case ast.AugAssign():
            if block.function is not None:
                yield becomes("statement", ast.Pass())
            yield becomes("assignment", ast.Assign(targets=[node.target], value=node.value))
        case ast.Raise():
            yield becomes("raise", ast.Pass())
            yield from _find_raise_sites(node, block)
        case ast.Continue():
            yield becomes("loop", ast.Break())
        case ast.Break():
            yield becomes("loop", ast.Continue())
        case ast.With() | ast.AsyncWith():
            yield becomes("context", ast.If(test=ast.Constant(value=True), body=node.body, orelse=[]))
        case ast.Return(value=ast.expr() as value) if not _is_none(value):
            yield becomes("return", ast.Return(value=ast.Constant(value=None)))
        case ast.If():
            yield from _find_if_sites(node, block, becomes("check", ast.Pass()))
        case ast.While():
            yield Site("negation", block, node, _negate(node))
        case ast.For() | ast.AsyncFor():
            once = [*node.body, ast.copy_location(ast.Break(), node)]
            yield Site("loop", block, node, replace_field(node, "body", once))
        case ast.Try():
            yield from _find_handler_sites(node, block)
    if not isinstance(node, ast.Raise | ast.Assert):
        yield from find_expression_sites(node, node, block, names)
    elif isinstance(node, ast.Raise):
        for site in find_expression_sites(node, node, block, names):
            yield site._replace(is_hidden=True)


def _find_if_sites(node: ast.If, block: Block, removed: Site) -> Iterator[Site]:
    yield Site("negation", block, node, _negate(node))
    if not node.orelse:
        yield removed
        if not isinstance(node.body[0], ast.Raise):
            yield Site("branch", block, node, replace_field(node, "test", _true(node)))
    else:
        yield Site("branch", block, node, replace_field(node, "orelse", []))


def _find_raise_sites(node: ast.Raise, block: Block) -> Iterator[Site]:
    match node.exc:
        case ast.Call(func=ast.Name() | ast.Attribute() as kind) if _name_of(kind) != "Exception":
            other = ast.copy_location(ast.Name(id="Exception", ctx=ast.Load()), kind)
            plain = ast.copy_location(ast.Call(func=other, args=[], keywords=[]), node)
            yield Site("exception", block, node, replace_field(node, "exc", plain))


def _find_handler_sites(node: ast.Try, block: Block) -> Iterator[Site]:
    for handler in node.handlers:
        if not (len(handler.body) == 1 and isinstance(handler.body[0], ast.Raise)):
            again = [ast.copy_location(ast.Raise(exc=None, cause=None), handler)]
            yield Site("handler", block, node, replace_field(handler, "body", again))
        if any(isinstance(inner, ast.Raise) for inner in ast.walk(handler)):
            swallowed = [ast.copy_location(ast.Pass(), handler)]
            yield Site("handler", block, node, replace_field(handler, "body", swallowed))
    if node.finalbody:
        nothing = [ast.copy_location(ast.Pass(), node.finalbody[0])]
        yield Site("handler", block, node, replace_field(node, "finalbody", nothing))


def _reads(value: ast.expr, name: str) -> bool:
    return any(isinstance(node, ast.Name) and node.id == name for node in ast.walk(value))


def _negate(node: ast.If | ast.While) -> Change:
    negated = ast.copy_location(ast.UnaryOp(op=ast.Not(), operand=node.test), node.test)
    return replace_field(node, "test", negated)


def _true(node: ast.stmt) -> ast.Constant:
    return ast.copy_location(ast.Constant(value=True), node)


def _is_none(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and value.value is None


def _name_of(node: ast.expr) -> str:
    return getattr(node, "attr", getattr(node, "id", ""))
