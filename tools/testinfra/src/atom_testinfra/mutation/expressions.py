"""What can go wrong inside an expression: another operator, another name, a part that is missing."""

from __future__ import annotations

import ast
import re
from itertools import pairwise
from typing import TYPE_CHECKING

from atom_testinfra.mutation.sites import (
    Block,
    Site,
    exchange_values,
    replace_field,
    replace_item,
    without,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from atom_testinfra.mutation.names import Names
    from atom_testinfra.mutation.sites import Change

    Put = Callable[[ast.expr], Change]
    """Makes the change that puts another expression into this one's place."""
    Found = Iterator[tuple[str, Change]]
    """Operators and what each changes."""

COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Add,
    ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
NAMES = {
    "min": "max",
    "max": "min",
    "any": "all",
    "all": "any",
    "and_": "or_",
    "or_": "and_",
    "floor": "ceil",
    "ceil": "floor",
    "asc": "desc",
    "desc": "asc",
    "popleft": "pop",
    "extendleft": "extend",
    "appendleft": "append",
    "startswith": "endswith",
    "endswith": "startswith",
    "lower": "upper",
    "upper": "lower",
    "union": "intersection",
    "intersection": "union",
}
"""Functions and methods that are easily taken for one another."""
LINKS = frozenset(
    {
        "where",
        "filter",
        "filter_by",
        "order_by",
        "limit",
        "offset",
        "distinct",
        "group_by",
        "having",
        "with_for_update",
        "strip",
        "lower",
        "upper",
        "casefold",
        "desc",
        "asc",
        "correlate",
        "returning",
        "execution_options",
        "nulls_last",
        "nulls_first",
        "on_conflict_do_nothing",
        "on_conflict_do_update",
        "copy",
    }
)
"""Calls that can be left out of a chain."""
CLAUSES = frozenset({"where", "filter", "and_", "or_", "order_by", "group_by", "having"})
"""Calls whose arguments can be left out one by one."""
SIDES = frozenset({"min", "max"})
"""Calls that can give way to each of their arguments."""
FLOAT_STEP = 0.01
SQL = re.compile(r"\b(SELECT|UPDATE|DELETE|INSERT)\b")
SQL_WORDS = (
    (r"\bAND\b", "OR"),
    (r"\bASC\b", "DESC"),
    (r"\bDESC\b", "ASC"),
    (r"\bFOR UPDATE\b", ""),
    (r"\bDISTINCT\b", ""),
)
"""Words of a statement in SQL, and what stands there instead."""
BLOCK_FIELDS = frozenset({"body", "orelse", "finalbody", "handlers", "cases"})
UNSEEN_FIELDS = frozenset({"annotation", "returns", "decorator_list", "type_params"})


def find_expression_sites(parent: ast.AST, statement: ast.stmt, block: Block, names: Names) -> Iterator[Site]:
    """Yield the changes to the expressions below a node, without those in blocks of other statements."""
    for name, value in ast.iter_fields(parent):
        if name in UNSEEN_FIELDS or (name in BLOCK_FIELDS and isinstance(value, list)):
            continue
        for index, node in enumerate(value if isinstance(value, list) else [value]):
            if not isinstance(node, ast.AST) or isinstance(node, ast.JoinedStr | ast.arg):
                continue
            put = _puts_item(value, index) if isinstance(value, list) else _puts_field(parent, name)
            for operator, change in _of_expression(node, put, names):
                yield Site(operator, block, statement, change, is_hidden=operator == "text")
            yield from find_expression_sites(node, statement, block, names)


def _of_expression(node: ast.AST, put: Put, names: Names) -> Found:
    match node:
        case ast.Compare():
            for index, operator in enumerate(node.ops):
                for comparison in COMPARISONS[type(operator)]:
                    yield "comparison", replace_item(node.ops, index, comparison())
        case ast.BinOp() if not _is_text(node):
            if type(node.op) in ARITHMETIC:
                yield "arithmetic", replace_field(node, "op", ARITHMETIC[type(node.op)]())
            yield "operand", put(node.left)
            yield "operand", put(node.right)
        case ast.BoolOp():
            other = ast.Or() if isinstance(node.op, ast.And) else ast.And()
            yield "and or", replace_field(node, "op", other)
            for index in range(len(node.values)):
                rest = without(node.values, index)
                yield "operand", put(rest[0]) if len(rest) == 1 else replace_field(node, "values", rest)
        case ast.UnaryOp(op=ast.Not() | ast.USub()):
            yield "sign" if isinstance(node.op, ast.USub) else "negation", put(node.operand)
        case ast.IfExp():
            yield "branch", put(node.body)
            yield "branch", put(node.orelse)
        case ast.Constant():
            yield from _of_constant(node, put)
        case ast.comprehension(ifs=[_, *_]):
            for index in range(len(node.ifs)):
                yield "filter", replace_field(node, "ifs", without(node.ifs, index))
        case ast.Slice():
            for bound in ("lower", "upper"):
                if getattr(node, bound) is not None:
                    yield "slice", replace_field(node, bound, None)
        case ast.Dict():
            for index in range(len(node.keys)):
                yield "item", _without_pair(node, index)
        case ast.List() | ast.Tuple() | ast.Set() if isinstance(getattr(node, "ctx", ast.Load()), ast.Load):
            for index, element in enumerate(node.elts):
                if len(node.elts) > 1 and isinstance(element, ast.Call | ast.Starred):
                    yield "item", replace_field(node, "elts", without(node.elts, index))
        case ast.Await():
            yield "await", put(node.value)
        case ast.Attribute(ctx=ast.Load()):
            for other_name in (*names.find_members(node), *names.find_fields(node)):
                yield "other name", replace_field(node, "attr", other_name)
        case ast.Name(ctx=ast.Load()):
            for other_name in names.find_arguments(node):
                yield "other name", replace_field(node, "id", other_name)
        case ast.Call():
            yield from _of_call(node, put)


def _of_constant(node: ast.Constant, put: Put) -> Found:
    match node.value:
        case bool() as flag:
            yield "constant", put(_constant(not flag, node))
        case int() as number:
            yield "constant", put(_constant(number + 1, node))
            yield "constant", put(_constant(number - 1, node))
        case float() as number:
            yield "constant", put(_constant(round(number + FLOAT_STEP, 6), node))
            yield "constant", put(_constant(round(number - FLOAT_STEP, 6), node))
        case str() as text if SQL.search(text):
            for pattern, word in SQL_WORDS:
                if re.search(pattern, text):
                    yield "sql", put(_constant(re.sub(pattern, word, text, count=1), node))
        case str() as text if text:
            yield "text", put(_constant("", node))


def _of_call(node: ast.Call, put: Put) -> Found:
    name = getattr(node.func, "attr", getattr(node.func, "id", ""))
    if name in NAMES:
        field = "attr" if isinstance(node.func, ast.Attribute) else "id"
        yield "other function", replace_field(node.func, field, NAMES[name])
    if name in LINKS and isinstance(node.func, ast.Attribute):
        yield "clause" if name in CLAUSES else "call", put(node.func.value)
    if name in CLAUSES and len(node.args) > 1:
        for index in range(len(node.args)):
            yield "clause", replace_field(node, "args", without(node.args, index))
    if name in SIDES and len(node.args) > 1:
        for argument in node.args:
            if not isinstance(argument, ast.Starred):
                yield "operand", put(argument)
    is_passed_by = len(node.args) == 1 and not isinstance(node.args[0], ast.Starred | ast.GeneratorExp)
    if is_passed_by or (name == "round" and node.args):
        yield "call", put(node.args[0])
    for index, keyword in enumerate(node.keywords):
        if keyword.arg is not None:
            yield "argument", replace_field(node, "keywords", without(node.keywords, index))
    named = [keyword for keyword in node.keywords if isinstance(keyword.value, ast.Name | ast.Attribute)]
    for one, other in pairwise(named):
        if ast.dump(one.value) != ast.dump(other.value):
            yield "argument", exchange_values(one, other)


def _constant(value: str | float, at: ast.Constant) -> ast.Constant:
    return ast.copy_location(ast.Constant(value=value), at)


def _without_pair(node: ast.Dict, index: int) -> Change:
    def change() -> Callable[[], None]:
        before = node.keys, node.values
        node.keys, node.values = without(node.keys, index), without(node.values, index)

        def undo() -> None:
            node.keys, node.values = before

        return undo

    return change


def _is_text(node: ast.BinOp) -> bool:
    return any(
        isinstance(side, ast.JoinedStr) or (isinstance(side, ast.Constant) and isinstance(side.value, str))
        for side in (node.left, node.right)
    )


def _puts_field(parent: ast.AST, name: str) -> Put:
    return lambda value: replace_field(parent, name, value)


def _puts_item(items: list[ast.expr], index: int) -> Put:
    return lambda value: replace_item(items, index, value)
