"""`testinfra mutate`: which faults in the product the tests notice, and which no test notices."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from atom_testinfra import __version__
from atom_testinfra.commands.github import IN_WORKFLOW, add_to_summary
from atom_testinfra.commands.known_mutants import accept_survivors
from atom_testinfra.commands.mutant_selection import (
    find_changed_lines,
    find_removed_lines,
    select_changed,
    select_named,
)
from atom_testinfra.commands.mutant_shards import MutantShard
from atom_testinfra.commands.parameters import (
    PYTEST_WORDS,
    Duration,
    PathsThenPytest,
    Percent,
    pytest_arguments,
)
from atom_testinfra.core.detection.trials import LEAST_PLANNED, N_SEEDS, UP_TO, grid_of
from atom_testinfra.core.errors import ConfigError, NothingMeasuredError
from atom_testinfra.core.figures import plural
from atom_testinfra.core.mutants import (
    MutantVerdict,
    first_of_each_statement,
    order_mutants,
    score,
    worth_of_tests,
)
from atom_testinfra.core.status import ExitStatus
from atom_testinfra.measuring.environment import CI_VARIABLES
from atom_testinfra.mutation.listening import Listener, Outcome
from atom_testinfra.mutation.operators.written import apply_written, load_written
from atom_testinfra.mutation.processes import Settings
from atom_testinfra.mutation.product import Product, find_product
from atom_testinfra.mutation.session import MutationSession
from atom_testinfra.reports import mutants as report
from atom_testinfra.storage.mutants import MutantStore, digest_request
from atom_testinfra.storage.project import Project, load_project
from atom_testinfra.storage.trials import TrialStore

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from atom_testinfra.commands.mutant_selection import Ranges
    from atom_testinfra.core.detection.trials import Trial
    from atom_testinfra.core.mutants import Finding, Mutant, PropertyWorth
    from atom_testinfra.mutation.cluster.client import Cluster
    from atom_testinfra.mutation.operators.mutants import Module
    from atom_testinfra.mutation.operators.written import WrittenFault


@dataclass(frozen=True, slots=True, kw_only=True)
class MutateOptions:
    """The options of `testinfra mutate`, by the names that the command gives them."""

    paths: tuple[str, ...]
    since: str | None
    per_statement: int | None
    sample: int | None
    shard: str | None
    cluster: str | None
    time_s: float | None
    n_jobs: int | None
    seed: int
    profile: str | None
    places: tuple[str, ...]
    faults: Path | None
    is_list: bool
    show: str | None
    show_all: bool
    each_property: bool
    curves: bool
    up_to: int
    seeds: int
    fail_under: float | None
    fail_on_survivors: bool
    markdown: Path | None
    sarif: Path | None
    as_json: bool


@click.command(cls=PathsThenPytest)
@click.option(
    "--since", metavar="REV", help="Only lines that changed since a revision, uncommitted ones included."
)
@click.option(
    "--per-statement",
    type=click.IntRange(min=1),
    metavar="N",
    help="At most N mutants of each statement; the output says how many more there are.",
)
@click.option("--sample", type=click.IntRange(min=1), metavar="N", help="A random sample of N mutants.")
@click.option(
    "--shard", metavar="i/N", help="Only the i-th of N shards of the mutants, for `testinfra merge`."
)
@click.option(
    "--cluster",
    metavar="ADDRESS",
    help="Ask on the workers of the Dask scheduler at tcp://host:8786.",
)
@click.option(
    "--time", "time_s", type=Duration(), metavar="DURATION", help="Begin no mutant after this time."
)
@click.option(
    "-n", "n_jobs", type=click.IntRange(min=1), metavar="W", help="Processes; by default one per core."
)
@click.option("--seed", type=int, default=0, metavar="K", help="Another order of the mutants.  [default: 0]")
@click.option("--profile", metavar="NAME", help="Use the environment of a profile, such as ci.")
@click.option(
    "--product",
    "places",
    multiple=True,
    metavar="PATH",
    help="A file or folder that may be changed; repeatable.",
)
@click.option(
    "--faults",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Only the faults in a TOML file: [[fault]] with path, before, after, says.",
)
@click.option("--list", "is_list", is_flag=True, help="List the mutants and run no test.")
@click.option("--show", metavar="ID", help="Print one mutant as a patch and run no test.")
@click.option(
    "--all", "show_all", is_flag=True, help="Show every survivor, and the code that no test executes."
)
@click.option("--each-property", is_flag=True, help="Run each property alone, until it notices a mutant.")
@click.option(
    "--curves",
    is_flag=True,
    help="Run every property that reaches a mutant, on several seeds: for `testinfra budget` and `distil`.",
)
@click.option(
    "--up-to",
    type=click.IntRange(min=LEAST_PLANNED),
    default=UP_TO,
    show_default=True,
    metavar="N",
    help="With --curves: the most examples to try.",
)
@click.option(
    "--seeds",
    type=click.IntRange(min=1),
    default=N_SEEDS,
    show_default=True,
    metavar="K",
    help="With --curves: how many seeds.",
)
@click.option("--fail-under", type=Percent(), metavar="PERCENT", help="Exit with 1 if fewer are noticed.")
@click.option("--fail-on-survivors", is_flag=True, help="Exit with 1 when a mutant survives.")
@click.option("--markdown", type=click.Path(dir_okay=False, path_type=Path), help="Write a summary there.")
@click.option("--sarif", type=click.Path(dir_okay=False, path_type=Path), help="Write the survivors there.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
@click.argument("paths", nargs=-1, metavar="[PATH[::FUNCTION]]...")
@click.pass_context
def command(ctx: click.Context, /, **given: Any) -> int:
    """
    Put faults into the product, one at a time, and see which tests notice.

    Without PATH it tries every statement of the product. PATH is a file, a folder, or a function of the
    product (`src/a.py::Account.close`). No file is changed: each fault is put into a process of its own.
    Each verdict is stored at once, and the same command continues where it stopped.
    """
    options = MutateOptions(**given)
    if sys.platform != "linux":
        raise ConfigError("`testinfra mutate` needs Linux, because it tries mutants in forks of a process")
    project = load_project(Path.cwd())
    product = find_product(
        project.root, project.rootdir, [*options.places] or project.config.product, project.known_sources
    )
    changed = None if options.since is None else find_changed_lines(options.since, product, project)
    modules = {module.path: module for module in map(product.read, product.files)}
    faults = []
    if options.faults is not None:
        faults = load_written(options.faults)
    elif options.since is not None:
        faults = find_removed_lines(options.since, modules, product, project)
    chosen, n_more = _choose(options, faults, changed, modules, product, project)
    if options.show is not None:
        return _show(options.show, chosen, modules)
    settings = _settings(project, options, ctx.meta[PYTEST_WORDS], faults)
    asked = digest_request(settings.arguments, options.profile)
    shard = None
    if options.shard is not None:
        if options.each_property or options.curves:
            name = "--curves" if options.curves else "--each-property"
            raise ConfigError(f"{name} asks about all mutants, so it has no shards", hint="leave one out")
        shard = MutantShard(options.shard, chosen, asked, project)
        chosen = shard.chosen
    if options.is_list:
        return _list(order_mutants(chosen, options.seed), as_json=options.as_json)
    if shard is not None:
        shard.begin()
        if not chosen:
            return shard.save_empty()
    if not chosen:
        raise NothingMeasuredError(
            "no statement that can be changed was selected",
            hint="`testinfra mutate --list` shows what there is",
        )
    _say_product(product, len(modules), len(chosen))
    folder = project.mutants / asked
    with contextlib.ExitStack() as stack:
        cluster = _connect(options, product, settings, stack)
        session = MutationSession(
            product=product,
            modules=modules,
            settings=settings,
            store=MutantStore(folder),
            listener=_Progress(len(chosen)),
            cluster=cluster,
        )
        if options.each_property:
            return _report_properties(session.run_each_property(chosen), as_json=options.as_json)
        if options.curves:
            return _learn_curves(session, chosen, TrialStore(folder), options)
        outcome = session.run(chosen)
    findings = accept_survivors(outcome.findings.values(), project)
    status = _report(findings, outcome, n_more, options)
    if shard is not None:
        shard.save(findings, is_complete=not outcome.n_left and not outcome.is_interrupted)
    return status


def _connect(
    options: MutateOptions, product: Product, settings: Settings, stack: contextlib.ExitStack
) -> Cluster | None:
    """Return the cluster that the options name, for as long as the stack is open."""
    if options.cluster is None:
        return None
    for is_given, name in (
        (options.each_property, "--each-property"),
        (options.curves, "--curves"),
        (options.n_jobs is not None, "-n"),
    ):
        if is_given:
            raise ConfigError(
                f"--cluster does not go together with {name}",
                hint="each worker asks in as many processes as it has threads: dask worker --nthreads W",
            )
    from atom_testinfra.mutation.cluster.client import Cluster

    cluster = Cluster(options.cluster, product, settings)
    stack.callback(cluster.close)
    click.echo(f"asking on {plural(cluster.n_workers, 'worker')} of {options.cluster}", err=True)
    return cluster


def _choose(
    options: MutateOptions,
    faults: list[WrittenFault],
    changed: Mapping[str, Ranges] | None,
    modules: Mapping[str, Module],
    product: Product,
    project: Project,
) -> tuple[list[Mutant], int]:
    """Return the mutants that the options select, and how many more their statements have."""
    if options.faults is not None:
        chosen = apply_written(faults, modules)
    else:
        among = modules if changed is None else {path: modules[path] for path in changed}
        chosen = select_named(among, options.paths, product, project)
    if changed is not None:
        named = {(mutant.path, mutant.function) for mutant in chosen}
        chosen = select_changed(chosen, changed)
    every = chosen
    if options.per_statement is not None:
        chosen = first_of_each_statement(every, options.per_statement, options.seed)
    n_more = len(every) - len(chosen)
    if changed is not None and options.faults is None:
        removed = apply_written(faults, modules)
        is_all = not options.paths
        chosen += [one for one in removed if is_all or (one.path, one.function) in named]
    if options.sample is not None:
        chosen = order_mutants(chosen, options.seed)[: options.sample]
    return chosen, n_more


def _settings(
    project: Project, options: MutateOptions, arguments: Sequence[str], faults: list[WrittenFault]
) -> Settings:
    environment = dict(os.environ)
    if options.profile is not None:
        profile = project.config.profiles.get(options.profile)
        if profile is None:
            raise ConfigError(
                f"there is no profile {options.profile!r}",
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
        n_jobs=options.n_jobs or len(os.sched_getaffinity(0)),
        ends_at=None if options.time_s is None else time.time() + options.time_s,
        seed=options.seed,
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

    def on_trials(self, nodeid: str, mutant: str, trials: Sequence[Trial]) -> None:  # noqa: ARG002
        self._n_done += 1
        self._n_survived += all(trial.first is None for trial in trials)
        self._say(
            f"{self._n_done} pairs of a property and a mutant asked, {self._n_survived} not noticed",
            is_due=False,
        )

    def _say(self, text: str, *, is_due: bool) -> None:
        now = time.monotonic()
        if is_due or now - self._said_at > 2.0:
            self._said_at = now
            click.echo(text, err=True)


def _say_product(product: Product, n_modules: int, n_mutants: int) -> None:
    places = ", ".join(map(product.relative, product.places))
    click.echo(f"product: {places} ({n_modules} modules); {n_mutants} mutants selected", err=True)


def _report(findings: list[Finding], outcome: Outcome, n_more: int, options: MutateOptions) -> int:
    total = score(findings)
    summary = report.render_markdown(findings, n_left=outcome.n_left)
    more = (
        f"{plural(n_more, 'more mutant')} of these statements left out by --per-statement." if n_more else ""
    )
    if more:
        summary += f"\n{more}\n"
    if options.as_json:
        document = {
            "findings": findings,
            "counts": total.counts,
            "share": total.share,
            "n_asked": outcome.n_asked,
            "n_left": outcome.n_left,
            "n_more": n_more,
            "excluded": outcome.excluded,
            "worth": worth_of_tests(findings),
            "remarks": outcome.remarks,
            "is_interrupted": outcome.is_interrupted,
        }
        click.echo(msgspec.json.encode(document))
    else:
        most = None if options.show_all else report.MOST_SURVIVORS
        for line in report.render_text(findings, n_left=outcome.n_left, most=most):
            click.echo(line)
        if more:
            click.echo(more)
    if options.markdown is not None:
        options.markdown.write_text(summary, encoding="utf-8")
    if options.sarif is not None:
        options.sarif.write_bytes(msgspec.json.encode(report.to_sarif(findings, __version__)))
    if os.environ.get(IN_WORKFLOW) == "true":
        for line in report.render_annotations(findings):
            click.echo(line, err=True)
    add_to_summary(summary, os.environ)
    if outcome.is_interrupted:
        return 130
    if not findings:
        return ExitStatus.NOTHING
    is_low = options.fail_under is not None and (total.share or 0.0) * 100 < options.fail_under
    has_survivors = options.fail_on_survivors and total.n_survived > 0
    return ExitStatus.FAILED if is_low or has_survivors else ExitStatus.OK


def _report_properties(worths: Sequence[PropertyWorth], *, as_json: bool) -> int:
    if as_json:
        click.echo(msgspec.json.encode({"properties": worths}))
    else:
        for line in report.render_properties(worths):
            click.echo(line)
    if not worths:
        return ExitStatus.NOTHING
    return ExitStatus.FAILED if any(one.is_silent for one in worths) else ExitStatus.OK


def _learn_curves(
    session: MutationSession, chosen: Sequence[Mutant], store: TrialStore, options: MutateOptions
) -> int:
    """Ask on several seeds, and say how much is known now."""
    unfit = session.run_curves(chosen, store, grid=grid_of(options.up_to), n_seeds=options.seeds)
    for nodeid, reason in unfit.items():
        click.echo(f"not asked: {nodeid} does not pass unchanged ({reason})", err=True)
    trials = store.trials(store.properties)
    pairs = {(trial.nodeid, trial.mutant) for trial in trials}
    noticed = {trial.mutant for trial in trials if trial.first is not None}
    counts = {
        "properties": len({nodeid for nodeid, _ in pairs}),
        "mutants": len({mutant for _, mutant in pairs}),
        "noticed": len(noticed),
        "pairs": len(pairs),
        "runs": len(trials),
        "unfit": unfit,
    }
    if options.as_json:
        click.echo(msgspec.json.encode(counts))
    else:
        click.echo(
            f"known now: {counts['runs']:,} runs of {counts['properties']:,} properties under "
            f"{counts['mutants']:,} mutants; {counts['noticed']:,} are noticed in some run"
        )
        click.echo("next: testinfra budget")
    return ExitStatus.OK if pairs else ExitStatus.NOTHING


def _list(mutants: Sequence[Mutant], *, as_json: bool) -> int:
    if as_json:
        click.echo(msgspec.json.encode(mutants))
    else:
        for mutant in mutants:
            place = f"{mutant.path}:{mutant.line}  {mutant.function or '(module)'}"
            click.echo(f"{mutant.id}  {place}  {mutant.operator}")
    return ExitStatus.OK if mutants else ExitStatus.NOTHING


def _show(id_: str, chosen: Sequence[Mutant], modules: Mapping[str, Module]) -> int:
    every = [mutant for module in modules.values() for mutant in module.mutants]
    for mutant in (*chosen, *every):
        if mutant.id == id_:
            click.echo(modules[mutant.path].difference(mutant))
            return ExitStatus.OK
    raise ConfigError(
        f"there is no mutant {id_!r} in the product as it is now", hint="`testinfra mutate --list`"
    )
