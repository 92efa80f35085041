"""The edges of what the use cases of budgets accept."""

from __future__ import annotations

import pytest

from atom.budgets import repository, service
from atom.budgets.rules import Verdict
from atom.kit.clock import ManualClock
from atom.kit.errors import InvalidError, NotFoundError, StaleVersionError
from tests import factories
from tests.database import Database
from tests.keywords import OfProject

LARGEST = 10**15


def test_amounts_at_the_edge_are_accepted(database: Database, clock: ManualClock) -> None:
    """The largest amount, and a budget and a limit of zero."""
    with database.session() as session:
        (own,) = factories.workspace_ids(session, 1)
        for budget_minor in (0, LARGEST):
            project = service.create_project(
                session, clock, workspace_id=own, name=" Bridge ", budget_minor=budget_minor
            )
            assert (project.budget_minor, project.name) == (budget_minor, "Bridge")
            assert service.get_project(session, workspace_id=own, project_id=project.id) == project
        for limit_minor in (0, LARGEST):
            found = service.set_limit(session, workspace_id=own, category=" travel ", limit_minor=limit_minor)
            assert (found.name, found.limit_minor) == ("travel", limit_minor)
        assert service.record(session, workspace_id=own, category="travel ", amount_minor=1).spent_minor == 1
        reserved = service.reserve(
            session, clock, workspace_id=own, category="travel ", amount_minor=LARGEST - 1
        )
        assert reserved.decision.verdict is Verdict.APPROVED


@pytest.mark.parametrize("minutes", [-1, 10_000_001])
def test_minutes_out_of_range_are_refused(database: Database, clock: ManualClock, minutes: int) -> None:
    """Nobody works less than nothing or more than nineteen years on a task."""
    with database.session() as session:
        (own,) = factories.workspace_ids(session, 1)
        project = service.create_project(session, clock, workspace_id=own, name="Bridge", budget_minor=0)
        scope = OfProject(workspace_id=own, project_id=project.id)
        with pytest.raises(InvalidError) as caught:
            service.add_task(session, **scope, title="Dig", actual_minutes=minutes)
        assert caught.value.field == "minutes"
        task = service.add_task(session, **scope, title="Dig", actual_minutes=0).id
        service.add_task(session, **scope, title="Dig", actual_minutes=10_000_000)
        for wrong in (minutes, 0):
            with pytest.raises(InvalidError) as caught:
                service.log_work(session, **scope, task_id=task, minutes=wrong)
            assert caught.value.field == "minutes"
        service.log_work(session, **scope, task_id=task, minutes=10_000_000)
        with pytest.raises(InvalidError) as caught:
            service.add_task(session, **scope, title=" ")
        assert caught.value.field == "title"


def test_work_on_another_projects_task_is_not_found(database: Database, clock: ManualClock) -> None:
    """A task is found in its own project only."""
    with database.session() as session:
        (own,) = factories.workspace_ids(session, 1)
        bridge, tunnel = (
            service.create_project(session, clock, workspace_id=own, name=name, budget_minor=0)
            for name in ("Bridge", "Tunnel")
        )
        task = service.add_task(session, workspace_id=own, project_id=bridge.id, title="Dig").id
        with pytest.raises(NotFoundError):
            service.log_work(session, workspace_id=own, project_id=tunnel.id, task_id=task, minutes=1)


def test_check_of_an_unknown_category_writes_nothing(database: Database, clock: ManualClock) -> None:
    """A category that nobody limited has no limit, and asking does not make it."""
    with database.session() as session:
        (own,) = factories.workspace_ids(session, 1)
        decision = service.check(session, workspace_id=own, category="travel", amount_minor=LARGEST)
        assert decision.is_approved
        assert service.list_categories(session, workspace_id=own).items == ()


def test_categories_are_listed_by_name(database: Database, clock: ManualClock) -> None:
    """The order is that of the names, whatever came first."""
    with database.session() as session:
        (own,) = factories.workspace_ids(session, 1)
        for name in ("b", "a", "c"):
            service.record(session, workspace_id=own, category=name, amount_minor=1)
        assert [item.name for item in service.list_categories(session, workspace_id=own).items] == [
            "a",
            "b",
            "c",
        ]


def test_amount_taken_meanwhile_is_a_conflict(
    database: Database, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the lock does not hold, the conditional update does: nothing is reserved beyond the limit."""
    with database.session() as session:
        (own,) = factories.workspace_ids(session, 1)
        service.set_limit(session, workspace_id=own, category="travel", limit_minor=10)
        stale = repository.get_category(session, own, "travel")
        service.reserve(session, clock, workspace_id=own, category="travel", amount_minor=9)
        monkeypatch.setattr(repository, "get_category", lambda *_args, **_options: stale)
        with pytest.raises(StaleVersionError):
            service.reserve(session, clock, workspace_id=own, category="travel", amount_minor=2)
        monkeypatch.undo()
        found = service.get_category(session, workspace_id=own, category="travel")
        assert (found.reserved_minor, found.is_paused) == (9, False)


def test_what_is_settled_is_spent_and_the_rest_is_free(database: Database, clock: ManualClock) -> None:
    """More than was reserved cannot be spent, and what is released is free as a whole."""
    with database.session() as session:
        (own,) = factories.workspace_ids(session, 1)
        service.set_limit(session, workspace_id=own, category="travel", limit_minor=1_000)

        def reserved(amount_minor: int) -> dict[str, str]:
            result = service.reserve(
                session, clock, workspace_id=own, category="travel", amount_minor=amount_minor
            )
            assert result.reservation is not None
            return {"workspace_id": own, "reservation_id": result.reservation.id}

        def committed() -> tuple[int, int]:
            found = service.get_category(session, workspace_id=own, category="travel")
            return found.spent_minor, found.reserved_minor

        first, second = reserved(100), reserved(40)
        for wrong in (-1, 101):
            with pytest.raises(InvalidError) as caught:
                service.settle(session, clock, **first, spent_minor=wrong)
            assert caught.value.field == "spent_minor"
        assert committed() == (0, 140)
        service.settle(session, clock, **first, spent_minor=30)
        assert committed() == (30, 40)
        service.release(session, clock, **second)
        assert committed() == (30, 0)
