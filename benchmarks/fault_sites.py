"""Where a module can be broken: the places that an operator can change, and how the source reads then."""

from __future__ import annotations

import ast
import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Change = Callable[[], Callable[[], None]]
    """Changes the tree when called, and returns what changes it back."""

Key = tuple[str, str, str, str]

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
    "leave": "join",
}
LINKS = frozenset(
    {
        *(
            "where",
            "filter",
            "order_by",
            "limit",
            "offset",
            "distinct",
            "group_by",
            "having",
            "with_for_update",
        ),
        *(
            "strip",
            "lower",
            "upper",
            "casefold",
            "desc",
            "asc",
            "correlate",
            "returning",
            "execution_options",
        ),
    }
)
"""Calls that can be left out of a chain."""
CLAUSES = frozenset({"where", "filter", "and_", "or_", "order_by"})
"""Calls whose arguments can be left out one by one."""
FLOAT_STEP = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A module with one change: where, by which operator, and the whole source afterwards."""

    service: str
    path: str
    operator: str
    function: str | None
    line: int
    before: str
    after: str
    source: str

    @property
    def key(self) -> Key:
        """What names the fault as long as its lines read as they do: path, function, before and after."""
        return self.path, self.function or "", self.before, self.after

    @property
    def difference(self) -> str:
        """The lines that changed."""
        return f"- {self.before}\n+ {self.after}".replace("\n", "\n  ").replace("\n  +", "\n+")


@dataclass(frozen=True, slots=True)
class Site:
    """A change that can be made to a tree."""

    operator: str
    function: str | None
    line: int
    statement: ast.AST
    change: Change


class Module:
    """A module of the product and the sites in it."""

    def __init__(self, service: str, root: Path, path: str) -> None:
        self.service = service
        self.path = path
        self.text = (root / path).read_text(encoding="utf-8")
        self.tree = ast.parse(self.text)
        self.sites = list(_sites(self.tree))

    def fault(self, site: Site) -> Fault:
        """Return what the module reads like with that change."""
        before = ast.unparse(self.tree)
        undo = site.change()
        try:
            after = ast.unparse(self.tree)
        finally:
            undo()
        old, new = changed_lines(before, after)
        return Fault(
            service=self.service,
            path=self.path,
            operator=site.operator,
            function=site.function,
            line=site.line,
            before=old,
            after=new,
            source=after,
        )


def changed_lines(before: str, after: str) -> tuple[str, str]:
    """Return the lines that two sources do not share, stripped."""
    lines = list(difflib.unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm=""))[2:]
    old = "\n".join(line[1:].strip() for line in lines if line.startswith("-"))
    new = "\n".join(line[1:].strip() for line in lines if line.startswith("+"))
    return old, new


def function_at(text: str, line: int) -> str | None:
    """Return the function or method whose body holds the line, None at the level of a class or the module."""

    def search(body: list[ast.stmt], names: tuple[str, ...]) -> str | None:
        for node in body:
            if isinstance(node, ast.ClassDef):
                found = search(node.body, (*names, node.name))
                if found is not None:
                    return found
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.body[0].lineno <= line <= (
                node.end_lineno or node.lineno
            ):
                return ".".join((*names, node.name))
        return None

    return search(ast.parse(text).body, ())


def _sites(tree: ast.Module) -> Iterator[Site]:
    yield from _in_block(tree, "body", (), None)


def _in_block(parent: ast.AST, field: str, names: tuple[str, ...], function: str | None) -> Iterator[Site]:
    """Yield the sites of the statements of a block."""
    block: list[ast.stmt] = getattr(parent, field)
    for i, node in enumerate(block):
        if _is_skipped(node):
            continue
        if isinstance(node, ast.ClassDef):
            yield from _in_block(node, "body", (*names, node.name), function)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            inner = function or ".".join((*names, node.name))
            for default in (*node.args.defaults, *node.args.kw_defaults):
                if default is not None:
                    yield from _in_expressions(node.args, node, function)
                    break
            yield from _in_block(node, "body", names, inner)
        else:
            yield from _of_statement(block, i, function)
            for name, value in ast.iter_fields(node):
                if name in {"body", "orelse", "finalbody"} and isinstance(value, list):
                    yield from _in_block(node, name, names, function)
                elif name == "handlers":
                    for handler in value:
                        yield from _in_block(handler, "body", names, function)


def _is_skipped(node: ast.stmt) -> bool:
    """Whether the statement does nothing: a docstring, an import, what only a type checker sees."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return True
    if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
        return True
    return isinstance(node, ast.Import | ast.ImportFrom | ast.Pass | ast.Global | ast.Nonlocal)


