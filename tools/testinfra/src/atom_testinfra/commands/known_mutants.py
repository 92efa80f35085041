"""What is known of mutants without asking anybody: the verdicts and the curves that still hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
import msgspec

from atom_testinfra.core.errors import BudgetError
from atom_testinfra.storage.accepted_mutants import load_accepted
from atom_testinfra.storage.example_budget import BudgetFile, Freshness, load_budget
from atom_testinfra.storage.mutants import newest_store
from atom_testinfra.storage.trials import newest_trials

if TYPE_CHECKING:
    from collections.abc import Iterable

    from atom_testinfra.core.mutants import Finding
    from atom_testinfra.reports.sections.detection import DetectionSection
    from atom_testinfra.reports.sections.worth import WorthSection
    from atom_testinfra.storage.project import Project


def load_worth(project: Project) -> WorthSection | None:
    """Return the section of a report on what mutants said last; `None` where nothing of it holds."""
    store = newest_store(project.mutants)
    if store is None:
        return None
    from atom_testinfra.mutation.knowledge import Knowledge
    from atom_testinfra.mutation.product import find_product
    from atom_testinfra.reports.sections.worth import build_worth

    product = find_product(project.root, project.rootdir, project.config.product, project.known_sources)
    modules = {module.path: module for module in map(product.read, product.files)}
    knowledge = Knowledge(product, modules, project.rootdir, store)
    selected = [mutant for module in modules.values() for mutant in module.mutants]
    findings = knowledge.find_findings(selected)
    blocks = {mutant.id: mutant.place for mutant in selected if mutant.id in findings}
    return build_worth(accept_survivors(findings.values(), project), blocks, list(knowledge.reaches.values()))


def load_detection(project: Project) -> DetectionSection | None:
    """Return the section of a report on the detection curves that were learnt last; `None` without any."""
    folder = newest_trials(project.mutants)
    if folder is None:
        return None
    from atom_testinfra.commands.learnt import learnt_in
    from atom_testinfra.reports.sections.detection import build_detection

    learnt = learnt_in(folder, project)
    return build_detection(
        learnt.candidates(),
        learnt.curves,
        budgeted=_budgeted(project),
        stale=learnt.stale,
        n_properties=len(learnt.reaches) + len(learnt.unlearnt),
    )


def _budgeted(project: Project) -> dict[str, int] | None:
    """Return the numbers of the budget file that a run would apply today; `None` where there is no file."""
    from atom_testinfra.mutation.states import hypothesis_version

    if not project.budget.is_file():
        return None
    try:
        budget = load_budget(project.budget)
    except BudgetError as exc:
        click.echo(f"note: no budget in the report: {exc}", err=True)
        return None
    if not isinstance(budget, BudgetFile):
        return None
    freshness = Freshness(budget, project.budget.parent, hypothesis_version())
    return {
        nodeid: one.max_examples
        for nodeid, one in budget.properties.items()
        if freshness.problem(nodeid) is None
    }


def accept_survivors(findings: Iterable[Finding], project: Project) -> list[Finding]:
    """Return the findings, each survivor that a person accepted with the reason."""
    accepted = load_accepted(project.root / project.config.equivalent)
    return [
        msgspec.structs.replace(finding, accepted=accepted[finding.id].reason)
        if finding.id in accepted
        else finding
        for finding in findings
    ]
