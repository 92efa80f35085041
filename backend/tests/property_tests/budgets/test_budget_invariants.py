"""Invariant 22: what projects burn, how their budgets stand, and what spending limits allow."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from fractions import Fraction
from functools import partial
from operator import sub
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from atom.budgets import repository, service
from atom.budgets.models import MAX_MINUTES, MAX_TOTAL_MINOR, ReservationStatus
from atom.budgets.rules import BudgetStatus, Guardrail, Verdict, budget_status, judge, labour_cost_minor
from atom.kit.clock import ManualClock
from atom.kit.errors import ConflictError, InvalidError, NotFoundError
from atom.tables import budgets
from tests import factories
from tests.database import Database
from tests.factories import NOW
from tests.keywords import OfProject
from tests.pages import follow
from tests.property_tests.budgets import strategies
from tests.property_tests.budgets.strategies import LIMIT_MINOR, Work

Totals = tuple[int, int, int]
"""What is spent and what is reserved, in minor units, and the minutes worked."""

CLOCK = ManualClock(NOW)
WORST_LAST = [BudgetStatus.ON_TRACK, BudgetStatus.AT_RISK, BudgetStatus.OVER_BUDGET]


@pytest.mark.invariant(22)
@given(
    budget=st.integers(0, 10**15),
    share=st.sampled_from((0, 79, 80, 81, 99, 100, 101)),
    more=st.integers(-2, 2),
)
@example(budget=100, share=80, more=0)
@example(budget=100, share=100, more=0)
@example(budget=7, share=80, more=0)
def test_budget_status_is_monotone_in_burn(budget: int, share: int, more: int) -> None:
    """
    Invariant 22: the budget status never improves as the burn grows; it turns to at risk at exactly 80
    percent of the budget and to over budget at exactly 100 percent.
    """
    burn = budget * share // 100 + more
    status = budget_status(burn_minor=burn, budget_minor=budget)
    worse = budget_status(burn_minor=burn + 1, budget_minor=budget)
    assert WORST_LAST.index(status) <= WORST_LAST.index(worse)
    if budget == 0:
        assert status is BudgetStatus.ON_TRACK
    else:
        ratio = Fraction(burn, budget)
        assert (status is BudgetStatus.OVER_BUDGET) == (ratio >= 1)
        assert (status is BudgetStatus.ON_TRACK) == (ratio < Fraction(8, 10))


@pytest.mark.invariant(22)
@given(work=strategies.work, data=st.data())
def test_labour_is_priced_exactly(work: list[Work], data: st.DataObject) -> None:
    """
    Invariant 22: work costs its hours times the hourly rate (50.00 if that is missing or 0), summed exactly
    and rounded once to the nearest cent, half a cent up.
    """
    pairs = [(item.rate_minor or 0, item.minutes) for item in work]
    exact = sum((Fraction((item.rate_minor or 5_000) * item.minutes, 60) for item in work), Fraction(0))
    assert labour_cost_minor(pairs) == math.floor(exact + Fraction(1, 2))
    assert labour_cost_minor(data.draw(st.permutations(pairs))) == labour_cost_minor(pairs)


@pytest.mark.invariant(22)
@given(
    has_limit=st.booleans(),
    is_paused=st.booleans(),
    stages=st.sampled_from([(None, None), (None, "won"), ("won", "won"), ("won", "lost"), ("won", None)]),
    milestones=st.sampled_from([(None, ()), ("signed", ("signed",)), ("signed", ("sent",)), ("signed", ())]),
    committed_minor=st.sampled_from((0, 60)),
    amount_minor=strategies.amounts,
)
def test_guardrail_asks_in_order(
    has_limit: bool,
    is_paused: bool,
    stages: tuple[str | None, str | None],
    milestones: tuple[str | None, tuple[str, ...]],
    committed_minor: int,
    amount_minor: int,
) -> None:
    """
    Invariant 22: the first check that applies decides on a spend, in this order: no limit, category paused,
    wrong deal stage, missing milestone, amount above the limit.
    """
    guardrail = Guardrail(
        limit_minor=LIMIT_MINOR if has_limit else None,
        committed_minor=committed_minor,
        is_paused=is_paused,
        required_deal_stage=stages[0],
        required_milestone=milestones[0],
    )
    decision = judge(guardrail, amount_minor, deal_stage=stages[1], milestones=milestones[1])
    objections = [
        (not has_limit, Verdict.APPROVED),
        (is_paused, Verdict.PAUSED),
        (stages in [("won", "lost"), ("won", None)], Verdict.REJECTED),
        (milestones in [("signed", ("sent",)), ("signed", ())], Verdict.PENDING),
        (amount_minor > LIMIT_MINOR - committed_minor, Verdict.PAUSED),
        (True, Verdict.APPROVED),
    ]
    assert decision.verdict is next(verdict for applies, verdict in objections if applies)
    assert decision.is_approved == (decision.verdict is Verdict.APPROVED)
    assert decision.reason


@pytest.mark.invariant(22)
@given(amounts=st.lists(strategies.amounts, max_size=5), is_limited=st.sampled_from((True, True, False)))
def test_approved_reservations_never_exceed_the_limit(
    database: Database, amounts: list[int], is_limited: bool
) -> None:
    """
    Invariant 22: the sum of the reservations never exceeds the limit;
    a reservation that does not fit pauses its category.
    """
    limit_minor = LIMIT_MINOR if is_limited else None
    with database.session() as session:
        own, other = factories.workspace_ids(session, 2)
        for workspace_id in (own, other):
            service.set_limit(session, workspace_id=workspace_id, category="travel", limit_minor=limit_minor)
        reserved, is_paused = 0, False
        for amount_minor in amounts:
            result = service.reserve(
                session, CLOCK, workspace_id=own, category="travel", amount_minor=amount_minor
            )
            is_paused = is_limited and (is_paused or reserved + amount_minor > LIMIT_MINOR)
            assert result.decision.verdict is (Verdict.PAUSED if is_paused else Verdict.APPROVED)
            assert (result.reservation is None) == is_paused
            if not is_paused:
                reserved += amount_minor
            found = service.get_category(session, workspace_id=own, category="travel")
            assert (found.reserved_minor, found.spent_minor, found.is_paused) == (reserved, 0, is_paused)
        held = select(func.coalesce(func.sum(budgets.SpendReservation.amount_minor), 0))
        assert session.scalar(held) == reserved
        untouched = service.get_category(session, workspace_id=other, category="travel")
        assert (untouched.reserved_minor, untouched.is_paused) == (0, False)


@pytest.mark.invariant(22)
@given(
    spent=st.sampled_from((0, 30, 60)),
    reserved=st.sampled_from((0, 40)),
    amount_minor=st.sampled_from((1, 39, 40, 41, 100, 101)),
    is_paused=st.booleans(),
    is_limited=st.booleans(),
)
def test_taking_and_fitting_are_one_statement(
    database: Database, spent: int, reserved: int, amount_minor: int, is_paused: bool, is_limited: bool
) -> None:
    """
    Invariant 22: `take` reserves an amount only if the category has no limit,
    or is not paused and the amount fits its limit.
    """
    with database.session() as session:
        (own,) = factories.workspace_ids(session, 1)
        repository.ensure_category(session, own, "travel")
        row = repository.get_category(session, own, "travel")
        assert row is not None
        limit = LIMIT_MINOR if is_limited else None
        repository.update_category(
            session,
            row.id,
            spent_minor=spent,
            reserved_minor=reserved,
            is_paused=is_paused,
            limit_minor=limit,
        )
        fits = not is_limited or (not is_paused and spent + reserved + amount_minor <= LIMIT_MINOR)
        assert repository.take(session, row.id, amount_minor) == fits
        after = repository.get_category(session, own, "travel")
        assert after is not None
        assert after.reserved_minor == reserved + (amount_minor if fits else 0)


@pytest.mark.invariant(22)
@given(before=st.sampled_from((0, 1, 10)), more=st.sampled_from((1, 10, 11)))
def test_a_total_has_a_bound_and_what_exceeds_it_changes_nothing(
    database: Database, before: int, more: int
) -> None:
    """
    Invariant 22: an amount that would raise a total above its largest value is a conflict
    and changes nothing; any other amount is added exactly.
    """
    fits = more <= before
    with database.session() as session:
        (own,) = factories.workspace_ids(session, 1)
        scope = {"workspace_id": own, "category": "travel"}
        service.set_limit(session, **scope, limit_minor=None)
        held = service.reserve(session, CLOCK, **scope, amount_minor=more).reservation
        assert held is not None
        row = service.get_category(session, **scope)
        full = {"spent_minor": MAX_TOTAL_MINOR - before, "reserved_minor": MAX_TOTAL_MINOR - before}
        project = service.create_project(session, CLOCK, workspace_id=own, name="Bridge", budget_minor=1)
        work = OfProject(workspace_id=own, project_id=project.id)
        task = service.add_task(session, **work, title="Dig", actual_minutes=MAX_MINUTES - before)
        settle = partial(service.settle, workspace_id=own, reservation_id=held.id, spent_minor=more)
        calls: list[tuple[Callable[[], object], Totals]] = [
            (lambda: service.record(session, **scope, amount_minor=more), (more, 0, 0)),
            (lambda: service.reserve(session, CLOCK, **scope, amount_minor=more), (0, more, 0)),
            (lambda: settle(session, CLOCK), (more, -more, 0)),
            (lambda: service.log_work(session, **work, task_id=task.id, minutes=more), (0, 0, more)),
        ]
        for call, added in calls:
            repository.update_category(session, row.id, **full)
            before_call = totals(session)
            with session.begin_nested() if fits else refusing(session):
                call()
            grown = tuple(map(sub, totals(session), before_call))
            assert grown == (added if fits else (0, 0, 0))


def totals(session: Session) -> Totals:
    """Return the sums over all categories and tasks."""
    session.flush()
    category = budgets.SpendCategory
    spent, reserved, worked = (
        session.scalar(select(func.sum(column))) or 0
        for column in (category.spent_minor, category.reserved_minor, budgets.ProjectTask.actual_minutes)
    )
    return spent, reserved, worked


@contextmanager
def refusing(session: Session) -> Iterator[None]:
    """Require that the block raises a conflict, and roll it back as a request would be."""
    with pytest.raises(ConflictError), session.begin_nested():
        yield


@pytest.mark.parametrize("n_tasks", [5, 6])
def test_a_burn_beyond_all_bounds_is_a_conflict(database: Database, n_tasks: int) -> None:
    """
    If a burn exceeds the largest total, refreshing it is a conflict, and the project keeps its old burn.
    """
    rate_minor = 60 * MAX_TOTAL_MINOR // MAX_MINUTES // 5
    with database.session() as session:
        (own,) = factories.workspace_ids(session, 1)
        person = factories.user(session, workspace_id=own, hourly_cost_rate_minor=rate_minor)
        project = service.create_project(session, CLOCK, workspace_id=own, name="Bridge", budget_minor=1)
        work = OfProject(workspace_id=own, project_id=project.id)
        for _ in range(n_tasks):
            service.add_task(session, **work, title="Dig", assigned_to=person.id, actual_minutes=MAX_MINUTES)
        if n_tasks == 5:
            assert service.refresh_burn(session, **work).actual_burn_minor == MAX_TOTAL_MINOR
        else:
            with pytest.raises(ConflictError):
                service.refresh_burn(session, **work)
            assert service.get_project(session, **work) == project


reservations = st.tuples(st.sampled_from(("travel", "energy")), st.sampled_from(ReservationStatus))


@given(
    made=st.lists(reservations, max_size=4),
    category=st.sampled_from((None, "travel")),
    status=st.none() | st.sampled_from(ReservationStatus),
)
@example(
    made=[("travel", ReservationStatus.HELD), ("energy", ReservationStatus.HELD)],
    category="travel",
    status=ReservationStatus.SETTLED,
)
def test_reservations_are_listed_by_category_and_status(
    database: Database,
    made: list[tuple[str, ReservationStatus]],
    category: str | None,
    status: ReservationStatus | None,
) -> None:
    """A list holds the reservations that match every given filter."""
    with database.session() as session:
        (own,) = factories.workspace_ids(session, 1)
        wanted = set()
        for name, becomes in made:
            held = service.reserve(
                session, CLOCK, workspace_id=own, category=name, amount_minor=1
            ).reservation
            assert held is not None
            ended = {"workspace_id": own, "reservation_id": held.id}
            if becomes is ReservationStatus.SETTLED:
                service.settle(session, CLOCK, **ended, spent_minor=1)
            elif becomes is ReservationStatus.RELEASED:
                service.release(session, CLOCK, **ended)
            if category in (None, name) and status in (None, becomes):
                wanted.add(held.id)
        page = service.list_reservations(session, workspace_id=own, category=category, status=status)
        assert {one.id for one in page.items} == wanted


def calls(session: Session, workspace_id: str, ids: dict[str, str]) -> list[Callable[[], object]]:
    """Every call that names a project, task, reservation or category."""
    project: dict[str, Any] = {"workspace_id": workspace_id, "project_id": ids["project"]}
    reservation: dict[str, Any] = {"workspace_id": workspace_id, "reservation_id": ids["reservation"]}
    return [
        lambda: service.get_project(session, **project),
        lambda: service.refresh_burn(session, **project),
        lambda: service.add_task(session, **project, title="Dig"),
        lambda: service.log_work(session, **project, task_id=ids["task"], minutes=1),
        lambda: service.settle(session, CLOCK, **reservation, spent_minor=1),
        lambda: service.release(session, CLOCK, **reservation),
        lambda: service.get_category(session, workspace_id=workspace_id, category="travel"),
        lambda: service.resume_category(session, workspace_id=workspace_id, category="travel"),
    ]


@pytest.mark.invariant(22)
@given(number=st.integers(0, 7), changed=st.sampled_from(("workspace", "id")))
def test_budgets_of_another_workspace_are_not_found(database: Database, number: int, changed: str) -> None:
    """Invariant 22: another workspace's project, task, category or reservation is not found or changed."""
    with database.session() as session:
        own, other = factories.workspace_ids(session, 2)
        project = service.create_project(session, CLOCK, workspace_id=own, name="Bridge", budget_minor=1)
        scope = OfProject(workspace_id=own, project_id=project.id)
        reserved = service.reserve(session, CLOCK, workspace_id=own, category="travel", amount_minor=5)
        assert reserved.reservation is not None
        ids = {
            "project": project.id,
            "task": service.add_task(session, **scope, title="Dig").id,
            "reservation": reserved.reservation.id,
        }
        before = (
            service.get_project(session, **scope),
            service.list_categories(session, workspace_id=own),
        )
        nothing = dict.fromkeys(ids, "nothing")
        if changed == "workspace":
            attempt = calls(session, other, ids)[number]
        else:
            attempt = calls(session, own, nothing)[min(number, 5)]
        with pytest.raises(NotFoundError):
            attempt()
        with pytest.raises(NotFoundError):
            service.log_work(session, **scope, task_id="nothing", minutes=1)
        stranger = factories.user(session, workspace_id=other)
        with pytest.raises(NotFoundError):
            service.add_task(session, **scope, title="Dig", assigned_to=stranger.id)
        assert before == (
            service.get_project(session, **scope),
            service.list_categories(session, workspace_id=own),
        )
        assert service.list_projects(session, workspace_id=other).items == ()
        assert service.list_categories(session, workspace_id=other).items == ()
        assert service.list_reservations(session, workspace_id=other).items == ()