def _of_statement(block: list[ast.stmt], i: int, function: str | None) -> Iterator[Site]:
    """Yield what can be done to the statement as a whole, then to the expressions it begins with."""
    node = block[i]

    def replaced(operator: str, by: ast.stmt) -> Site:
        return Site(operator, function, node.lineno, node, _item(block, i, ast.fix_missing_locations(by)))

    is_setting = isinstance(node, ast.Assign) and not isinstance(node.targets[0], ast.Name | ast.Tuple)
    if isinstance(node, ast.Expr) or (
        function is not None and (is_setting or isinstance(node, ast.AugAssign))
    ):
        yield replaced("statement", ast.Pass())
    elif isinstance(node, ast.Raise):
        yield replaced("raise", ast.Pass())
    elif isinstance(node, ast.Continue):
        yield replaced("loop", ast.Break())
    elif isinstance(node, ast.Break):
        yield replaced("loop", ast.Continue())
    elif isinstance(node, ast.With):
        yield replaced("block", ast.If(test=ast.Constant(True), body=node.body, orelse=[]))
    elif isinstance(node, ast.Return) and node.value is not None:
        if not (isinstance(node.value, ast.Constant) and node.value.value is None):
            yield replaced("return", ast.Return(value=ast.Constant(None)))
    elif isinstance(node, ast.If) and not node.orelse and not isinstance(node.body[0], ast.Raise):
        yield replaced("branch", ast.If(test=ast.Constant(True), body=node.body, orelse=[]))
    if isinstance(node, ast.If | ast.While):
        yield Site("negation", function, node.lineno, node, _negated(node))
    if isinstance(node, ast.Raise | ast.Assert):
        return
    yield from _in_expressions(node, node, function)


def _negated(node: ast.If | ast.While | ast.IfExp) -> Change:
    return _field(node, "test", ast.UnaryOp(op=ast.Not(), operand=node.test))


BLOCKS = frozenset({"body", "orelse", "finalbody", "handlers"})
UNSEEN = frozenset({"annotation", "returns", "decorator_list"})


def _in_expressions(parent: ast.AST, statement: ast.AST, function: str | None) -> Iterator[Site]:
    """Yield the sites of the expressions below a node; blocks of statements are somebody else's."""
    for field, value in ast.iter_fields(parent):
        if field in UNSEEN or (field in BLOCKS and isinstance(value, list)):
            continue
        items = value if isinstance(value, list) else [value]
        for i, node in enumerate(items):
            if not isinstance(node, ast.AST) or isinstance(node, ast.JoinedStr | ast.arg):
                continue
            place: Callable[[ast.expr], Change] = (
                _placer(value, i) if isinstance(value, list) else _setter(parent, field)
            )
            line = getattr(node, "lineno", getattr(statement, "lineno", 0))
            for operator, change in _of_expression(node, place):
                yield Site(operator, function, line, statement, change)
            yield from _in_expressions(node, statement, function)


def _of_expression(node: ast.AST, place: Callable[[ast.expr], Change]) -> Iterator[tuple[str, Change]]:
    match node:
        case ast.Compare():
            for i, op in enumerate(node.ops):
                for other in COMPARISONS[type(op)]:
                    yield "comparison", _item(node.ops, i, other())
        case ast.BinOp() if type(node.op) in ARITHMETIC and not _is_text(node):
            yield "arithmetic", _field(node, "op", ARITHMETIC[type(node.op)]())
        case ast.BoolOp():
            other_op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
            yield "and or", _field(node, "op", other_op)
            for i in range(len(node.values)):
                yield "and or", _field(node, "values", node.values[:i] + node.values[i + 1 :])
        case ast.UnaryOp(op=ast.Not() | ast.USub()):
            yield "sign" if isinstance(node.op, ast.USub) else "negation", place(node.operand)
        case ast.IfExp():
            yield "negation", _negated(node)
        case ast.Constant(value=bool() as flag):
            yield "constant", place(ast.Constant(not flag))
        case ast.Constant(value=int() as number):
            yield "constant", place(ast.Constant(number + 1))
            yield "constant", place(ast.Constant(number - 1))
        case ast.Constant(value=float() as number):
            yield "constant", place(ast.Constant(round(number + FLOAT_STEP, 6)))
            yield "constant", place(ast.Constant(round(number - FLOAT_STEP, 6)))
        case ast.comprehension(ifs=[_, *_]):
            yield "filter", _field(node, "ifs", [])
        case ast.Call():
            yield from _of_call(node, place)


def _of_call(node: ast.Call, place: Callable[[ast.expr], Change]) -> Iterator[tuple[str, Change]]:
    name = getattr(node.func, "attr", getattr(node.func, "id", ""))
    if name in NAMES:
        field = "attr" if isinstance(node.func, ast.Attribute) else "id"
        yield "other function", _field(node.func, field, NAMES[name])
    if name in LINKS and isinstance(node.func, ast.Attribute):
        yield "clause" if name in CLAUSES else "call", place(node.func.value)
    if name in CLAUSES and len(node.args) > 1:
        for i in range(len(node.args)):
            yield "clause", _field(node, "args", node.args[:i] + node.args[i + 1 :])
    if name in {"sorted", "reversed", "sum", "abs", "round", "set", "frozenset"} and len(node.args) == 1:
        yield "call", place(node.args[0])
    if name == "round" and len(node.args) > 1:
        yield "call", place(node.args[0])


def _is_text(node: ast.BinOp) -> bool:
    return any(
        isinstance(side, ast.JoinedStr) or (isinstance(side, ast.Constant) and isinstance(side.value, str))
        for side in (node.left, node.right)
    )


def _field(node: ast.AST, field: str, value: object) -> Change:
    def change() -> Callable[[], None]:
        before = getattr(node, field)
        setattr(node, field, value)
        return lambda: setattr(node, field, before)

    return change


def _item(items: list[Any], i: int, value: object) -> Change:
    def change() -> Callable[[], None]:
        before = items[i]
        items[i] = value
        return lambda: items.__setitem__(i, before)

    return change


def _setter(node: ast.AST, field: str) -> Callable[[ast.expr], Change]:
    return lambda value: _field(node, field, value)


def _placer(items: list[ast.expr], i: int) -> Callable[[ast.expr], Change]:
    return lambda value: _item(items, i, value)
