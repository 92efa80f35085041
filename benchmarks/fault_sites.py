"""Where a module can be broken: the places that an operator can change, and how the source reads then."""

from __future__ import annotations

import ast
import difflib
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

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
PASSED_BY = frozenset({"sorted", "reversed", "sum", "abs", "round", "set", "frozenset"})
"""Calls that can give way to their argument."""
KEEPING = frozenset({"cache", "cached_property", "lru_cache", "upsert"})
"""Decorators that keep what a function returned."""
FLOAT_STEP = 0.01
SCOPES = {"Administering": "Writing", "Writing": "Recording"}
"""What a route asks of a key, and the next lower thing to ask."""


class Place(NamedTuple):
    """The function that a change is in, None outside of functions, and the line its block begins at."""

    function: str | None
    line: int


OUTSIDE = Place(None, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A module with one change: where, by which operator, and the whole source afterwards."""

    service: str
    path: str
    operator: str
    place: Place
    line: int
    before: str
    after: str
    source: str
    held_by: tuple[str, ...] = ()
    """The properties that are there for it, if a person said so."""

    @property
    def function(self) -> str | None:
        """The function it is in."""
        return self.place.function

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
    place: Place
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

    @cached_property
    def built_once(self) -> frozenset[str]:
        """Functions whose result is kept: a test that is not the first to need it does not reach them."""
        return frozenset(
            node.name
            for node in ast.walk(self.tree)
            if isinstance(node, ast.FunctionDef)
            for decorator in node.decorator_list
            if ast.unparse(decorator).split("(")[0].split(".")[-1] in KEEPING
        )

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
            place=site.place,
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


def place_at(text: str, line: int) -> Place:
    """Return the function or method and the block in it that hold the line."""
    found = OUTSIDE
    for block, place in blocks(ast.parse(text).body):
        if place.function and block[0].lineno <= line <= (block[-1].end_lineno or block[-1].lineno):
            found = place  # what comes later is further inside
    return found


def blocks(
    block: list[ast.stmt], place: Place = OUTSIDE, names: tuple[str, ...] = ()
) -> Iterator[tuple[list[ast.stmt], Place]]:
    """Yield a block of statements and then those inside of it, each with its place."""
    yield block, place
    for node in block:
        if isinstance(node, ast.ClassDef):
            yield from blocks(node.body, place, (*names, node.name))
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            function = place.function or ".".join((*names, node.name))
            yield from blocks(node.body, Place(function, node.body[0].lineno), names)
        elif not _is_skipped(node):
            for inner in _inner_blocks(node):
                yield from blocks(inner, Place(place.function, inner[0].lineno), names)


def _inner_blocks(node: ast.stmt) -> Iterator[list[ast.stmt]]:
    for part in (node, *getattr(node, "handlers", ()), *getattr(node, "cases", ())):
        for name in ("body", "orelse", "finalbody"):
            if inner := getattr(part, name, None):
                yield inner


def _sites(tree: ast.Module) -> Iterator[Site]:
    for block, place in blocks(tree.body):
        for i, node in enumerate(block):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield from _in_expressions(node.args, node, place)
                yield from _of_scopes(node, place)
            elif not isinstance(node, ast.ClassDef) and not _is_skipped(node):
                yield from _of_statement(block, i, place)


def _of_scopes(node: ast.FunctionDef | ast.AsyncFunctionDef, place: Place) -> Iterator[Site]:
    """Yield the ways to ask less of who calls a route."""
    for argument in (*node.args.args, *node.args.kwonlyargs):
        if isinstance(argument.annotation, ast.Name) and argument.annotation.id in SCOPES:
            lower = ast.Name(SCOPES[argument.annotation.id], ast.Load())
            yield Site("scope", place, argument.lineno, node, _field(argument, "annotation", lower))


def _is_skipped(node: ast.stmt) -> bool:
    """Whether the statement does nothing: a docstring, an import, what only a type checker sees."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return True
    if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
        return True
    return isinstance(node, ast.Import | ast.ImportFrom | ast.Pass | ast.Global | ast.Nonlocal)


def _of_statement(block: list[ast.stmt], i: int, place: Place) -> Iterator[Site]:
    """Yield what can be done to the statement as a whole, then to the expressions it begins with."""
    node = block[i]

    def replaced(operator: str, by: ast.stmt) -> Site:
        return Site(operator, place, node.lineno, node, _item(block, i, ast.fix_missing_locations(by)))

    is_setting = isinstance(node, ast.Assign) and not isinstance(node.targets[0], ast.Name | ast.Tuple)
    if isinstance(node, ast.Expr) or (
        place.function is not None and (is_setting or isinstance(node, ast.AugAssign))
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
        yield Site("negation", place, node.lineno, node, _negated(node))
    if isinstance(node, ast.Raise | ast.Assert):
        return
    yield from _in_expressions(node, node, place)


def _negated(node: ast.If | ast.While | ast.IfExp) -> Change:
    return _field(node, "test", ast.UnaryOp(op=ast.Not(), operand=node.test))


BLOCKS = frozenset({"body", "orelse", "finalbody", "handlers"})
UNSEEN = frozenset({"annotation", "returns", "decorator_list"})


def _in_expressions(parent: ast.AST, statement: ast.AST, place: Place) -> Iterator[Site]:
    """Yield the sites of the expressions below a node; blocks of statements are somebody else's."""
    for field, value in ast.iter_fields(parent):
        if field in UNSEEN or (field in BLOCKS and isinstance(value, list)):
            continue
        items = value if isinstance(value, list) else [value]
        for i, node in enumerate(items):
            if not isinstance(node, ast.AST) or isinstance(node, ast.JoinedStr | ast.arg):
                continue
            put: Callable[[ast.expr], Change] = (
                _placer(value, i) if isinstance(value, list) else _setter(parent, field)
            )
            line = getattr(node, "lineno", getattr(statement, "lineno", 0))
            for operator, change in _of_expression(node, put):
                yield Site(operator, place, line, statement, change)
            yield from _in_expressions(node, statement, place)


def _of_expression(node: ast.AST, put: Callable[[ast.expr], Change]) -> Iterator[tuple[str, Change]]:
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
            yield "sign" if isinstance(node.op, ast.USub) else "negation", put(node.operand)
        case ast.IfExp():
            yield "negation", _negated(node)
        case ast.Constant(value=bool() as flag):
            yield "constant", put(ast.Constant(not flag))
        case ast.Constant(value=int() as number):
            yield "constant", put(ast.Constant(number + 1))
            yield "constant", put(ast.Constant(number - 1))
        case ast.Constant(value=float() as number):
            yield "constant", put(ast.Constant(round(number + FLOAT_STEP, 6)))
            yield "constant", put(ast.Constant(round(number - FLOAT_STEP, 6)))
        case ast.comprehension(ifs=[_, *_]):
            yield "filter", _field(node, "ifs", [])
        case ast.Call():
            yield from _of_call(node, put)


def _of_call(node: ast.Call, put: Callable[[ast.expr], Change]) -> Iterator[tuple[str, Change]]:
    name = getattr(node.func, "attr", getattr(node.func, "id", ""))
    if name in NAMES:
        field = "attr" if isinstance(node.func, ast.Attribute) else "id"
        yield "other function", _field(node.func, field, NAMES[name])
    if name in LINKS and isinstance(node.func, ast.Attribute):
        yield "clause" if name in CLAUSES else "call", put(node.func.value)
    if name in CLAUSES and len(node.args) > 1:
        for i in range(len(node.args)):
            yield "clause", _field(node, "args", node.args[:i] + node.args[i + 1 :])
    if name in PASSED_BY and len(node.args) == 1 and not isinstance(node.args[0], ast.Set):
        yield "call", put(node.args[0])
    if name == "round" and len(node.args) > 1:
        yield "call", put(node.args[0])
    named = [keyword for keyword in node.keywords if isinstance(keyword.value, ast.Name | ast.Attribute)]
    for one, other in pairwise(named):
        if ast.dump(one.value) != ast.dump(other.value):
            yield "argument", _exchanged(one, other)


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


def _exchanged(one: ast.keyword, other: ast.keyword) -> Change:
    def exchange() -> None:
        one.value, other.value = other.value, one.value

    def change() -> Callable[[], None]:
        exchange()
        return exchange

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
