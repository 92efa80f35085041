"""`testinfra docs`: writes the managed blocks of the documents, or says which are stale."""

from __future__ import annotations

import argparse
import difflib
import importlib.metadata
import importlib.resources
import inspect
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from atom_testinfra.core.errors import DocumentError, InfraError
from atom_testinfra.core.managed_blocks import content_of, parse_blocks, replace_blocks
from atom_testinfra.core.status import ExitStatus
from atom_testinfra.storage.documents import find_documents, leaves_project, read_document, write_document
from atom_testinfra.storage.project import Project, load_project

if TYPE_CHECKING:
    from atom_testinfra.core.costs.baseline import Baseline
    from atom_testinfra.reports.blocks import Sources
    from atom_testinfra.reports.data import ReportData

FIX = "testinfra docs"
NO_BLOCKS = (
    "name the documents (docs = [...] in [tool.testinfra]), and put a block into one: "
    "<!-- testinfra:begin summary of=targets --><!-- testinfra:end -->"
)
N_NAMED = 3


class StaleBlock(msgspec.Struct, frozen=True, kw_only=True):
    """A block whose content is not what it would be now."""

    name: str
    line: int


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """A document, as it is and as it would be."""

    path: Path
    name: str
    before: str
    after: str
    n_blocks: int
    stale: list[StaleBlock]


@click.command(name="docs")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--check", is_flag=True, help="Write nothing; print a diff and exit 1 when a block is stale.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_context
def command(ctx: click.Context, files: tuple[Path, ...], *, check: bool, as_json: bool) -> ExitStatus:
    """
    Write measured figures and tables from the code into the documents.

    Replaces the text between the markers in FILES, or in the documents that the settings name. Text outside
    of the markers stays as it is.
    """
    project = load_project(Path.cwd())
    paths = list(files) or find_documents(project.root, project.config.docs)
    sources = project_sources(project, ctx.find_root().command)
    documents = [render_document(path, project, sources) for path in paths]
    stale = [document for document in documents if document.stale]
    if not check:
        for document in stale:
            write_document(document.path, document.after)
    if as_json:
        click.echo(msgspec.json.encode(_summary(documents, check=check)))
    elif check:
        click.echo("".join(map(diff_document, stale)), nl=False)
    if not any(document.n_blocks for document in documents):
        click.echo(f"{_nothing(documents)}, so nothing was {'checked' if check else 'written'}", err=True)
        click.echo(f"hint: {NO_BLOCKS}", err=True)
        return ExitStatus.NOTHING
    _say(documents, stale, check=check)
    return ExitStatus.FAILED if check and stale else ExitStatus.OK


def _nothing(documents: list[Document]) -> str:
    if not documents:
        return "there is no document"
    names = ", ".join(document.name for document in documents[:N_NAMED])
    more = f" and {len(documents) - N_NAMED} more" if len(documents) > N_NAMED else ""
    return f"there is no managed block in {names}{more}"


def render_document(path: Path, project: Project, sources: Sources) -> Document:
    """Return a document as it is and as it would be with its blocks written anew."""
    from atom_testinfra.reports.blocks import render_block

    name = _name(path, project.root)
    before = read_document(path)
    after = replace_blocks(before, name, lambda block: render_block(block, sources, name))
    blocks = parse_blocks(before, name)
    fresh = parse_blocks(after, name)
    stale = [
        StaleBlock(name=old.name, line=old.line)
        for old, new in zip(blocks, fresh, strict=True)
        if content_of(before, old) != content_of(after, new)
    ]
    return Document(path=path, name=name, before=before, after=after, n_blocks=len(blocks), stale=stale)


def diff_document(document: Document) -> str:
    """Return the unified diff from what stands in a document to what should."""
    before, after = (text.splitlines(keepends=True) for text in (document.before, document.after))
    lines = difflib.unified_diff(before, after, document.name, document.name)
    return "".join(line.rstrip("\r\n") + "\n" for line in lines)


def project_sources(project: Project, root_command: click.Command) -> Sources:
    """Return where the blocks of a project take their content from; each is read at most once."""
    from atom_testinfra.reports.blocks import Sources
    from atom_testinfra.storage.marked_tests import find_marked_tests

    @cache
    def baseline() -> Baseline:
        from atom_testinfra.core.costs.seal import PUBLISHED_KEYS, refuse_changed
        from atom_testinfra.core.targets.verification import complete
        from atom_testinfra.storage.baseline import load_baseline

        name = _name(project.baseline, project.root)
        loaded = load_baseline(project.baseline)
        refuse_changed(loaded, name, name, keys=PUBLISHED_KEYS)
        # Digests are taken of what was measured or set; a verdict follows from it, so it is made again.
        completed = complete(loaded, loaded.verification_timestamp)
        _tell_of_failure(completed, name)
        return completed

    @cache
    def report() -> ReportData:
        from atom_testinfra.reports.data import build_report

        return build_report(baseline(), _name(project.baseline, project.root))

    return Sources(
        config=project.config,
        baseline=baseline,
        report=report,
        verbs=getattr(root_command, "summaries", {}),
        help_of=lambda verb: help_text(root_command, verb),
        read=lambda name: _read_inside(project, name),
        marked=lambda marker: find_marked_tests(project.rootdir, project.config.paths, marker),
        pytest_options=plugin_options,
        flags=lambda: list_flags(root_command),
        left_out=list_left_out,
        schemas=list_schemas,
    )


