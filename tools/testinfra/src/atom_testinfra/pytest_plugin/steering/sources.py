"""Where a test stands in its file: its digest, and the line that pins its number of examples."""

from __future__ import annotations

import ast
import hashlib
import io
import os
import sys
from functools import cached_property
from types import CodeType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
BLOCKS = ("body", "orelse", "finalbody", "handlers", "cases")
"""The fields in which a statement holds other statements."""


class Source:
    """A parsed file."""

    # Bound before a test can put a file system of its own in the place of the machine's.
    _open = staticmethod(io.open_code)

    def __init__(self, path: str) -> None:
        self.path = path
        self.tree: ast.Module | None = None
        self.is_read = False
        try:
            with self._open(path) as file:
                text = file.read()
            self.is_read = True
            self.tree = ast.parse(text)
        except (OSError, SyntaxError, ValueError, RecursionError):
            return  # generated code, or no file at all: there is nothing to say about it
        self._by_line: dict[int, Definition] = {}
        for node in _definitions(self.tree):
            first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            self._by_line[first] = node
            self._by_line.setdefault(node.lineno, node)

    def function(self, code: CodeType) -> Definition | None:
        """Return the definition that the code object was compiled from."""
        node = self._by_line.get(code.co_firstlineno) if self.tree else None
        return node if node is not None and node.name == code.co_name else None

    def class_(self, qualname: str) -> ast.ClassDef | None:
        """Return the class of this name, nested ones by their dotted name."""
        scope: ast.AST | None = self.tree
        for name in qualname.replace("<locals>.", "").split("."):
            if scope is None:
                return None
            found = [
                n for n in ast.walk(scope) if isinstance(n, ast.ClassDef | ast.FunctionDef) and n.name == name
            ]
            scope = found[-1] if found else None
        return scope if isinstance(scope, ast.ClassDef) else None

    def assignment(self, name: str) -> ast.expr | None:
        """Return what a module-level name was last set to."""
        value: ast.expr | None = None
        for node in self.tree.body if self.tree else []:
            if isinstance(node, ast.Assign):
                targets: list[ast.expr] = node.targets
            elif isinstance(node, ast.AnnAssign):
                targets = [node.target]
            else:
                continue
            if any(isinstance(target, ast.Name) and target.id == name for target in targets):
                value = node.value
        return value

    def items_set(self, name: str, key: str) -> list[ast.expr]:
        """Return what a key of a module-level dict is set to after it was made, in the order of the file."""
        return [value for holder, found, value in self._items if (holder, found) == (name, key)]

    @cached_property
    def _items(self) -> list[tuple[str, object, ast.expr]]:
        """Name, key and value of everything that sets an item, in the order of the file."""
        nodes = ast.walk(self.tree) if self.tree else ()
        return sorted((item for node in nodes for item in _items_of(node)), key=lambda item: item[2].lineno)

    def imported_from(self, name: str) -> tuple[str, str] | None:
        """Return module and name of a `from module import name`, made absolute where it can be."""
        return self._imports.get(name)

    @cached_property
    def _imports(self) -> dict[str, tuple[str, str]]:
        found: dict[str, tuple[str, str]] = {}
        for node in ast.walk(self.tree) if self.tree else ():
            if isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    found.setdefault(alias.asname or alias.name, (node.module or "", alias.name))
        return found


class Sources:
    """Every file is parsed once; one that cannot be read now may be there another time."""

    def __init__(self) -> None:
        self._sources: dict[str, Source] = {}

    def __getitem__(self, path: str) -> Source:
        source = self._sources.get(path)
        if source is None:
            source = Source(path)
            if source.is_read:
                self._sources[path] = source
        return source

    def definition(self, subject: object) -> tuple[Source, Definition] | None:
        """Return the definition of a function or a class, and the file it stands in."""
        code = getattr(subject, "__code__", None)
        if isinstance(code, CodeType):
            source = self[code.co_filename]
            node: Definition | None = source.function(code)
        elif isinstance(subject, type):
            module = sys.modules.get(subject.__module__)
            source = self[getattr(module, "__file__", None) or ""]
            node = source.class_(subject.__qualname__)
        else:
            return None
        return None if node is None else (source, node)

    def digest(self, subject: object) -> str | None:
        """
        Return a digest of the definition, decorators and signature included.

        Neither its name, nor comments, nor the layout of the text change it.
        """
        found = self.definition(subject)
        if found is None:
            return None
        node = found[1]
        name, node.name = node.name, "_"
        try:
            text = dump(node)
        finally:
            node.name = name
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def _definitions(tree: ast.Module) -> Iterator[Definition]:
    """Yield functions and classes at any depth; statements hold them all, so no expression is looked at."""
    scopes: list[ast.AST] = [tree]
    while scopes:
        scope = scopes.pop()
        for block in BLOCKS:
            for statement in getattr(scope, block, ()):
                scopes.append(statement)
                if isinstance(statement, Definition):
                    yield statement


def dump(value: Any) -> str:
    """
    Return what a node says, as `ast.dump` does, in half the instructions and the same on every Python.

    From 3.13 on `ast.dump` leaves empty lists out, and the digest of a test must not change with that.
    """
    kind = value.__class__
    if isinstance(value, ast.AST):
        fields = []
        for name in kind._fields:
            part = getattr(value, name)
            # What is optional and left out is `None` on the class too.
            if part is not None or getattr(kind, name, ...) is not None:
                fields.append(f"{name}={dump(part)}")
        return f"{kind.__name__}({', '.join(fields)})"
    if kind is list:
        return f"[{', '.join([dump(part) for part in value])}]"
    return repr(value)


def _items_of(node: ast.AST) -> Iterator[tuple[str, object, ast.expr]]:
    """Yield what sets items of a dict: `d[k] = v`, `d.update(k=v)`, `d |= {k: v}`."""
    match node:
        case ast.Assign(targets=targets, value=value):
            for target in targets:
                match target:
                    case ast.Subscript(value=ast.Name(id=holder), slice=ast.Constant(value=key)):
                        yield holder, key, value
        case ast.Call(
            func=ast.Attribute(value=ast.Name(id=holder), attr="update"), args=args, keywords=words
        ):
            yield from ((holder, word.arg, word.value) for word in words)
            yield from ((holder, key, value) for part in args for key, value in _pairs_of(part))
        case ast.AugAssign(target=ast.Name(id=holder), op=ast.BitOr(), value=value):
            yield from ((holder, key, found) for key, found in _pairs_of(value))


def _pairs_of(node: ast.expr) -> Iterator[tuple[object, ast.expr]]:
    """Yield the keys and values of a dict that is written out."""
    if isinstance(node, ast.Dict):
        for key, value in zip(node.keys, node.values, strict=True):
            if isinstance(key, ast.Constant):
                yield key.value, value


def relative_path(path: str, root: str) -> str:
    """Return the path relative to the root where it lies below it, with forward slashes."""
    folder = os.path.join(root, "")  # noqa: PTH118 (a Path for each test costs more than all else here)
    if path.startswith(folder):
        return path.removeprefix(folder).replace(os.sep, "/")
    return os.path.basename(path)  # noqa: PTH119 (nothing of this machine's folders in a record)