@pytest.mark.invariant(22)
@given(amount_minor=st.sampled_from((0, -1, 10**15 + 1)), name=st.sampled_from(("travel", " ", "x" * 201)))
def test_refused_amount_or_name_writes_nothing(database: Database, amount_minor: int, name: str) -> None:
    """
    Invariant 22: an amount out of range, or a name that is blank or too long, is refused with an error that
    names the field, and nothing is written.
    """
    with database.session() as session:
        (own,) = factories.workspace_ids(session, 1)
        travel: dict[str, Any] = {"workspace_id": own, "category": "travel", "amount_minor": amount_minor}
        attempts: list[tuple[str, Callable[[], object]]] = [
            ("amount_minor", lambda: service.reserve(session, CLOCK, **travel)),
            ("amount_minor", lambda: service.record(session, **travel)),
            ("amount_minor", lambda: service.check(session, **travel)),
        ]
        if amount_minor:  # a limit and a budget may be zero
            attempts += [
                (
                    "limit_minor",
                    lambda: service.set_limit(
                        session, workspace_id=own, category="t", limit_minor=amount_minor
                    ),
                ),
                (
                    "budget_minor",
                    lambda: service.create_project(
                        session, CLOCK, workspace_id=own, name="P", budget_minor=amount_minor
                    ),
                ),
            ]
        if name != "travel":
            for_name = {**travel, "category": name, "amount_minor": 1}
            attempts += [
                ("category", lambda: service.reserve(session, CLOCK, **for_name)),
                ("category", lambda: service.record(session, **for_name)),
                ("category", lambda: service.check(session, **for_name)),
                (
                    "category",
                    lambda: service.set_limit(session, workspace_id=own, category=name, limit_minor=1),
                ),
                (
                    "required_milestone",
                    lambda: service.set_limit(
                        session, workspace_id=own, category="t", limit_minor=1, required_milestone=name
                    ),
                ),
                (
                    "required_deal_stage",
                    lambda: service.set_limit(
                        session, workspace_id=own, category="t", limit_minor=1, required_deal_stage=name
                    ),
                ),
                (
                    "name",
                    lambda: service.create_project(
                        session, CLOCK, workspace_id=own, name=name, budget_minor=1
                    ),
                ),
            ]
        for field, attempt in attempts:
            with pytest.raises(InvalidError) as caught:
                attempt()
            assert caught.value.field == field
        for table in (budgets.Project, budgets.SpendCategory, budgets.SpendReservation):
            assert session.scalar(select(func.count()).select_from(table)) == 0


