"""What the code says about itself, as Markdown: settings, exit statuses, attribute docstrings."""

from __future__ import annotations

import ast
import inspect
import textwrap
from enum import StrEnum
from typing import TYPE_CHECKING, Any, get_args, get_origin

import msgspec

from atom_testinfra.core.advice.advice import Remedy
from atom_testinfra.core.config import Config, Profile, Targets, TierLimits
from atom_testinfra.core.status import ExitStatus
from atom_testinfra.core.variables import Variable
from atom_testinfra.reports.markdown import code, escape

if TYPE_CHECKING:
    from collections.abc import Iterator

TABLES: dict[str, type[msgspec.Struct]] = {
    "": Config,
    "targets.": Targets,
    "targets.fast.": TierLimits,
    "profiles.NAME.": Profile,
}
"""The settings by the prefix of their keys; the other tiers are like `fast`."""


def attribute_docstrings(cls: type) -> dict[str, str]:
    """Return the docstrings that stand under the attributes of a class, each on one line."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(cls)))
    (definition,) = tree.body
    assert isinstance(definition, ast.ClassDef)
    documented: dict[str, str] = {}
    name: str | None = None
    for statement in definition.body:
        match statement:
            case ast.AnnAssign(target=ast.Name(id=name)) | ast.Assign(targets=[ast.Name(id=name)]):
                continue
            case ast.Expr(value=ast.Constant(value=str(text))) if name is not None:
                documented[name] = " ".join(text.split())
            case _:
                pass
        name = None
    return documented


def prose(text: str) -> str:
    """Return a docstring, which is Markdown already, for a table cell."""
    return text.replace("|", "\\|")


def render_advice() -> str:
    """Return the table of what `verify` and `report` advise."""
    documented = attribute_docstrings(Remedy)
    lines = ["| advice | what to do, and where |", "| --- | --- |"]
    lines += [f"| `{remedy.value}` | {prose(documented[remedy.name])} |" for remedy in Remedy]
    return "\n".join(lines)


def render_exit_codes() -> str:
    """Return the table of exit statuses."""
    documented = attribute_docstrings(ExitStatus)
    lines = ["| status | meaning |", "| ---: | --- |"]
    lines += [f"| {status.value} | {prose(documented[status.name])} |" for status in ExitStatus]
    return "\n".join(lines)


def render_variables() -> str:
    """Return the table of the environment variables that the tool reads."""
    documented = attribute_docstrings(Variable)
    lines = ["| variable | what it does |", "| --- | --- |"]
    lines += [f"| `{variable.value}` | {prose(documented[variable.name])} |" for variable in Variable]
    return "\n".join(lines)


def render_settings() -> str:
    """Return the table of the keys of `[tool.testinfra]`."""
    lines = ["| key | type | default | meaning |", "| --- | --- | --- | --- |"]
    for prefix, struct in TABLES.items():
        documented = attribute_docstrings(struct)
        for field in msgspec.structs.fields(struct):
            cells = [
                code(prefix + field.encode_name),
                escape(type_name(field.type)),
                code(default) if (default := default_text(field)) else "",
                prose(documented.get(field.name, "")),
            ]
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def type_name(annotation: Any) -> str:
    """Return a type as a person who writes TOML names it."""
    return " or ".join(dict.fromkeys(_type_names(annotation)))


def _type_names(annotation: Any) -> Iterator[str]:
    origin, arguments = get_origin(annotation), get_args(annotation)
    plain = {str: "text", int: "whole number", float: "number", bool: "true or false", type(None): "not set"}
    if annotation in plain:
        yield plain[annotation]
    elif hasattr(annotation, "__metadata__"):
        yield from _type_names(annotation.__origin__)
    elif origin is list:
        yield f"list of {type_name(arguments[0])}"
    elif origin is dict:
        yield f"table of {type_name(arguments[1])}"
    elif isinstance(annotation, type) and issubclass(annotation, StrEnum):
        yield from [f'"{member.value}"' for member in annotation]
    elif isinstance(annotation, type):
        yield "table"
    else:
        for argument in arguments:
            yield from [f'"{argument}"'] if isinstance(argument, str) else _type_names(argument)


def default_text(field: msgspec.structs.FieldInfo) -> str:
    """Return a default as TOML writes it; nothing for a key that has to be given, or that is a table."""
    if isinstance(field.type, type) and issubclass(field.type, msgspec.Struct):
        return ""
    if field.default_factory is not msgspec.NODEFAULT:
        value = field.default_factory()
    elif field.default is not msgspec.NODEFAULT:
        value = field.default
    else:
        return ""
    return _toml(msgspec.to_builtins(value))


def _toml(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case dict():
            pairs = ", ".join(
                f"{key} = {_toml(item)}" for key, item in value.items() if item not in ({}, None)
            )
            return f"{{ {pairs} }}" if pairs else "{}"
        case list():
            return "[" + ", ".join(_toml(item) for item in value) + "]"
        case str():
            return f'"{value}"'
        case _:
            return f"{value:g}"
