"""What `testinfra mutate --curves` learnt of a project, and which of it still holds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from atom_testinfra.commands.parameters import pytest_arguments
from atom_testinfra.core.budgets.examples import Candidate
from atom_testinfra.core.budgets.planner import FLOOR
from atom_testinfra.core.detection.curves import Curves
from atom_testinfra.core.detection.trials import cost_of
from atom_testinfra.core.errors import NothingMeasuredError
from atom_testinfra.mutation.product import find_product
from atom_testinfra.mutation.states import States
from atom_testinfra.storage.mutants import MutantStore, digest_request
from atom_testinfra.storage.trials import TrialStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from atom_testinfra.core.mutants import Reach
    from atom_testinfra.mutation.operators.mutants import Module
    from atom_testinfra.mutation.product import Product
    from atom_testinfra.storage.project import Project

Command = TypeVar("Command", bound="Callable[..., Any]")
LEARN = "testinfra mutate --curves"
NAMED = 5

profile_option = click.option(
    "--profile", metavar="NAME", help="Use what `mutate --curves` learnt with this profile, such as ci."
)


def output_options(text: str) -> Callable[[Command], Command]:
    """Give a command the options for its file, whose help is the text, and for JSON."""
    to_file = click.option(
        "-o",
        "--output",
        type=click.Path(dir_okay=False, path_type=Path),
        metavar="FILE",
        help=text,
    )
    as_json = click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
    return lambda command: to_file(as_json(command))


@dataclass(frozen=True, kw_only=True)
class Learnt:
    """What was learnt of a project's properties."""

    store: TrialStore
    reaches: dict[str, Reach]
    """What each property executes, for those whose file is still there."""
    fresh: list[str]
    stale: list[str]
    """Properties whose code, or whose tests, changed since."""
    unlearnt: list[str]
    """Properties without a curve: they reach none of the mutants that were tried."""
    product: Product
    modules: dict[str, Module]

    @property
    def curves(self) -> Curves:
        """The detection curves of the properties that are fresh."""
        return Curves(self.store.trials(self.fresh))

    def candidates(self, floor: int = FLOOR, first: frozenset[str] | None = None) -> list[Candidate]:
        """
        Return the properties that were learnt, stale ones too: their costs are used.

        Args:
            floor: examples below which no property is to fall.
            first: blocks whose properties come first, as `path:block`; by default all do.
        """
        found: list[Candidate] = []
        for nodeid, reach in self.reaches.items():
            runs = self.store.runs(nodeid)
            cost, own = cost_of(runs), runs[0].own
            found.append(
                Candidate(
                    nodeid=nodeid,
                    own=own,
                    example_s=cost.example_s,
                    fixed_s=cost.fixed_s,
                    exhausted=cost.most,
                    floor=max(1, min(floor, own)),
                    is_first=first is None or not first.isdisjoint(reach.blocks),
                )
            )
        return found


def read_learnt(project: Project, words: Sequence[str], profile: str | None) -> Learnt:
    """
    Return what was learnt with these pytest arguments and this profile, and say what is stale.

    Raises:
        NothingMeasuredError: Nothing was.
    """
    arguments = pytest_arguments(words or project.config.suite)
    learnt = learnt_in(project.mutants / digest_request(arguments, profile), project)
    if not learnt.reaches:
        raise NothingMeasuredError(
            "nothing was learnt about these tests: there are no detection curves",
            hint=f"`{LEARN}` learns them, with the same pytest arguments and --profile",
        )
    _say_stale(learnt.stale)
    _say_unlearnt(learnt.unlearnt)
    return learnt


def learnt_in(folder: Path, project: Project) -> Learnt:
    """Return what a folder of `testinfra mutate --curves` holds, which may be nothing."""
    product = find_product(project.root, project.rootdir, project.config.product, project.known_sources)
    modules = {module.path: module for module in map(product.read, product.files)}
    states = States(product, modules, project.rootdir)
    store = TrialStore(folder)
    known = {
        nodeid: one.reach
        for nodeid, one in MutantStore(folder).reaches.items()
        if one.reach.is_property and states.of_file(nodeid.split("::")[0])
    }
    reaches = {nodeid: known[nodeid] for nodeid in store.properties if nodeid in known}
    fresh: list[str] = []
    stale: list[str] = []
    for nodeid, reach in reaches.items():
        is_fresh = store.state_of(nodeid) == states.of_test(reach)
        (fresh if is_fresh else stale).append(nodeid)
    return Learnt(
        store=store,
        reaches=reaches,
        fresh=fresh,
        stale=stale,
        unlearnt=[nodeid for nodeid in known if nodeid not in reaches],
        product=product,
        modules=modules,
    )


def files_of_tests(nodeid: str, project: Project) -> Iterable[Path]:
    """Yield the file of a test, and the conftests that it sees."""
    test = project.rootdir / nodeid.split("::")[0]
    yield test
    folder = test.parent
    while folder.is_relative_to(project.rootdir):
        if (folder / "conftest.py").is_file():
            yield folder / "conftest.py"
        folder = folder.parent


def _named(nodeids: Sequence[str]) -> str:
    more = f" and {len(nodeids) - NAMED:,} more" if len(nodeids) > NAMED else ""
    return f"{', '.join(nodeids[:NAMED])}{more}"


def _say_unlearnt(unlearnt: Sequence[str]) -> None:
    if unlearnt:
        click.echo(
            f"no curve: {_named(unlearnt)} reached no mutant that was tried; no number is proposed",
            err=True,
        )


def _say_stale(stale: Sequence[str]) -> None:
    if not stale:
        return
    click.echo(
        f"stale: the code or the tests of {_named(stale)} changed since the curves were "
        f"learnt, so these are not used; `{LEARN}` learns them again",
        err=True,
    )
