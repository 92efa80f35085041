"""Reservations and spending in real transactions at the same time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import func, select

from atom.budgets import service
from atom.budgets.models import SpendReservation
from atom.budgets.rules import Verdict
from atom.db.session import unit_of_work
from atom.kit.clock import ManualClock
from tests import factories
from tests.database import Database
from tests.factories import NOW

pytestmark = pytest.mark.integration

LIMIT_MINOR = 100
AMOUNT_MINOR = 7
N_WORKERS = 4
N_REQUESTS = 24


@pytest.mark.invariant(22)
def test_concurrent_reservations_fill_the_limit_and_no_more(database: Database) -> None:
    """Of many reservations at the same time exactly those are approved that fit together."""
    clock = ManualClock(NOW)
    with database.clone() as clone:
        with unit_of_work(clone.sessions) as session:
            (own,) = factories.workspace_ids(session, 1)
            service.set_limit(session, workspace_id=own, category="travel", limit_minor=LIMIT_MINOR)

        def reserve(_number: int) -> Verdict:
            with unit_of_work(clone.sessions) as session:
                result = service.reserve(
                    session, clock, workspace_id=own, category="travel", amount_minor=AMOUNT_MINOR
                )
                return result.decision.verdict

        with ThreadPoolExecutor(N_WORKERS) as pool:
            verdicts = list(pool.map(reserve, range(N_REQUESTS)))
        n_fitting = LIMIT_MINOR // AMOUNT_MINOR
        assert verdicts.count(Verdict.APPROVED) == n_fitting
        assert verdicts.count(Verdict.PAUSED) == N_REQUESTS - n_fitting
        with unit_of_work(clone.sessions) as session:
            category = service.get_category(session, workspace_id=own, category="travel")
            assert category.reserved_minor == n_fitting * AMOUNT_MINOR
            assert category.is_paused
            assert session.scalar(select(func.sum(SpendReservation.amount_minor))) == category.reserved_minor


@pytest.mark.invariant(22)
def test_concurrent_spending_is_counted_whole(database: Database) -> None:
    """Of many amounts recorded at the same time none is lost."""
    with database.clone() as clone:
        with unit_of_work(clone.sessions) as session:
            (own,) = factories.workspace_ids(session, 1)
            service.set_limit(session, workspace_id=own, category="travel", limit_minor=LIMIT_MINOR)

        def record(_number: int) -> None:
            with unit_of_work(clone.sessions) as session:
                service.record(session, workspace_id=own, category="travel", amount_minor=AMOUNT_MINOR)

        with ThreadPoolExecutor(N_WORKERS) as pool:
            list(pool.map(record, range(N_REQUESTS)))
        with unit_of_work(clone.sessions) as session:
            category = service.get_category(session, workspace_id=own, category="travel")
            assert category.spent_minor == N_REQUESTS * AMOUNT_MINOR
