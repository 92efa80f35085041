"""`testinfra mutate`: which faults in the product the tests notice, and which nobody notices."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from atom_testinfra.commands.mutant_shards import MutantShard
from atom_testinfra.commands.parameters import PYTEST_WORDS, Duration, PathsThenPytest, pytest_arguments
from atom_testinfra.core.errors import ConfigError, NothingMeasuredError
from atom_testinfra.core.mutants import MutantVerdict, order_mutants, score, worth_of_tests
from atom_testinfra.core.status import ExitStatus
from atom_testinfra.measuring.environment import CI_VARIABLES
from atom_testinfra.mutation.processes import Settings
from atom_testinfra.mutation.product import Product, find_product
from atom_testinfra.mutation.session import Listener, MutationSession, Outcome
from atom_testinfra.mutation.written import apply_written, load_written
from atom_testinfra.reports import mutants as report
from atom_testinfra.storage.git import Repository
from atom_testinfra.storage.mutants import MutantStore, combine, load_accepted
from atom_testinfra.storage.project import Project, load_project

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from atom_testinfra.core.mutants import Finding, Mutant, PropertyWorth
    from atom_testinfra.mutation.mutants import Module
    from atom_testinfra.mutation.written import WrittenFault


@click.command(cls=PathsThenPytest)
@click.option(
    "--since", metavar="REV", help="Only lines that changed since a revision, uncommitted ones too."
)
@click.option("--sample", type=click.IntRange(min=1), metavar="N", help="A fair sample of N mutants.")
@click.option("--shard", metavar="i/N", help="Only the i-th of N shards of them, for `testinfra merge`.")
@click.option("--time", "time_s", type=Duration(), metavar="DURATION", help="Ask about no mutant after it.")
@click.option("-n", "n_jobs", type=click.IntRange(min=1), metavar="W", help="Processes; one for each core.")
@click.option("--seed", type=int, default=0, metavar="K", help="Another order of the mutants.  [default: 0]")
@click.option("--profile", metavar="NAME", help="With the environment of a profile, such as ci.")
@click.option("--product", "places", multiple=True, metavar="PATH", help="What may be changed; repeatable.")
@click.option(
    "--faults",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Only the faults written down in a TOML file: [[fault]] with path, before, after, says.",
)
@click.option("--list", "is_list", is_flag=True, help="List the mutants and ask nobody.")
@click.option("--show", metavar="ID", help="Print one mutant as a patch, and ask nobody.")
@click.option(
    "--all", "show_all", is_flag=True, help="Show every survivor, and the code that no test executes."
)
@click.option("--each-property", is_flag=True, help="Ask each property alone, until it notices a mutant.")
@click.option("--fail-under", type=click.FloatRange(0, 100), metavar="PERCENT", help="Exit with 1 below.")
@click.option("--fail-on-survivors", is_flag=True, help="Exit with 1 when a mutant survives.")
@click.option("--markdown", type=click.Path(dir_okay=False, path_type=Path), help="Write a summary there.")
@click.option("--sarif", type=click.Path(dir_okay=False, path_type=Path), help="Write the survivors there.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
@click.argument("paths", nargs=-1, metavar="[PATH[::FUNCTION]]...")
@click.pass_context
def command(ctx: click.Context, /, **options: Any) -> int:
    """
    Put faults into the product, one at a time, and see which tests notice.

    Bare, it asks about every statement of the product. PATH is a file, a folder, or a function of the
    product (`src/a.py::Account.close`). No file is changed: each fault lives in a process of its own.
    Verdicts are kept as they come, and the same command goes on where it stopped.
    """
    project = load_project(Path.cwd())
    places = [*options["places"]] or project.config.product
    product = find_product(project.root, project.rootdir, places)
    modules = {module.path: module for module in map(product.read, product.files)}
    faults = load_written(options["faults"]) if options["faults"] is not None else []
    if options["faults"] is not None:
        chosen = apply_written(faults, modules)
    else:
        chosen = _select(modules, options["paths"], product, project)
    if options["since"] is not None:
        chosen = _changed_since(options["since"], chosen, product, project)
    if options["sample"] is not None:
        chosen = order_mutants(chosen, options["seed"])[: options["sample"]]
    if options["show"] is not None:
        return _show(options["show"], modules)
    settings = _settings(project, options, ctx.meta[PYTEST_WORDS], faults)
    # Other tests, or another environment, give other verdicts.
    asked = combine([*settings.arguments, options["profile"] or ""])
    shard = None
    if options["shard"] is not None:
        if options["each_property"]:
            raise ConfigError(
                "--each-property asks about all mutants, so it has no shards", hint="leave one out"
            )
        shard = MutantShard(options["shard"], chosen, asked, project)
        chosen = shard.chosen
    if options["is_list"]:
        return _list(order_mutants(chosen, options["seed"]), as_json=options["as_json"])
    if shard is not None:
        shard.begin()
        if not chosen:
            return shard.save_empty()
    if not chosen:
        raise NothingMeasuredError(
            "no statement that can be changed was selected",
            hint="`testinfra mutate --list` shows what there is"
            if options["since"] is None
            else f"nothing in the product changed since {options['since']}",
        )
    _say_product(product, len(modules), len(chosen))
    session = MutationSession(
        product=product,
        modules=modules,
        settings=settings,
        store=MutantStore(project.root / project.config.mutants / asked),
        listener=_Progress(len(chosen)),
    )
    if options["each_property"]:
        return _report_properties(session.run_each_property(chosen), options)
    outcome = session.run(chosen)
    findings = _accept(outcome, project)
    status = _report(findings, outcome, options)
    if shard is not None:
        shard.save(findings, is_complete=not outcome.n_left and not outcome.is_interrupted)
    return status


def _select(
    modules: Mapping[str, Module], paths: Sequence[str], product: Product, project: Project
) -> list[Mutant]:
    """Return the mutants of what the command line names, or all of them."""
    if not paths:
        return [mutant for module in modules.values() for mutant in module.mutants]
    chosen: dict[str, Mutant] = {}
    for word in paths:
        name, _, function = word.partition("::")
        place = next(
            (
                folder / name
                for folder in (Path.cwd(), project.rootdir, project.root)
                if (folder / name).exists()
            ),
            None,
        )
        if place is None:
            raise ConfigError(f"there is no {name!r} here", hint="name a file or a folder of the product")
        relative = product.relative(place.resolve())
        found = [
            mutant
            for path, module in modules.items()
            if path == relative or path.startswith(f"{relative}/") or relative == "."
            for mutant in module.mutants
            if not function or _is_in(mutant, function)
        ]
        if not found:
            raise ConfigError(
                f"{word!r} holds nothing that can be changed",
                hint=f"the product is {', '.join(map(product.relative, product.places))}",
            )
        chosen |= {mutant.id: mutant for mutant in found}
    return list(chosen.values())


def _is_in(mutant: Mutant, function: str) -> bool:
    name = mutant.function or ""
    return name == function or name.startswith(f"{function}.")


def _changed_since(
    revision: str, mutants: Sequence[Mutant], product: Product, project: Project
) -> list[Mutant]:
    """Return the mutants of statements that a diff touches."""
    lines = Repository(project.root).changed_lines(revision)
    changed = {product.relative(path): ranges for path, ranges in lines.items()}
    return [
        mutant
        for mutant in mutants
        if any(
            first <= mutant.end_line and mutant.line <= last for first, last in changed.get(mutant.path, ())
        )
    ]


def _settings(
    project: Project, options: Mapping[str, Any], arguments: Sequence[str], faults: list[WrittenFault]
) -> Settings:
    environment = dict(os.environ)
    if options["profile"] is not None:
        profile = project.config.profiles.get(options["profile"])
        if profile is None:
            raise ConfigError(
                f"there is no profile {options['profile']!r}",
                hint=f"there are: {', '.join(project.config.profiles)}",
            )
        environment = {name: value for name, value in environment.items() if name not in CI_VARIABLES}
        environment |= profile.env
    environment["PYTHONHASHSEED"] = "0"
    return Settings(
        root=project.root,
        rootdir=project.rootdir,
        arguments=pytest_arguments(arguments or project.config.suite),
        environment=environment,
        n_jobs=options["n_jobs"] or len(os.sched_getaffinity(0)),
        ends_at=None if options["time_s"] is None else time.time() + options["time_s"],
        seed=options["seed"],
        faults=faults,
    )


class _Progress(Listener):
    """Says on stderr how far the session is: at once, then every two seconds at most."""

    def __init__(self, n_mutants: int) -> None:
        self._n_mutants = n_mutants
        self._n_done = self._n_survived = 0
        self._said_at = 0.0

    def on_collected(self, n_tests: int) -> None:
        self._say(f"collected {n_tests} tests; running those that matter once, unchanged", is_due=True)

    def on_ran(self, number: int, n: int, nodeid: str, error: str | None) -> None:
        if error is not None:
            self._say(f"not asked: {nodeid} does not pass unchanged ({error})", is_due=True)
        self._say(f"{number} of {n} tests ran unchanged", is_due=number == n)

    def on_ready(self, n_tests: int, remarks: list[str]) -> None:  # noqa: ARG002
        for remark in remarks:
            self._say(f"note: {remark}", is_due=True)

    def on_finding(self, finding: Finding) -> None:
        self._n_done += 1
        self._n_survived += finding.verdict is MutantVerdict.SURVIVED
        self._say(f"{self._n_done} mutants asked about, {self._n_survived} survived", is_due=False)

    def on_property(self, worth: PropertyWorth) -> None:
        self._n_done += 1
        self._n_survived += worth.is_silent
        self._say(f"{self._n_done} properties asked alone, {self._n_survived} noticed nothing", is_due=False)

    def _say(self, text: str, *, is_due: bool) -> None:
        now = time.monotonic()
        if is_due or now - self._said_at > 2.0:
            self._said_at = now
            click.echo(text, err=True)


def _say_product(product: Product, n_modules: int, n_mutants: int) -> None:
    places = ", ".join(map(product.relative, product.places))
    click.echo(f"product: {places} ({n_modules} modules); {n_mutants} mutants selected", err=True)


def _accept(outcome: Outcome, project: Project) -> list[Finding]:
    """Return the findings, each survivor that a person accepted with the reason."""
    accepted = load_accepted(project.root / project.config.equivalent)
    findings = []
    for finding in outcome.findings.values():
        entry = accepted.get(finding.id)
        findings.append(finding if entry is None else msgspec.structs.replace(finding, accepted=entry.reason))
    return findings


def _report(findings: list[Finding], outcome: Outcome, options: Mapping[str, Any]) -> int:
    total = score(findings)
    if options["as_json"]:
        document = {
            "findings": findings,
            "counts": total.counts,
            "share": total.share,
            "n_asked": outcome.n_asked,
            "n_left": outcome.n_left,
            "excluded": outcome.excluded,
            "worth": worth_of_tests(findings),
            "remarks": outcome.remarks,
            "is_interrupted": outcome.is_interrupted,
        }
        click.echo(msgspec.json.encode(document))
    else:
        most = None if options["show_all"] else report.MOST_SURVIVORS
        for line in report.render_text(findings, n_left=outcome.n_left, most=most):
            click.echo(line)
    if options["markdown"] is not None:
        options["markdown"].write_text(
            report.render_markdown(findings, n_left=outcome.n_left), encoding="utf-8"
        )
    if options["sarif"] is not None:
        from atom_testinfra import __version__

        options["sarif"].write_bytes(msgspec.json.encode(report.to_sarif(findings, __version__)))
    if os.environ.get("GITHUB_ACTIONS") == "true":
        for line in report.render_annotations(findings):
            click.echo(line)
    if outcome.is_interrupted:
        return 130
    if not findings:
        return ExitStatus.NOTHING
    is_low = options["fail_under"] is not None and (total.share or 0.0) * 100 < options["fail_under"]
    has_survivors = options["fail_on_survivors"] and total.n_survived > 0
    return ExitStatus.FAILED if is_low or has_survivors else ExitStatus.OK


def _report_properties(worths: Sequence[PropertyWorth], options: Mapping[str, Any]) -> int:
    if options["as_json"]:
        click.echo(msgspec.json.encode({"properties": worths}))
    else:
        for line in report.render_properties(worths):
            click.echo(line)
    if not worths:
        return ExitStatus.NOTHING
    return ExitStatus.FAILED if any(one.is_silent for one in worths) else ExitStatus.OK


def _list(mutants: Sequence[Mutant], *, as_json: bool) -> int:
    if as_json:
        click.echo(msgspec.json.encode(mutants))
    else:
        for mutant in mutants:
            place = f"{mutant.path}:{mutant.line}  {mutant.function or '(module)'}"
            click.echo(f"{mutant.id}  {place}  {mutant.operator}")
    return ExitStatus.OK if mutants else ExitStatus.NOTHING


def _show(id_: str, modules: Mapping[str, Module]) -> int:
    for module in modules.values():
        for mutant in module.mutants:
            if mutant.id == id_:
                click.echo(module.difference(mutant))
                return ExitStatus.OK
    raise ConfigError(
        f"there is no mutant {id_!r} in the product as it is now", hint="`testinfra mutate --list`"
    )
