"""What the properties of transactions and constraints draw: writes that fail, rows of every table."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from enum import StrEnum
from functools import partial
from itertools import product
from typing import Any

from hypothesis import strategies as st

from atom.agents.maturity import AgentStatus
from atom.db.base import Base
from atom.ledger.postings import AccountType
from atom.tables import agents, identity, ledger
from tests.property_tests.ledger.strategies import AMOUNTS


class WriteKind(StrEnum):
    """A write of a unit of work, by how the schema reacts to it."""

    TRANSFER = "transfer"
    """Accepted, or refused by the CHECK constraint on the floor."""
    DUPLICATE_CODE = "duplicate code"
    """Refused by a UNIQUE constraint at the flush."""
    LOOSE_ENTRY = "loose entry"
    """Refused by a deferred foreign key at the commit."""


@dataclass(frozen=True, slots=True)
class Write:
    """One attempted write between two accounts, backwards if `is_back`."""

    kind: WriteKind
    amount_minor: int
    is_back: bool


KINDS = (WriteKind.TRANSFER,) * 4 + (WriteKind.DUPLICATE_CODE, WriteKind.LOOSE_ENTRY)

writes = st.sampled_from([Write(*row) for row in product(KINDS, AMOUNTS, (False, True))])
units = st.lists(st.lists(writes, min_size=1, max_size=3), min_size=1, max_size=3)
"""Units of work, each a list of writes."""


zones = st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=45)), timezone(timedelta(hours=-9))])
moments = st.datetimes(datetime(1971, 1, 1), datetime(2200, 1, 1), timezones=zones)  # noqa: DTZ001
days = st.dates(date(1970, 1, 1), date(2200, 1, 1))
texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
"""Text that both databases store: no NUL, no lone surrogate."""
names = texts.filter(bool)
shares = st.floats(0, 1)
json_leaves = st.sampled_from((None, False, True)) | st.integers(-(10**15), 10**15) | texts
json_lists = st.lists(json_leaves, max_size=2)
json_values = json_leaves | json_lists | st.dictionaries(texts, json_leaves | json_lists, max_size=2)
json_objects = st.dictionaries(texts, json_values, max_size=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parents:
    """The rows that a drawn row may refer to."""

    workspace_id: str
    user_id: str
    agent_id: str
    execution_id: str
    session_id: str


PARENT = object()
"""A placeholder for the id of the parent that the column names."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A row that does not know its parents yet."""

    model: type[Base]
    values: dict[str, Any]

    def row(self, parents: Parents) -> Base:
        """Return the row, unsaved."""
        known = {
            name: getattr(parents, name) if value is PARENT else value for name, value in self.values.items()
        }
        return self.model(**known)


def some(model: type[Base], **columns: st.SearchStrategy[Any]) -> st.SearchStrategy[Draft]:
    """Draw a row of a table."""
    return st.fixed_dictionaries(columns).map(partial(Draft, model))


def maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Draw None every other time."""
    return st.none() | strategy


parent = st.just(PARENT)
maybe_parent = st.sampled_from((None, PARENT))
in_workspace = {"workspace_id": parent}
of_agent = {"agent_id": parent}
drafts = st.one_of(
    some(identity.Workspace, name=texts, status=st.sampled_from(identity.WorkspaceStatus)),
    some(
        identity.User,
        **in_workspace,
        email=names,
        role=st.sampled_from(identity.UserRole),
        specialty=maybe(texts),
        hourly_cost_rate_minor=st.integers(0, 2**63 - 1),
    ),
    some(
        identity.ApiKey,
        **in_workspace,
        name=texts,
        key_hash=st.binary(min_size=32, max_size=32).map(bytes.hex),
        scope=st.sampled_from(identity.ApiKeyScope),
        created_at=moments,
        expires_at=maybe(moments),
        revoked_at=maybe(moments),
    ),
    some(
        agents.Agent,
        **in_workspace,
        name=texts,
        category=texts,
        module_path=texts,
        class_name=texts,
        status=st.sampled_from(AgentStatus),
        confidence=maybe(shares),
        version=texts,
        configuration=json_objects,
    ),
    some(
        agents.AgentExecution,
        **of_agent,
        session_id=maybe_parent,
        status=st.sampled_from(agents.ExecutionStatus),
        input_summary=maybe(texts),
        output_summary=maybe(texts),
        result_summary=maybe(texts),
        error_message=maybe(texts),
        triggered_by=st.sampled_from(agents.ExecutionTrigger),
        started_at=moments,
        completed_at=maybe(moments),
        duration_seconds=maybe(st.floats(0, 1e9)),
        details=json_objects,
    ),
    some(
        agents.AgentFeedback,
        **of_agent,
        user_id=parent,
        execution_id=maybe_parent,
        original_output=maybe(texts),
        user_correction=maybe(texts),
        feedback_type=st.sampled_from(agents.FeedbackType),
        thumbs_up_down=maybe(st.booleans()),
        rating=maybe(st.integers(1, 5)),
        status=st.sampled_from(agents.FeedbackStatus),
        reasoning=maybe(texts),
        created_at=moments,
        adjudicated_at=maybe(moments),
    ),
    some(
        ledger.Account,
        **in_workspace,
        code=texts,
        name=texts,
        type=st.sampled_from(AccountType),
        currency=st.sampled_from(["USD", "EUR"]),
        is_active=st.booleans(),
        balance_minor=st.integers(-ledger.MAX_BALANCE_MINOR, ledger.MAX_BALANCE_MINOR),
        floor_minor=st.none() | st.just(-ledger.MAX_BALANCE_MINOR),
        version=st.integers(1, 2**31 - 1),
    ),
    some(
        ledger.Transaction,
        **in_workspace,
        currency=st.sampled_from(["USD", "EUR"]),
        external_id=maybe(texts),
        source=texts,
        description=maybe(texts),
        transaction_date=days,
        amount_minor=st.integers(1, ledger.MAX_BALANCE_MINOR),
        project_id=maybe(st.uuids().map(str)),
        created_at=moments,
    ),
    some(ledger.ClosedPeriod, **in_workspace, starts_on=days, ends_on=st.just(date.max), closed_at=moments),
)
"""Rows of any table of identity, agents or ledger."""
