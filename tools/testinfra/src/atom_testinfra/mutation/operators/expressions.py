"""What can go wrong inside an expression: another operator, another name, a part that is missing."""

from __future__ import annotations

import ast
import re
from itertools import pairwise
from typing import TYPE_CHECKING

from atom_testinfra.mutation.operators.sites import (
    Block,
    Site,
    exchange_values,
    replace_field,
    replace_item,
    without,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from atom_testinfra.mutation.operators.names import Names
    from atom_testinfra.mutation.operators.sites import Change

    Put = Callable[[ast.expr], Change]
    """Makes the change that puts another expression into this one's place."""
    Found = Iterator[tuple[str, Change]]
    """Operators and what each changes."""

COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE, ast.Gt),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE, ast.Lt),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq, ast.GtE),
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
ITEMS = ast.Call | ast.Starred | ast.Compare
"""Elements of a list or tuple that can be left out; other ones often stand for their place."""
SQL = re.compile(r"\b(SELECT|UPDATE|DELETE|INSERT|PRAGMA)\b")
SQL_WORDS = (
    (r"\bAND\b", "OR"),
    (r"\bASC\b", "DESC"),
    (r"\bDESC\b", "ASC"),
    (r"\bFOR UPDATE\b", ""),
    (r"\bDISTINCT\b", ""),
    (r"\bON$", "OFF"),
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
            yield from _of_identity(node, put, names)
        case ast.BinOp() if not _is_text(node):
            if type(node.op) in ARITHMETIC:
                yield "arithmetic", replace_field(node, "op", ARITHMETIC[type(node.op)]())
            yield "operand", put(node.left)
            yield "operand", put(node.right)
            if isinstance(node.op, ast.Add) and isinstance(node.right, ast.List | ast.ListComp):
                yield "order", put(_placed(ast.BinOp(node.right, node.op, node.left), node))
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
            yield "branch", put(_placed(ast.IfExp(node.test, node.orelse, node.body), node))
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
                is_set = isinstance(node, ast.Set)
                if len(node.elts) > 1 and (is_set or isinstance(element, ITEMS)):
                    yield "item", replace_field(node, "elts", without(node.elts, index))
        case ast.Await():
            yield "await", put(node.value)
        case ast.Subscript(slice=ast.Slice(), ctx=ast.Load()):
            yield "slice", put(node.value)
        case ast.ListComp():
            yield "empty", put(_placed(ast.List(elts=[], ctx=ast.Load()), node))
        case ast.match_case(guard=ast.expr() as guard):
            negated = ast.UnaryOp(op=ast.Not(), operand=guard)
            yield "negation", replace_field(node, "guard", _placed(negated, guard))
        case ast.Attribute(ctx=ast.Load()):
            if isinstance(node.value, ast.Attribute):
                yield "attribute", put(node.value)
            for other_name in (*names.find_members(node), *names.find_fields(node)):
                yield "other name", replace_field(node, "attr", other_name)
        case ast.Name(ctx=ast.Load()):
            for other_name in (*names.find_arguments(node), *names.find_constants(node)):
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
            if number > 2:
                yield "constant", put(_constant(0, node))
        case float() as number:
            yield "constant", put(_constant(round(number + FLOAT_STEP, 6), node))
            yield "constant", put(_constant(round(number - FLOAT_STEP, 6), node))
            yield "constant", put(_constant(0.0 if number else 1.0, node))
            yield "constant", put(_constant(number / 2, node))
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
    for keyword in node.keywords:
        if keyword.arg is not None and not isinstance(keyword.value, ast.Constant):
            yield from _of_value(keyword, node.keywords)
    if name == "order_by" and node.args and not isinstance(node.args[0], ast.Starred):
        descending = ast.Call(func=ast.Attribute(node.args[0], "desc", ast.Load()), args=[], keywords=[])
        yield "order", replace_item(node.args, 0, _placed(descending, node))


def _of_identity(node: ast.Compare, put: Put, names: Names) -> Found:
    """Yield the opposite comparison with another member: `is not DONE` becomes `is OPEN`."""
    match node:
        case ast.Compare(ops=[ast.Is() | ast.IsNot() as operator], comparators=[ast.Attribute() as member]):
            opposite = ast.IsNot() if isinstance(operator, ast.Is) else ast.Is()
            for other in names.find_members(member):
                changed = ast.Attribute(member.value, other, ast.Load())
                yield "other member", put(_placed(ast.Compare(node.left, [opposite], [changed]), node))


def _of_value(keyword: ast.keyword, beside: Sequence[ast.keyword]) -> Found:
    """Yield other values of a keyword argument: none, a fixed truth, or what another argument reads."""
    value = keyword.value

    def becomes(new: ast.expr) -> Change:
        return replace_field(keyword, "value", _placed(new, value))

    match value:
        case ast.Name() | ast.Attribute():
            yield "argument", becomes(ast.Constant(value=None))
        case ast.Compare() | ast.BoolOp():
            yield "argument", becomes(ast.Constant(value=True))
            yield "argument", becomes(ast.Constant(value=False))
        case ast.Dict() | ast.Call(func=ast.Name(id="dict")):
            yield "empty", becomes(ast.Dict(keys=[], values=[]))
    if isinstance(value, ast.Attribute):
        owner = ast.dump(value.value)
        for read in (other.value for other in beside):
            if isinstance(read, ast.Attribute) and read.attr != value.attr and ast.dump(read.value) == owner:
                yield "other name", replace_field(value, "attr", read.attr)


def _placed(new: ast.expr, at: ast.AST) -> ast.expr:
    """Return a new expression with the position of an old one."""
    return ast.fix_missing_locations(ast.copy_location(new, at))


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