@pytest.mark.invariant(22)
@given(
    reserved=st.integers(0, 3),
    limit=st.integers(0, 3),
    statement=st.sampled_from(("limit_minor", "reserved_minor")),
)
def test_schema_holds_reservations_to_the_limit(
    database: Database, reserved: int, limit: int, statement: str
) -> None:
    """Invariant 22: a limit below the reserved amount is refused by the service, and by the schema alone."""
    with database.session() as session:
        (own,) = factories.workspace_ids(session, 1)
        category = service.set_limit(session, workspace_id=own, category="travel", limit_minor=3)
        if reserved:
            service.reserve(session, CLOCK, workspace_id=own, category="travel", amount_minor=reserved)
        row = repository.get_category(session, own, "travel")
        assert row is not None
        if limit < reserved:
            with pytest.raises(ConflictError):
                service.set_limit(session, workspace_id=own, category="travel", limit_minor=limit)
            with pytest.raises(IntegrityError), session.begin_nested():
                repository.update_category(session, row.id, limit_minor=limit)
        else:
            changed = service.set_limit(session, workspace_id=own, category="travel", limit_minor=limit)
            assert (changed.limit_minor, changed.reserved_minor) == (limit, reserved)
            category = changed
        values = {"limit_minor": -1} if statement == "limit_minor" else {"reserved_minor": -1}
        with pytest.raises(IntegrityError), session.begin_nested():
            repository.update_category(session, row.id, **values)
        found = service.get_category(session, workspace_id=own, category="travel")
        assert (found.limit_minor, found.reserved_minor) == (category.limit_minor, reserved)


@pytest.mark.invariant(22)
@given(seconds=st.lists(st.integers(0, 1), max_size=5), limit=st.integers(1, 3))
def test_pages_list_every_project_once(database: Database, seconds: list[int], limit: int) -> None:
    """Invariant 22: following the cursors lists each project of a workspace once, the newest first."""
    clock = ManualClock(NOW)
    with database.session() as session:
        own, other = factories.workspace_ids(session, 2)
        created = []
        for step in seconds:
            clock.advance(timedelta(seconds=step))
            service.create_project(session, clock, workspace_id=other, name="Tunnel", budget_minor=0)
            created.append(
                service.create_project(session, clock, workspace_id=own, name="Bridge", budget_minor=0)
            )
        found = follow(
            lambda page: service.list_projects(session, workspace_id=own, page=page),
            limit=limit,
            most=len(created),
        )
        assert found == sorted(created, key=lambda item: (item.created_at, item.id), reverse=True)
