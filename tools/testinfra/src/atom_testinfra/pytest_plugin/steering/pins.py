"""Where a test's number of examples comes from: the profile, or the test itself, and where it says so."""

from __future__ import annotations

import ast
import builtins
import os
import site
import sys
import sysconfig
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

from hypothesis import settings as Settings  # noqa: N812 (it is a class, whatever its name looks like)

from atom_testinfra.pytest_plugin.internals import FALLBACK
from atom_testinfra.pytest_plugin.profiles import note_profiles, was_profile

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from atom_testinfra.pytest_plugin.steering.sources import Source, Sources

MAX_EXAMPLES = "max_examples"
LIBRARIES = tuple(
    {
        os.path.join(folder, "")  # noqa: PTH118 (what stands below it begins like this)
        for folder in (
            *(sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")),
            *site.getsitepackages(),
        )
    }
)
"""Folders of installed code."""
DEEPEST = 8
"""How many aliases we follow before giving up."""


class PinnedNumber:
    """Where `max_examples` is set, and whether it is computed from that of the profile in force."""

    def __init__(self, path: str, line: int, *, is_scaled: bool, names: frozenset[str]) -> None:
        self.path = path
        self.line = line
        self.is_scaled = is_scaled
        self.names = names
        """The names that the number is computed from."""


class _Scope:
    """A module: its text, and what its names stand for."""

    def __init__(self, source: Source, names: Mapping[str, object], function: ast.AST | None = None) -> None:
        self.source = source
        self.names = names
        self.function = function
        """The function whose own names come before those of the module."""


def profile_of(own: Settings) -> Settings:
    """Return the profile that was in force when settings were made, from which they have all other values."""
    note_profiles()
    found = own
    while not was_profile(found) and getattr(found, FALLBACK) is not None:
        found = getattr(found, FALLBACK)
    return found


class Pins:
    """Finds the number in the files that set it, through the names it goes by."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._number_in_force = 0

    def find(self, subject: object, max_examples: int) -> PinnedNumber | None:
        """Return where a function or a state machine sets the number in force, if the files show it."""
        self._number_in_force = max_examples
        found = self._sources.definition(subject)
        if found is None:
            return None
        source, node = found
        scope = _Scope(source, _names_around(subject))
        for decorator in node.decorator_list:
            number = self._in_settings(scope, decorator)
            if number is not None:
                return number
        return self._assigned(scope, node) if isinstance(node, ast.ClassDef) else None

    def _in_settings(self, scope: _Scope, node: ast.expr | None, depth: int = 0) -> PinnedNumber | None:
        """Look for `max_examples=` in an expression that makes settings, or the keywords for them."""
        if depth > DEEPEST:
            return None
        further: list[ast.expr] = []
        match node:
            case ast.Call(func=func, args=args, keywords=keywords) if _makes_settings(func, scope.names):
                for keyword in keywords:
                    if keyword.arg == MAX_EXAMPLES:
                        return self._number(scope, keyword.value)
                # settings(**KEYWORDS), settings(SHARED, ...) and settings(parent=SHARED, ...), in this order.
                further = [keyword.value for keyword in keywords if keyword.arg is None]
                further += [keyword.value for keyword in keywords if keyword.arg == "parent"] + args[:1]
            case ast.Dict(keys=keys, values=values):
                for key, value in zip(reversed(keys), reversed(values), strict=True):
                    if isinstance(key, ast.Constant) and key.value == MAX_EXAMPLES:
                        return self._number(scope, value)
                    further += [value] if key is None else []
            case ast.BinOp(left=left, op=ast.BitOr(), right=right):
                further = [right, left]
            case ast.Call(func=func):
                return self._in_function(scope, node, _resolve(func, scope.names), depth)
            case ast.Name(id=name):
                return self._in_name(scope, name, depth)
            case ast.Attribute(value=holder, attr=name):
                return self._in_attribute(scope, holder, name, depth)
        found = (self._in_settings(scope, expression, depth + 1) for expression in further)
        return next((number for number in found if number is not None), None)

    def _in_function(
        self, scope: _Scope, call: ast.Call, function: object, depth: int
    ) -> PinnedNumber | None:
        """Look in the settings that a function returns; of a number that is an argument, name the call."""
        found = self._function(function)
        if found is None:
            return None
        inner, node = found
        for statement in ast.walk(node):
            if not isinstance(statement, ast.Return):
                continue
            number = self._in_settings(inner, statement.value, depth + 1)
            if number is not None:
                parameters = {argument.arg for argument in ast.walk(node) if isinstance(argument, ast.arg)}
                is_given = not number.is_scaled and bool(number.names & parameters)
                return self._number(scope, call) if is_given else number
        return None

    def _function(self, function: object) -> tuple[_Scope, ast.AST] | None:
        if not isinstance(function, FunctionType) or _is_installed(function):
            return None
        found = self._sources.definition(function)
        if found is None:
            return None
        source, node = found
        return _Scope(source, _names_around(function), node), node

    def _in_name(self, scope: _Scope, name: str, depth: int) -> PinnedNumber | None:
        number = self._set_later(scope, name, depth)
        if number is not None:
            return number
        for place, value in self._values(scope, name, depth):
            number = self._in_settings(place, value, depth + 1)
            if number is not None:
                return number
        return None

    def _set_later(self, scope: _Scope, name: str, depth: int) -> PinnedNumber | None:
        """Look for `name["max_examples"] = ...`; of several, that which is the number in force."""
        found = scope.source.items_set(name, MAX_EXAMPLES)
        if found:
            same = [
                value
                for value in found
                if isinstance(value, ast.Constant) and value.value == self._number_in_force
            ]
            return self._number(scope, (same or found)[-1])
        origin = scope.source.imported_from(name)
        if origin is None or depth >= DEEPEST:
            return None
        places = (
            self._set_later(self._scope(module), origin[1], depth + 1) for module in _modules(origin[0])
        )
        return next((number for number in places if number is not None), None)

    def _in_attribute(self, scope: _Scope, holder: ast.expr, name: str, depth: int) -> PinnedNumber | None:
        """Look in what a module, or the body of a class, sets the name to."""
        found = _resolve(holder, scope.names)
        if isinstance(found, ModuleType):
            return self._in_name(self._scope(found), name, depth + 1)
        if isinstance(found, type):
            owner = next((cls for cls in found.__mro__ if name in vars(cls)), None)
            module = None if owner is None else sys.modules.get(owner.__module__)
            if owner is not None and module is not None:
                place = self._scope(module)
                node = place.source.class_(owner.__qualname__)
                value = None if node is None else _assignment(node.body, name)
                return self._in_settings(place, value, depth + 1)
        return None

    def _values(self, scope: _Scope, name: str, depth: int) -> Iterator[tuple[_Scope, ast.expr]]:
        """Yield what a module-level name was set to, here or in the module that it was imported from."""
        statements = [] if scope.function is None else [*ast.walk(scope.function)]
        value = _assignment([node for node in statements if isinstance(node, ast.stmt)], name)
        value = scope.source.assignment(name) if value is None else value
        if value is not None:
            yield scope, value
            return
        origin = scope.source.imported_from(name)
        if origin is not None and depth < DEEPEST:
            module_name, original = origin
            for module in _modules(module_name):
                yield from self._values(self._scope(module), original, depth + 1)

    def _assigned(self, scope: _Scope, machine: ast.ClassDef) -> PinnedNumber | None:
        """Look for `Machine.TestCase.settings = ...`, also through `TestMachine = Machine.TestCase`."""
        assert scope.source.tree is not None
        statements = list(ast.walk(scope.source.tree))
        aliases = {
            target.id
            for node in statements
            if isinstance(node, ast.Assign) and ast.unparse(node.value) == f"{machine.name}.TestCase"
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        owners = {f"{machine.name}.TestCase", *aliases}
        for node in statements:
            if isinstance(node, ast.Assign):
                for target in node.targets:
                    is_settings = isinstance(target, ast.Attribute) and target.attr == "settings"
                    if is_settings and ast.unparse(target.value) in owners:  # type: ignore[attr-defined]
                        return self._in_settings(scope, node.value)
            elif isinstance(node, ast.ClassDef) and any(ast.unparse(base) in owners for base in node.bases):
                value = _assignment(node.body, "settings")
                if value is not None:
                    return self._in_settings(scope, value)
        return None

    def _number(self, scope: _Scope, value: ast.expr) -> PinnedNumber:
        names = frozenset(node.id for node in ast.walk(value) if isinstance(node, ast.Name))
        is_scaled = self._follows(scope, value)
        return PinnedNumber(scope.source.path, value.lineno, is_scaled=is_scaled, names=names)

    def _follows(self, scope: _Scope, value: ast.expr, depth: int = 0) -> bool:
        """Whether a number is computed from the profile in force: `settings.default.max_examples // 2`."""
        if depth > DEEPEST:
            return False
        for node in ast.walk(value):
            match node:
                case ast.Attribute(value=holder, attr="max_examples") if self._is_default(scope, holder):
                    return True
                case ast.Call(func=func) if self._follows_in(_resolve(func, scope.names), depth):
                    return True
                case ast.Name(id=name) if any(
                    self._follows(place, assigned, depth + 1)
                    for place, assigned in self._values(scope, name, depth)
                ):
                    return True
        return False

    def _follows_in(self, function: object, depth: int) -> bool:
        """Whether what a function of the suite returns is computed from the profile in force."""
        found = self._function(function)
        if found is None:
            return False
        inner, node = found
        returned = [each.value for each in ast.walk(node) if isinstance(each, ast.Return) and each.value]
        return any(self._follows(inner, value, depth + 1) for value in returned)

    def _is_default(self, scope: _Scope, node: ast.expr) -> bool:
        match node:
            case ast.Attribute(value=holder, attr="default"):
                return _makes_settings(holder, scope.names)
            case ast.Call(func=func, args=[], keywords=[]):
                return _makes_settings(func, scope.names)
            case ast.Name(id=name):
                return any(
                    not isinstance(value, ast.Name) and self._is_default(place, value)
                    for place, value in self._values(scope, name, 0)
                )
        return False

    def _scope(self, module: ModuleType) -> _Scope:
        return _Scope(self._sources[getattr(module, "__file__", None) or ""], vars(module))


def _is_installed(function: FunctionType) -> bool:
    """Whether it belongs to a library: no suite's number is written there, and reading it costs much."""
    return function.__code__.co_filename.startswith(LIBRARIES)


def _names_around(subject: Any) -> Mapping[str, object]:
    if isinstance(subject, type):
        module = sys.modules.get(subject.__module__)
        return {} if module is None else vars(module)
    names: Mapping[str, object] = getattr(subject, "__globals__", {})
    return names


def _makes_settings(func: ast.expr, names: Mapping[str, object]) -> bool:
    """Whether it is Hypothesis's settings, or a dict for it; a name that is gone counts as it reads."""
    found = _resolve(func, names)
    if found is None:
        return isinstance(func, ast.Name | ast.Attribute) and ast.unparse(func).endswith("settings")
    return found is Settings or found is dict


def _resolve(node: ast.expr, names: Mapping[str, object]) -> object:
    """Return what a dotted name stands for, through modules and classes only: nothing is computed."""
    if isinstance(node, ast.Name):
        return names.get(node.id, getattr(builtins, node.id, None))
    if isinstance(node, ast.Attribute):
        holder = _resolve(node.value, names)
        return getattr(holder, node.attr, None) if isinstance(holder, ModuleType | type) else None
    return None


def _assignment(body: list[ast.stmt], name: str) -> ast.expr | None:
    """Return what the statements of a class last set a name to."""
    value = None
    for node in body:
        if isinstance(node, ast.Assign) and any(
            isinstance(target, ast.Name) and target.id == name for target in node.targets
        ):
            value = node.value
    return value


def _modules(name: str) -> list[ModuleType]:
    """Return the imported modules that `name` may mean; relative imports are matched by their end."""
    exact = sys.modules.get(name)
    if exact is not None:
        return [exact]
    return [module for full, module in list(sys.modules.items()) if name and full.endswith(f".{name}")]