def _tell_of_failure(baseline: Baseline, name: str) -> None:
    """Say that the figures which go into the documents are those of a verification that failed."""
    from atom_testinfra.core.targets.assessment import assess
    from atom_testinfra.core.targets.conclusion import conclude

    conclusion = conclude(assess(baseline))
    if not conclusion.is_met:
        click.echo(
            f"note: the figures are from {name!r}, which is not verified: {conclusion.headline}", err=True
        )


def _read_inside(project: Project, name: str) -> str:
    if leaves_project(name):
        raise DocumentError(f"{name!r} leaves the project; paths are relative to {str(project.root)!r}")
    return read_document(project.root / name)


def help_text(root_command: click.Command, verb: str) -> str:
    """Return the help of a verb, or of the command itself, as a terminal of 80 columns shows it."""
    context = click.Context(
        root_command, info_name="testinfra", terminal_width=80, **root_command.context_settings
    )
    if not verb:
        return root_command.get_help(context)
    assert isinstance(root_command, click.Group)
    subcommand = root_command.get_command(context, verb)
    if subcommand is None:
        raise InfraError(f"no verb {verb!r}")
    return subcommand.get_help(click.Context(subcommand, parent=context, info_name=verb, terminal_width=80))


def list_flags(root_command: click.Command) -> list[tuple[str, list[str], str]]:
    """Return each option of the command line, the verbs that have it in this sense, and what it does."""
    assert isinstance(root_command, click.Group)
    context = click.Context(root_command, info_name="testinfra")
    found: dict[tuple[str, str], list[str]] = {}
    for verb in root_command.list_commands(context):
        subcommand = root_command.get_command(context, verb)
        assert subcommand is not None
        for parameter in subcommand.params:
            if isinstance(parameter, click.Option) and not parameter.hidden:
                name = " / ".join([*parameter.opts, *parameter.secondary_opts])
                value = "" if parameter.is_flag else f" {parameter.make_metavar(context)}"
                found.setdefault((name + value, parameter.help or ""), []).append(verb)
    return [(name, verbs, text) for (name, text), verbs in sorted(found.items())]


def list_left_out() -> list[tuple[str, str]]:
    """Return the variables that a measured run does not get, each with the reason."""
    from atom_testinfra.measuring.environment import CI_VARIABLES, DISTURBING

    disturbing = [(name, "it changes what is measured") for name in sorted(DISTURBING)]
    return disturbing + [(name, "it says that the machine is CI") for name in CI_VARIABLES]


def list_schemas() -> list[tuple[str, str, str]]:
    """Return the JSON Schemas of the package: file, version, and title."""
    from atom_testinfra.core.costs.baseline import SCHEMA_VERSION
    from atom_testinfra.core.vocabulary import RUN_SCHEMA_VERSION
    from atom_testinfra.storage.baseline import SCHEMA_FILE
    from atom_testinfra.storage.runs import RUN_SCHEMA_FILE

    folder = importlib.resources.files("atom_testinfra") / "storage" / "schemas"
    versions = {SCHEMA_FILE: SCHEMA_VERSION, RUN_SCHEMA_FILE: RUN_SCHEMA_VERSION}
    return [
        (
            f"atom_testinfra/storage/schemas/{file}",
            str(version),
            msgspec.json.decode((folder / file).read_bytes())["title"],
        )
        for file, version in versions.items()
    ]


class _OptionRecorder:
    """Stands in for pytest's parser and remembers what a plugin declares."""

    def __init__(self) -> None:
        self.options: list[tuple[str, str]] = []

    def addini(self, name: str, help: str, *_: object, **__: object) -> None:  # noqa: A002 - pytest's name
        self.options.append((name, help))

    def addoption(self, *names: str, **attributes: Any) -> None:
        if attributes.get("help") == argparse.SUPPRESS:
            return
        value = attributes.get("metavar") or "{" + ",".join(attributes.get("choices", ())) + "}"
        self.options.append((f"{names[0]} {value}".removesuffix(" {}"), attributes.get("help", "")))

    def getgroup(self, *_: object, **__: object) -> _OptionRecorder:
        return self


def plugin_options() -> list[tuple[str, str]]:
    """Return the options of the pytest plugin, as it declares them to pytest."""
    import pytest

    (entry,) = importlib.metadata.entry_points(group="pytest11", name="atom_testinfra")
    recorder = _OptionRecorder()
    offered = {"parser": recorder, "pluginmanager": pytest.PytestPluginManager()}
    declare = entry.load().pytest_addoption
    declare(**{name: offered[name] for name in inspect.signature(declare).parameters})
    return recorder.options


def _name(path: Path, root: Path) -> str:
    absolute = path.absolute()
    return absolute.relative_to(root).as_posix() if absolute.is_relative_to(root) else str(path)


def _summary(documents: list[Document], *, check: bool) -> dict[str, object]:
    return {
        "is_current": any(document.n_blocks for document in documents)
        and not any(document.stale for document in documents),
        "is_check": check,
        "documents": [
            {"path": document.name, "n_blocks": document.n_blocks, "stale": document.stale}
            for document in documents
        ],
    }


def _say(documents: list[Document], stale: list[Document], *, check: bool) -> None:
    from atom_testinfra.reports import numbers

    n_blocks = sum(document.n_blocks for document in documents)
    if not stale:
        where = numbers.plural(len(documents), "document")
        verb = "is" if n_blocks == 1 else "are"
        click.echo(f"{numbers.plural(n_blocks, 'block')} in {where} {verb} current", err=True)
        return
    for document in stale:
        blocks = ", ".join(f"{block.name} (line {block.line})" for block in document.stale)
        click.echo(f"{'stale' if check else 'wrote'}: {document.name}: {blocks}", err=True)
    if check:
        click.echo(f"hint: run `{FIX}` to write them", err=True)
