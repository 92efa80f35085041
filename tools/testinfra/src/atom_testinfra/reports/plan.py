"""How a suite fits its time budget, for the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atom_testinfra.core.figures import plural, seconds, seconds_beside

if TYPE_CHECKING:
    from atom_testinfra.core.scheduling.plan import Estimate, SuitePlan


def render_text(plan: SuitePlan) -> list[str]:
    """Return the lines."""
    lines = [f"{plural(plan.n_tests, 'test')}, {seconds(plan.total_s)} one after the other"]
    if plan.n_unknown:
        lines[0] += f"; {plan.n_unknown:,} have no known duration and count as the mean of the others"
    if plan.longest is not None:
        lines.append(f"longest: {seconds(plan.longest[1])}, {plan.longest[0]}")
    lines += ["", "  workers   expected   start-up   lower bound of the tests"]
    lines += [_row(estimate, estimate == plan.best) for estimate in plan.estimates]
    lines += ["", _describe_best(plan), _describe_workers(plan), *_describe_machines(plan)]
    if plan.obstacles:
        lines += ["", "in the way:"]
        lines += [f"  {seconds(one.seconds)}  {one.nodeid}\n      {one.advice}" for one in plan.obstacles]
    return lines


def _row(estimate: Estimate, is_best: bool) -> str:
    name = str(estimate.n_workers or "none")
    cells = (seconds(estimate.seconds), seconds(estimate.startup_s), seconds(estimate.bound_s))
    return f"  {name:>7}   {cells[0]:>8}   {cells[1]:>8}   {cells[2]:>8}{'   best' if is_best else ''}"


def _describe_best(plan: SuitePlan) -> str:
    how = f"-n {plan.best.n_workers}" if plan.best.n_workers else "without workers"
    verdict = "inside" if plan.is_met else "over"
    expected = seconds_beside(plan.best.seconds, plan.budget_s)
    return f"best on this machine: {how}, {expected}, {verdict} the budget of {seconds(plan.budget_s)}"


def _describe_workers(plan: SuitePlan) -> str:
    worker_s = plan.startup.worker_s
    if worker_s is None:
        return "pytest-xdist is not installed, so there are no workers: pip install 'atom-testinfra[xdist]'"
    told = f"a worker takes {seconds(worker_s)} of CPU before its first test"
    if not plan.best.n_workers:
        return f"{told}: workers cost more than they win"
    return f"{told}; more than {plan.n_useful_workers} have nothing to win, because of the longest test"


def _describe_machines(plan: SuitePlan) -> list[str]:
    if plan.n_machines is None:
        return [
            f"no number of machines that you have meets the budget: {seconds(plan.machines_s)} at the least"
        ]
    if plan.n_machines == 1:
        return []
    workers = f"-n {plan.best.n_workers} " if plan.best.n_workers else ""
    command = f"pytest {workers}--testinfra-shard i/{plan.n_machines}"
    return [f"{plan.n_machines} machines meet it, in {seconds(plan.machines_s)}: {command} on each"]
