"""The content of managed blocks: what each name stands for."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from atom_testinfra.core.errors import DocumentError
from atom_testinfra.reports import numbers
from atom_testinfra.reports.expectations import (
    render_limits,
    render_profiles,
    render_replaced_targets,
    render_test_types,
)
from atom_testinfra.reports.listing import render_number_below, render_properties_by_tier
from atom_testinfra.reports.markdown import code, escape, prose, render_table
from atom_testinfra.reports.reference import (
    render_advice,
    render_exit_codes,
    render_settings,
    render_variables,
)
from atom_testinfra.reports.tables import CellKind, Column, Table

if TYPE_CHECKING:
    from atom_testinfra.core.config import Config
    from atom_testinfra.core.costs.baseline import Baseline
    from atom_testinfra.core.managed_blocks import Block
    from atom_testinfra.reports.data import ReportData


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where blocks take their content from; what costs time or may be missing is asked for when needed."""

    config: Config
    baseline: Callable[[], Baseline]
    report: Callable[[], ReportData]
    verbs: Mapping[str, str]
    """Verb to what it does, in one line."""
    help_of: Callable[[str], str]
    """The help text of a verb, or of the command itself for an empty name."""
    read: Callable[[str], str]
    """A file of the project, by its path from the root."""
    marked: Callable[[str], list[tuple[str, str, str]]]
    """Tests by marker: the marker's argument, the node id, and the first sentence of the docstring."""
    pytest_options: Callable[[], list[tuple[str, str]]]
    flags: Callable[[], list[tuple[str, list[str], str]]]
    """Each option of the command line, the verbs that have it, and what it does."""
    left_out: Callable[[], list[tuple[str, str]]]
    """Environment variables that a measured run does not get, and the reason."""
    schemas: Callable[[], list[tuple[str, str, str]]]
    """The JSON Schemas of the package: file, version, and what it describes."""


class BlockError(Exception):
    """The arguments of a block do not name anything; the message is completed with file and line."""


def render_block(block: Block, sources: Sources, path: str) -> str:
    """
    Return the content of a block.

    Raises:
        DocumentError: the block's name or one of its arguments is unknown; names file and line.
    """
    place = f"{path}:{block.line}"
    spec = BLOCKS.get(block.name)
    if spec is None:
        raise DocumentError(f"{place}: no block is called {block.name!r}", hint=f"known: {', '.join(BLOCKS)}")
    unknown = sorted(set(block.arguments) - spec.arguments)
    if unknown:
        known = ", ".join(sorted(spec.arguments)) or "no argument"
        raise DocumentError(f"{place}: block {block.name!r} takes {known}, not {unknown[0]!r}")
    missing = sorted(spec.required - set(block.arguments))
    if missing:
        raise DocumentError(f"{place}: block {block.name!r} needs {missing[0]}=...")
    try:
        return spec.render(sources, block.arguments)
    except BlockError as exc:
        raise DocumentError(f"{place}: block {block.name!r}: {exc}") from exc


