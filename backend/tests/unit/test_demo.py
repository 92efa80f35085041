"""The example data is what the product's own use cases make, and making it twice harms nobody."""

from __future__ import annotations

from atom.agents.maturity import AgentStatus
from atom.agents.service import get_agent
from atom.analytics import service as analytics
from atom.analytics.metrics import Window
from atom.chat import service as chat
from atom.demo import TALKS, Demo, make_demo
from atom.episodes.service import list_episodes
from atom.governance.approvals import list_approvals
from atom.governance.triggers import list_blocked_triggers
from atom.identity.keys import authenticate
from atom.identity.models import ApiKeyScope
from atom.kit.clock import ManualClock
from atom.kit.pagination import PageRequest
from atom.ledger import service as ledger
from tests.database import Database
from tests.keywords import OfWorkspace
from tests.property_tests.api.world import rows_of


def test_a_newcomer_sees_data_in_every_domain(database: Database, clock: ManualClock) -> None:
    """Conversations, episodes, decisions, balanced books and figures are there, and a key to see them."""
    with database.session() as session:
        demo = make_demo(session, clock)
        scope = OfWorkspace(workspace_id=demo.workspace_id)
        caller = authenticate(session, clock, demo.secret)
        assert (caller.workspace_id, caller.scope) == (demo.workspace_id, ApiKeyScope.ADMIN)
        assert len(chat.list_sessions(session, user_id=demo.user_id, **scope).items) == len(TALKS)
        assert len(chat.history(session, chat_id=demo.chat_id, **scope)) == len(TALKS[-1])
        page = PageRequest()
        assert len(list_episodes(session, agent_id=demo.agent_id, page=page, **scope).items) == len(TALKS)
        assert get_agent(session, agent_id=demo.agent_id, **scope).status is AgentStatus.AUTONOMOUS
        assert len(list_approvals(session, **scope).items) == 1
        assert len(list_blocked_triggers(session, **scope).items) == 1
        balance = ledger.trial_balance(session, **scope)
        assert balance.is_balanced
        assert balance.debit_minor > 0
        overview = analytics.overview(session, clock, window=Window.DAY, **scope)
        assert overview.n_workflows == 2
        assert 0 < overview.counters.n_failed < overview.counters.n_succeeded
        assert [rule.firing_since is not None for rule in analytics.list_alert_rules(session, **scope)] == [
            True
        ]


def test_each_demo_is_a_workspace_of_its_own(database: Database, clock: ManualClock) -> None:
    """A second one changes no row of the first."""
    with database.session() as session:
        first = make_demo(session, clock)
        before = rows_of(session, first.workspace_id)
        second: Demo = make_demo(session, clock)
        assert rows_of(session, first.workspace_id) == before
        assert second.workspace_id != first.workspace_id
