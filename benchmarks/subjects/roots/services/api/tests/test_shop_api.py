"""Properties of the service, behind Starlette's TestClient, which runs it in a thread of its own."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from shop_api import app, bills
from starlette.testclient import TestClient

NAMES = st.sampled_from(["rent", "trip", "books"])
AMOUNTS = st.integers(0, 10**9)


@pytest.fixture(scope="module")
def client():
    """One client, whose thread lives as long as the module's tests."""
    with TestClient(app) as client:
        yield client


@settings(deadline=None)
@given(NAMES, st.lists(AMOUNTS, min_size=1, max_size=5))
def test_a_bill_is_the_sum_of_what_was_added(client, name, amounts):
    """Nothing is lost between two requests."""
    bills.clear()
    for amount in amounts:
        assert client.post(f"/bills/{name}", json={"amount": amount}).status_code == 201
    assert client.get(f"/bills/{name}").json() == {"total": sum(amounts)}


@settings(deadline=None)
@given(NAMES, st.one_of(st.integers(max_value=-1), st.text(), st.none()))
def test_what_is_no_amount_is_refused(client, name, amount):
    """The bill stays as it was."""
    bills.clear()
    assert client.post(f"/bills/{name}", json={"amount": amount}).status_code == 422
    assert client.get(f"/bills/{name}").status_code == 404


class BillsMachine(RuleBasedStateMachine):
    """Bills against a dictionary, with a client that starts a thread for each request."""

    @initialize()
    def begin(self):
        """Begin without bills."""
        bills.clear()
        self.client, self.model = TestClient(app), {}

    @rule(name=NAMES, amount=AMOUNTS)
    def add(self, name, amount):
        """Add to a bill."""
        self.model[name] = self.model.get(name, 0) + amount
        assert self.client.post(f"/bills/{name}", json={"amount": amount}).json()["total"] == self.model[name]

    @rule(name=NAMES)
    def read(self, name):
        """Read a bill, which may not be there."""
        answer = self.client.get(f"/bills/{name}")
        assert answer.json().get("total") == self.model.get(name)

    @invariant()
    def nothing_else_is_there(self):
        """No bill came from nowhere."""
        assert bills == getattr(self, "model", bills)


TestBills = BillsMachine.TestCase
TestBills.settings = settings(deadline=None, stateful_step_count=8)
