"""Names that a person could have written instead: members of an enum, fields, arguments."""

from __future__ import annotations

import ast
from collections import defaultdict
from typing import TYPE_CHECKING

from atom_testinfra.mutation.operators.sites import Definition

if TYPE_CHECKING:
    from collections.abc import Iterator


class Names:
    """What a module calls things, collected once."""

    def __init__(self, tree: ast.Module) -> None:
        self._fields: dict[str, list[str]] = defaultdict(list)
        self._arguments: dict[int, dict[str, list[str]]] = {}
        self._constants: list[str] = []
        self._annotations: dict[str, list[str]] = defaultdict(list)
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
                _add(self._fields[ast.unparse(node.value)], node.attr)
            elif isinstance(node, ast.ClassDef):
                for member in _members_of(node):
                    _add(self._fields[node.name], member)
            elif isinstance(node, ast.Name) and node.id.isupper():
                _add(self._constants, node.id)
            elif isinstance(node, Definition):
                self._note_arguments(node)

    def find_members(self, node: ast.Attribute) -> Iterator[str]:
        """Yield other constants of the same class, such as an enum's members, that the module knows."""
        if node.attr.isupper():
            for other in self._fields.get(ast.unparse(node.value), ()):
                if other != node.attr and other.isupper():
                    yield other

    def find_fields(self, node: ast.Attribute) -> Iterator[str]:
        """Yield fields of the same object that the module reads and whose names end alike."""
        last = node.attr.rpartition("_")[2]
        for other in self._fields.get(ast.unparse(node.value), ()):
            if (
                other != node.attr
                and not other.isupper()
                and other.rpartition("_")[2] == last
                and "_" in other
            ):
                yield other

    def find_arguments(self, node: ast.Name) -> Iterator[str]:
        """Yield other arguments of the function around a name that have the same annotation."""
        yield from self._arguments.get(id(node), {}).get(node.id, ())

    def find_constants(self, node: ast.Name) -> Iterator[str]:
        """Yield other constants that the module names and whose names end alike."""
        ending = node.id.rpartition("_")[2]
        if node.id.isupper() and "_" in node.id:
            yield from (
                other
                for other in self._constants
                if other != node.id and "_" in other and other.rpartition("_")[2] == ending
            )

    def find_annotations(self, argument: ast.arg) -> Iterator[ast.expr]:
        """Yield other annotations that the module's functions give an argument of this name."""
        if argument.annotation is not None:
            own = ast.unparse(argument.annotation)
            for other in self._annotations[argument.arg]:
                if other != own:
                    yield ast.parse(other, mode="eval").body

    def _note_arguments(self, function: Definition) -> None:
        arguments = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
        by_type: dict[str, list[str]] = defaultdict(list)
        for argument in arguments:
            if argument.annotation is not None:
                _add(self._annotations[argument.arg], ast.unparse(argument.annotation))
                by_type[ast.unparse(argument.annotation)].append(argument.arg)
        others = {
            name: without
            for group in by_type.values()
            for name in group
            if (without := [other for other in group if other != name])
        }
        if others:
            for inner in function.body:
                for node in ast.walk(inner):
                    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                        self._arguments[id(node)] = others


def _members_of(node: ast.ClassDef) -> Iterator[str]:
    for statement in node.body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)]):
                yield name
            case ast.AnnAssign(target=ast.Name(id=name)):
                yield name


def _add(names: list[str], name: str) -> None:
    if name not in names:
        names.append(name)
