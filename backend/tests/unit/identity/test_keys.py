"""Keys open their own workspace as far as their scope goes, until they expire or are revoked."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import event

from atom.identity import keys
from atom.identity.keys import Caller
from atom.identity.models import ApiKey, ApiKeyScope, WorkspaceStatus
from atom.kit.clock import ManualClock
from atom.kit.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError, UnauthenticatedError
from tests import factories
from tests.database import Database
from tests.factories import NOW

READ, WRITE, ADMIN = ApiKeyScope.READ, ApiKeyScope.WRITE, ApiKeyScope.ADMIN


@pytest.mark.parametrize(
    ("scope", "included"), [(READ, {READ}), (WRITE, {READ, WRITE}), (ADMIN, {READ, WRITE, ADMIN})]
)
def test_a_scope_includes_the_ones_below(scope: ApiKeyScope, included: set[ApiKeyScope]) -> None:
    """What a key of a scope may do, one below may not."""
    caller = Caller(key_id="key", workspace_id="workspace", scope=scope)
    for asked in ApiKeyScope:
        if asked in included:
            caller.require(asked)
        else:
            with pytest.raises(ForbiddenError, match=f"{scope.value!r}.*{asked.value!r}"):
                caller.require(asked)


def test_who_waited_to_rotate_a_key_sees_that_it_has_ended(database: Database) -> None:
    """The time is read after the key: a rotation that waited for another one sees that the key expired."""
    clock = ManualClock(NOW)
    with database.session() as session:
        office = factories.workspace(session)
        ends_at = NOW + timedelta(seconds=1)
        made = keys.create_key(
            session, clock, workspace_id=office.id, name="k", scope=READ, expires_at=ends_at
        )

        def wait(_state: object) -> None:
            clock.set(ends_at)

        event.listen(session, "do_orm_execute", wait)
        with pytest.raises(ConflictError, match="expired"):
            keys.rotate_key(session, clock, workspace_id=office.id, key_id=made.key.id, overlap=timedelta(0))
        event.remove(session, "do_orm_execute", wait)


@pytest.mark.parametrize("scope", list(ApiKeyScope))
def test_a_secret_opens_the_workspace_of_its_key(database: Database, scope: ApiKeyScope) -> None:
    """The caller has the key's workspace and scope; only a hash of the secret is kept."""
    clock = ManualClock(NOW)
    with database.session() as session:
        office, stranger = factories.workspace(session), factories.workspace(session)
        keys.create_key(session, clock, workspace_id=stranger.id, name="theirs", scope=ADMIN)
        made = keys.create_key(session, clock, workspace_id=office.id, name=" mine ", scope=scope)
        session.expire_all()
        key = made.key
        assert keys.authenticate(session, clock, made.secret) == Caller(
            key_id=key.id, workspace_id=office.id, scope=scope
        )
        assert (key.name, key.created_at, key.expires_at, key.revoked_at) == ("mine", NOW, None, None)
        assert made.secret.startswith("atom_")
        assert made.secret not in key.key_hash
        with pytest.raises(UnauthenticatedError):
            keys.authenticate(session, clock, key.key_hash)


def test_a_key_expires_at_its_moment(database: Database) -> None:
    """A key opens until the moment it expires at, not at it."""
    clock = ManualClock(NOW)
    with database.session() as session:
        made = keys.create_key(
            session,
            clock,
            workspace_id=factories.workspace(session).id,
            name="for an hour",
            scope=READ,
            expires_at=NOW + timedelta(hours=1),
        )
        clock.set(NOW + timedelta(hours=1) - timedelta(microseconds=1))
        assert keys.authenticate(session, clock, made.secret).key_id == made.key.id
        clock.set(NOW + timedelta(hours=1))
        with pytest.raises(UnauthenticatedError):
            keys.authenticate(session, clock, made.secret)


def test_a_key_is_revoked_once_and_for_good(database: Database) -> None:
    """The key is useless from then on, another one is not, and the second time changes nothing."""
    clock = ManualClock(NOW)
    with database.session() as session:
        office, stranger = factories.workspace(session), factories.workspace(session)
        made, other = (
            keys.create_key(session, clock, workspace_id=office.id, name="a key", scope=WRITE)
            for _ in range(2)
        )
        with pytest.raises(NotFoundError, match=made.key.id):
            keys.revoke_key(session, clock, workspace_id=stranger.id, key_id=made.key.id)
        assert keys.authenticate(session, clock, made.secret).key_id == made.key.id
        for _ in range(2):
            assert keys.revoke_key(session, clock, workspace_id=office.id, key_id=made.key.id) is made.key
            clock.advance(timedelta(hours=1))
            with pytest.raises(UnauthenticatedError):
                keys.authenticate(session, clock, made.secret)
        session.expire_all()
        assert made.key.revoked_at == NOW
        assert keys.authenticate(session, clock, other.secret).key_id == other.key.id


@pytest.mark.parametrize("status", list(WorkspaceStatus))
def test_a_closed_workspace_lets_nobody_in(database: Database, status: WorkspaceStatus) -> None:
    """The keys of a suspended or expired workspace are known and useless; a trial is open."""
    clock = ManualClock(NOW)
    with database.session() as session:
        workspace = factories.workspace(session, status=status)
        made = keys.create_key(session, clock, workspace_id=workspace.id, name="a key", scope=READ)
        if status in (WorkspaceStatus.SUSPENDED, WorkspaceStatus.EXPIRED):
            with pytest.raises(ForbiddenError, match=status.value):
                keys.authenticate(session, clock, made.secret)
        else:
            assert keys.authenticate(session, clock, made.secret).workspace_id == workspace.id


def test_a_workspace_lists_its_own_keys_newest_first(database: Database) -> None:
    """Keys of one moment come in the order of their ids; revoked ones stay in the list."""
    clock = ManualClock(NOW)
    with database.session() as session:
        office, stranger = factories.workspace(session), factories.workspace(session)

        def make(workspace_id: str) -> ApiKey:
            return keys.create_key(session, clock, workspace_id=workspace_id, name="a key", scope=READ).key

        made = sorted((make(office.id) for _ in range(3)), key=lambda key: key.id)
        make(stranger.id)
        clock.advance(timedelta(hours=-1))
        earlier = make(office.id)
        keys.revoke_key(session, clock, workspace_id=office.id, key_id=earlier.id)
        assert keys.list_keys(session, workspace_id=office.id).items == (*reversed(made), earlier)


def test_a_key_has_a_name_and_a_workspace(database: Database) -> None:
    """A blank name and an unknown workspace are refused, and no key is written."""
    clock = ManualClock(NOW)
    with database.session() as session:
        workspace_id = factories.workspace(session).id
        with pytest.raises(InvalidError) as caught:
            keys.create_key(session, clock, workspace_id=workspace_id, name=" ", scope=READ)
        assert caught.value.field == "name"
        with pytest.raises(NotFoundError, match="nowhere"):
            keys.create_key(session, clock, workspace_id="nowhere", name="a key", scope=READ)
        assert session.query(ApiKey).count() == 0