Renderer = Callable[[Sources, Mapping[str, str]], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockSpec:
    """A kind of block: what it shows, and the arguments it takes."""

    summary: str
    render: Renderer
    required: frozenset[str] = field(default_factory=frozenset)
    optional: frozenset[str] = field(default_factory=frozenset)

    @property
    def arguments(self) -> frozenset[str]:
        """All arguments the block takes."""
        return self.required | self.optional


def _table(sources: Sources, arguments: Mapping[str, str]) -> str:
    tables = {table.id: table for section in sources.report().sections for table in section.tables()}
    table = tables.get(arguments["of"])
    if table is None:
        if arguments["of"] in EMPTY_TABLES:
            return EMPTY_TABLES[arguments["of"]]
        raise BlockError(f"no table {arguments['of']!r}; there are: {', '.join([*tables, *EMPTY_TABLES])}")
    return render_table(table, max_rows=_whole_number(arguments, "rows", default=len(table.rows) or 1))


EMPTY_TABLES = {
    "misses": "No test is above the limit of its tier.",
    "excluded": "Nothing was left out.",
    "earlier": "All figures are from one session.",
}
"""Tables that a report leaves out when they have no rows, and what a document says then."""


def _summary(sources: Sources, arguments: Mapping[str, str]) -> str:
    sections = {section.id: section for section in sources.report().sections}
    if arguments["of"] not in sections:
        raise BlockError(f"no section {arguments['of']!r}; there are: {', '.join(sections)}")
    return prose(sections[arguments["of"]].summary)


def _value(sources: Sources, arguments: Mapping[str, str]) -> str:
    """Return one figure of the baseline; `test=` and `profile=` choose a property's."""
    baseline = sources.baseline()
    if "test" in arguments:
        nodeid, profile = arguments["test"], arguments.get("profile")
        entry = baseline.properties.get(nodeid)
        if entry is None or (profile is not None and profile not in entry.profiles):
            raise BlockError(_why_without_figures(baseline, nodeid, profile))
        tree = msgspec.to_builtins(entry)
        if profile is not None:
            tree = tree["profiles"][profile]
    else:
        names = [name for name in baseline.__struct_fields__ if name != "properties"]
        tree = {name: msgspec.to_builtins(getattr(baseline, name)) for name in names}
        tree["n_properties"] = len(baseline.properties)
    name = ""
    for name in arguments["of"].split("."):
        tree = _step(tree, name)
    return escape(_written(name, tree))


def _why_without_figures(baseline: Baseline, nodeid: str, profile: str | None) -> str:
    """Return why the baseline has no figures of a test, and what to do about it."""
    for entry in baseline.excluded:
        if entry.nodeid == nodeid and profile in {None, entry.profile}:
            return (
                f"{nodeid!r} has no figures under {entry.profile!r}, because of its last run: "
                f"{entry.reason.rstrip('.')}; when it passes, measure and verify again"
            )
    known = baseline.properties.get(nodeid)
    if known is None:
        return f"no test {nodeid!r} in the baseline; correct the name, or measure and verify again"
    return f"{nodeid!r} has no figures under {profile!r}; there are: {', '.join(known.profiles)}"


def _step(tree: Any, name: str) -> Any:
    if isinstance(tree, dict) and name in tree:
        return tree[name]
    if isinstance(tree, list) and name.isdigit() and int(name) < len(tree):
        return tree[int(name)]
    known = ", ".join(tree) if isinstance(tree, dict) else "nothing further"
    raise BlockError(f"no {name!r} there; there is: {known}")


def _written(name: str, value: Any) -> str:
    match value:
        case None:
            return "not measured"
        case bool():
            return "yes" if value else "no"
        case dict() | list():
            raise BlockError(f"{name!r} is not one value")
        case int():
            return numbers.count(value)
        case float() if name.endswith("_us"):
            return numbers.micros(value)
        case float() if name.endswith(("_s", "duration", "seconds_per_example")):
            return numbers.seconds(value)
        case float():
            return f"{value:.3g}"
        case _:
            return str(value)


def _replaced_targets(sources: Sources, arguments: Mapping[str, str]) -> str:
    return render_replaced_targets(sources.config, _number_of_seconds(arguments, "original"))


def _number_below(sources: Sources, arguments: Mapping[str, str]) -> str:
    baseline, profile = sources.baseline(), arguments["profile"]
    known = baseline.max_examples
    if profile not in known:
        raise BlockError(f"no profile {profile!r} in the baseline; there are: {', '.join(known)}")
    return render_number_below(baseline, profile, _number_of_seconds(arguments, "limit"))


def _include(sources: Sources, arguments: Mapping[str, str]) -> str:
    """Return another document without its title."""
    lines = sources.read(arguments["path"]).splitlines()
    return "\n".join(lines[1:] if lines and lines[0].startswith("# ") else lines).strip()


def _cli(sources: Sources, arguments: Mapping[str, str]) -> str:
    verb = arguments.get("verb", "")
    if verb and verb not in sources.verbs:
        raise BlockError(f"no verb {verb!r}; there are: {', '.join(sources.verbs)}")
    return f"```text\n{sources.help_of(verb).rstrip()}\n```"


def _verbs(sources: Sources, _arguments: Mapping[str, str]) -> str:
    lines = ["| verb | what it does |", "| --- | --- |"]
    return "\n".join(
        lines + [f"| `testinfra {verb}` | {prose(text)} |" for verb, text in sources.verbs.items()]
    )


def _make(sources: Sources, _arguments: Mapping[str, str]) -> str:
    lines = ["| target | what it does |", "| --- | --- |"]
    for line in sources.read("Makefile").splitlines():
        name, separator, text = line.partition("## ")
        if separator and ":" in name and not name.startswith(("#", "\t", " ")):
            lines.append(f"| `make {name.partition(':')[0]}` | {prose(text.strip())} |")
    return "\n".join(lines)


def _pytest_options(sources: Sources, _arguments: Mapping[str, str]) -> str:
    lines = ["| option | meaning |", "| --- | --- |"]
    lines += [f"| `{name}` | {prose(text)} |" for name, text in sources.pytest_options()]
    return "\n".join(lines)


def _flags(sources: Sources, _arguments: Mapping[str, str]) -> str:
    lines = ["| option | verbs | what it does |", "| --- | --- | --- |"]
    lines += [
        f"| {code(name)} | {', '.join(f'`{verb}`' for verb in verbs)} | {prose(text)} |"
        for name, verbs, text in sources.flags()
    ]
    return "\n".join(lines)


def _left_out(sources: Sources, _arguments: Mapping[str, str]) -> str:
    lines = ["| variable | why a measured run does not get it |", "| --- | --- |"]
    return "\n".join([*lines, *(f"| `{name}` | {reason} |" for name, reason in sources.left_out())])


def _schemas(sources: Sources, _arguments: Mapping[str, str]) -> str:
    lines = ["| file in the package | version | what it describes |", "| --- | ---: | --- |"]
    rows = (f"| `{file}` | {version} | {prose(text)} |" for file, version, text in sources.schemas())
    return "\n".join([*lines, *rows])


def _marked(sources: Sources, arguments: Mapping[str, str]) -> str:
    found = sources.marked(arguments["by"])
    if not found:
        raise BlockError(f"no test carries the marker {arguments['by']!r}")
    title = arguments["by"].capitalize()
    return render_table(
        Table(
            id="marked",
            caption="",
            columns=[Column(title, CellKind.TEXT), Column("Test", CellKind.TEST), Column("Rule")],
            rows=[[argument, nodeid, rule] for argument, nodeid, rule in found],
        ),
        max_rows=len(found),
    )


def _blocks(_sources: Sources, _arguments: Mapping[str, str]) -> str:
    lines = ["| block | arguments | shows |", "| --- | --- | --- |"]
    for name, spec in BLOCKS.items():
        arguments_text = " ".join(
            [f"`{item}=`" for item in sorted(spec.required)]
            + [f"[`{item}=`]" for item in sorted(spec.optional)]
        )
        lines.append(f"| `{name}` | {arguments_text} | {prose(spec.summary)} |")
    return "\n".join(lines)


def _number_of_seconds(arguments: Mapping[str, str], name: str) -> float:
    text = arguments[name]
    if not re.fullmatch(r"\d+(\.\d+)?", text) or not float(text):
        raise BlockError(f"{name}={text} is not a number of seconds")
    return float(text)


def _whole_number(arguments: Mapping[str, str], name: str, *, default: int) -> int:
    text = arguments.get(name, str(default))
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise BlockError(f"{name}={text} is not a whole number above 0")
    return int(text)


BLOCKS: dict[str, BlockSpec] = {
    "table": BlockSpec(
        summary="a table of the report: verdicts, misses, totals, slowest, candidates, facts, quality, ...",
        render=_table,
        required=frozenset({"of"}),
        optional=frozenset({"rows"}),
    ),
    "summary": BlockSpec(
        summary="the answer of a section of the report: targets, time, work, history, provenance",
        render=_summary,
        required=frozenset({"of"}),
    ),
    "value": BlockSpec(
        summary="one figure of the baseline by its path, or of one of its tests",
        render=_value,
        required=frozenset({"of"}),
        optional=frozenset({"test", "profile"}),
    ),
    "number-below": BlockSpec(
        summary="how many of a profile's properties take less wall time than a limit in seconds",
        render=_number_below,
        required=frozenset({"limit", "profile"}),
    ),
    "properties": BlockSpec(
        summary="every property of the baseline by tier, with its wall time under each profile",
        render=lambda sources, _arguments: render_properties_by_tier(sources.baseline()),
    ),
    "limits": BlockSpec(
        summary="the limits of the tiers, and what they leave for an example",
        render=lambda sources, _arguments: render_limits(sources.config),
    ),
    "test-types": BlockSpec(
        summary="types of tests: iterations, target, purpose",
        render=lambda sources, _arguments: render_test_types(sources.config),
    ),
    "replaced-targets": BlockSpec(
        summary="the limits beside one limit in seconds that they replace",
        render=_replaced_targets,
        required=frozenset({"original"}),
    ),
    "profiles": BlockSpec(
        summary="the profiles and their examples",
        render=lambda sources, _arguments: render_profiles(sources.config),
    ),
    "include": BlockSpec(
        summary="another Markdown file without its title, such as the result of a benchmark",
        render=_include,
        required=frozenset({"path"}),
    ),
    "verbs": BlockSpec(summary="the verbs of the command", render=_verbs),
    "cli": BlockSpec(
        summary="the help of the command or of a verb", render=_cli, optional=frozenset({"verb"})
    ),
    "settings": BlockSpec(
        summary="the keys of [tool.testinfra]",
        render=lambda _sources, _arguments: render_settings(),
    ),
    "advice": BlockSpec(
        summary="what `verify` and `report` advise",
        render=lambda _sources, _arguments: render_advice(),
    ),
    "exit-codes": BlockSpec(
        summary="the exit statuses",
        render=lambda _sources, _arguments: render_exit_codes(),
    ),
    "pytest-options": BlockSpec(summary="the options of the pytest plugin", render=_pytest_options),
    "flags": BlockSpec(summary="every option of the command, with its verbs", render=_flags),
    "variables": BlockSpec(
        summary="the environment variables that the tool reads",
        render=lambda _sources, _arguments: render_variables(),
    ),
    "left-out": BlockSpec(
        summary="the environment variables that a measured run does not get", render=_left_out
    ),
    "schemas": BlockSpec(summary="the JSON Schemas of the package", render=_schemas),
    "marked": BlockSpec(
        summary="tests by the argument of a marker, with the first sentence of their docstring",
        render=_marked,
        required=frozenset({"by"}),
    ),
    "make": BlockSpec(summary="the targets of the Makefile", render=_make),
    "blocks": BlockSpec(summary="this table", render=_blocks),
}
