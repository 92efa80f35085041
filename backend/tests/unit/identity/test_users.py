"""Users belong to a workspace, each with an address that nobody else has there."""

from __future__ import annotations

from typing import Any

import pytest

from atom.identity import users
from atom.identity.models import User, UserRole
from atom.identity.workspaces import create_workspace
from atom.kit.errors import ConflictError, InvalidError, NotFoundError
from atom.kit.money import MAX_AMOUNT_MINOR
from tests import factories
from tests.database import Database

ADA = "ada@example.org"


@pytest.mark.parametrize("rate_minor", [0, 1, MAX_AMOUNT_MINOR])
def test_a_user_is_written_as_described(database: Database, rate_minor: int) -> None:
    """What was said about a user is in the row; what was not said has its default."""
    with database.session() as session:
        workspace_id = factories.workspace(session).id
        made = users.create_user(
            session,
            workspace_id=workspace_id,
            email=f" {ADA} ",
            role=UserRole.TEAM_LEAD,
            specialty=" finance ",
            hourly_cost_rate_minor=rate_minor,
        )
        plain = users.create_user(session, workspace_id=workspace_id, email="bob@example.org")
        session.expire_all()
        assert (made.workspace_id, made.email, made.role) == (workspace_id, ADA, UserRole.TEAM_LEAD)
        assert (made.specialty, made.hourly_cost_rate_minor) == ("finance", rate_minor)
        assert (plain.role, plain.specialty, plain.hourly_cost_rate_minor) == (UserRole.MEMBER, None, 0)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("hourly_cost_rate_minor", -1),
        ("hourly_cost_rate_minor", MAX_AMOUNT_MINOR + 1),
        ("specialty", " "),
        ("email", " "),
        ("email", "ada"),
        ("email", "@example.org"),
        ("email", "ada@"),
        ("email", "a da@example.org"),
        ("email", "ada@Anonymous.invalid"),
    ],
)
def test_an_invalid_user_is_refused_by_field(database: Database, field: str, value: Any) -> None:
    """The error names the field, and no row is written."""
    with database.session() as session:
        workspace_id = factories.workspace(session).id
        with pytest.raises(InvalidError) as caught:
            users.create_user(session, **{"workspace_id": workspace_id, "email": ADA, field: value})
        assert caught.value.field == field
        assert session.query(User).count() == 0


def test_an_address_is_taken_in_its_workspace_alone(database: Database) -> None:
    """The second user of an address is refused, and what else the session wrote stays."""
    with database.session() as session:
        office, other = factories.workspace(session), factories.workspace(session)
        first = users.create_user(session, workspace_id=office.id, email=ADA)
        with pytest.raises(ConflictError, match=ADA):
            users.create_user(session, workspace_id=office.id, email=ADA)
        second = users.create_user(session, workspace_id=other.id, email=ADA)
        with pytest.raises(NotFoundError, match="nowhere"):
            users.create_user(session, workspace_id="nowhere", email=ADA)
        assert {user.id for user in session.query(User)} == {first.id, second.id}


def test_a_user_is_found_in_their_own_workspace_only(database: Database) -> None:
    """Another workspace's user is an unknown one."""
    with database.session() as session:
        office, stranger = factories.tenant(session), factories.tenant(session)
        found = users.get_user(session, workspace_id=office.workspace_id, user_id=office.user_id)
        assert found.id == office.user_id
        with pytest.raises(NotFoundError, match=stranger.user_id):
            users.get_user(session, workspace_id=office.workspace_id, user_id=stranger.user_id)


def test_users_are_listed_page_by_page(database: Database) -> None:
    """Each user of the workspace is on one page, in the order of ids; a full last page has no next."""
    with database.session() as session:
        office, _ = factories.tenant(session), factories.tenant(session)
        for number in range(3):
            factories.user(session, workspace_id=office.workspace_id, email=f"{number}@example.org")
        ids = sorted(user.id for user in session.query(User).filter_by(workspace_id=office.workspace_id))
        first = users.list_users(session, workspace_id=office.workspace_id, limit=2)
        rest = users.list_users(session, workspace_id=office.workspace_id, limit=2, after=first.next)
        assert ([user.id for user in first.items], first.next) == (ids[:2], ids[1])
        assert ([user.id for user in rest.items], rest.next) == (ids[2:], None)


def test_a_workspace_has_a_name(database: Database) -> None:
    """The name is kept without surrounding space; a blank one is refused."""
    with database.session() as session:
        workspace = create_workspace(session, name=" Acme ")
        session.expire_all()
        assert workspace.name == "Acme"
        with pytest.raises(InvalidError) as caught:
            create_workspace(session, name=" ")
        assert caught.value.field == "workspace name"
