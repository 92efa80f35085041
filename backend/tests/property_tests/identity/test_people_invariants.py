"""Users and keys of a workspace: one address is one user; an anonymised user is gone from every table."""

from __future__ import annotations

import unicodedata
from contextlib import nullcontext
from datetime import datetime, timedelta
from itertools import product
from unittest import mock

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from atom.chat import service as chat
from atom.chat.models import MessageRole
from atom.identity import export, keys, users, workspaces
from atom.identity.models import ApiKey, ApiKeyScope, UserRole, WorkspaceStatus
from atom.identity.users import UserChange
from atom.identity.uses import KeyUses
from atom.kit.clock import ManualClock
from atom.kit.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError, UnauthenticatedError
from atom.ledger.postings import AccountType
from atom.ledger.service import has_books, open_account
from tests import factories
from tests.database import Database
from tests.factories import NOW
from tests.keywords import OfWorkspace

ADDRESSES = ("Ada@Example.org", "ada@example.org", "jos\u00e9@example.org", "Jose\u0301@example.ORG", "b@x.y")
deeds = st.tuples(st.integers(0, 1), st.sampled_from(ADDRESSES), st.none() | st.integers(0, 4))
"""A workspace, an address, and which user gets it; None makes a new user."""


def form_of(address: str) -> str:
    return unicodedata.normalize("NFC", address).casefold()


@pytest.mark.invariant(18)
@given(story=st.lists(deeds, min_size=1, max_size=6))
@example(story=[(0, ADDRESSES[0], None), (0, ADDRESSES[1], None), (1, ADDRESSES[1], None)])
@example(story=[(0, ADDRESSES[2], None), (0, ADDRESSES[4], None), (0, ADDRESSES[3], 1)])
def test_an_address_is_one_person_of_a_workspace(
    database: Database, story: list[tuple[int, str, int | None]]
) -> None:
    """
    Invariant 18: an address belongs to one user of a workspace, whatever its case
    and Unicode form; after a refusal the session stays usable.
    """
    with database.session() as session:
        own = factories.workspace_ids(session, 2)
        known: list[dict[str, str]] = [{}, {}]
        for place, address, which in story:
            ids = list(known[place])
            scope = OfWorkspace(workspace_id=own[place])
            taken = {id_ for id_, form in known[place].items() if form == form_of(address)}
            try:
                if which is None:
                    user = users.create_user(session, email=address, **scope)
                elif which < len(ids):
                    taken -= {ids[which]}
                    change = UserChange(email=address)
                    user = users.update_user(session, user_id=ids[which], change=change, **scope)
                else:
                    continue
            except ConflictError:
                assert taken
            else:
                assert not taken
                assert user.email == form_of(address)
                known[place][user.id] = form_of(address)
        for workspace_id, expected in zip(own, known, strict=True):
            found = users.list_users(session, workspace_id=workspace_id, limit=50).items
            assert {user.id: user.email for user in found} == expected


@given(
    is_given=st.lists(st.booleans(), min_size=4, max_size=4),
    role=st.sampled_from(UserRole),
    specialty=st.none() | st.sampled_from(("legal", " tax ")),
    rate=st.sampled_from((0, 1, 10**15)),
)
@example(is_given=[False] * 4, role=UserRole.GUEST, specialty=None, rate=0)
@example(is_given=[False, False, True, False], role=UserRole.GUEST, specialty=None, rate=0)
def test_a_change_of_a_user_changes_what_it_names(
    database: Database, is_given: list[bool], role: UserRole, specialty: str | None, rate: int
) -> None:
    """
    An update changes the fields that it gives and no others;
    another workspace's user is not found, and a negative rate is refused.
    """
    with database.session() as session:
        own, other = factories.workspace_ids(session, 2)
        scope = OfWorkspace(workspace_id=own)
        user = users.create_user(
            session, email="ada@example.org", specialty="finance", hourly_cost_rate_minor=7, **scope
        )
        change = UserChange(
            email="b@example.org" if is_given[0] else None,
            role=role if is_given[1] else None,
            specialty=specialty if is_given[2] else None,
            forgets_specialty=is_given[2] and specialty is None,
            hourly_cost_rate_minor=rate if is_given[3] else None,
        )
        with pytest.raises(NotFoundError):
            users.update_user(session, workspace_id=other, user_id=user.id, change=change)
        with pytest.raises(InvalidError):
            users.update_user(session, user_id=user.id, change=UserChange(hourly_cost_rate_minor=-1), **scope)
        users.update_user(session, user_id=user.id, change=change, **scope)
        session.expire_all()
        found = users.get_user(session, user_id=user.id, **scope)
        wanted = None if specialty is None else specialty.strip()
        assert (found.email, found.role, found.specialty, found.hourly_cost_rate_minor) == (
            "b@example.org" if is_given[0] else "ada@example.org",
            role if is_given[1] else UserRole.MEMBER,
            wanted if is_given[2] else "finance",
            rate if is_given[3] else 7,
        )


@given(
    name=st.sampled_from(("ada", "b.c", "jos\u00e9")), host=st.sampled_from(("Anonymous.invalid", "x.y", ""))
)
def test_nobody_takes_an_address_of_those_who_were_forgotten(
    database: Database, name: str, host: str
) -> None:
    """A new or changed address cannot have the host of anonymised users, or an empty host."""
    with database.session() as session:
        (own,) = factories.workspace_ids(session, 1)
        user = users.create_user(session, workspace_id=own, email="first@example.org")
        change = UserChange(email=f"{name}@{host}")
        if host == "x.y":
            users.update_user(session, workspace_id=own, user_id=user.id, change=change)
            assert user.email == f"{name}@{host}"
            return
        with pytest.raises(InvalidError):
            users.create_user(session, workspace_id=own, email=f"{name}@{host}")
        with pytest.raises(InvalidError):
            users.update_user(session, workspace_id=own, user_id=user.id, change=change)
        assert user.email == "first@example.org"


def words_of(database: Database) -> str:
    return str(database.snapshot())


def test_who_is_forgotten_is_in_no_table(database: Database) -> None:
    """
    An anonymised user's address and specialty are in no table; their keys are refused; their work stays.
    """
    clock = ManualClock(NOW)
    with database.sessions() as sessions:
        with sessions.begin() as session:
            tenant = factories.tenant(
                session, user_values={"email": "quilombo@example.org", "specialty": "zanzibar"}
            )
            scope = OfWorkspace(workspace_id=tenant.workspace_id)
            made = keys.create_key(
                session, clock, name="own", scope=ApiKeyScope.READ, user_id=tenant.user_id, **scope
            )
            factories.queue_entry(session, agent_id=tenant.agent_id, user_id=tenant.user_id)
        before = database.snapshot("supervised_queue")
        with sessions.begin() as session:
            users.anonymise_user(session, clock, user_id=tenant.user_id, **scope)
        assert "quilombo" not in words_of(database)
        assert "zanzibar" not in words_of(database)
        assert database.snapshot("supervised_queue") == before
        with sessions() as session:
            assert users.get_user(session, user_id=tenant.user_id, **scope).role is UserRole.GUEST
            with pytest.raises(UnauthenticatedError):
                keys.authenticate(session, clock, made.secret)
            with pytest.raises(ConflictError, match="anonymised"):
                keys.create_key(
                    session, clock, name="again", scope=ApiKeyScope.READ, user_id=tenant.user_id, **scope
                )
            with pytest.raises(ConflictError, match="anonymised"):
                users.update_user(
                    session, user_id=tenant.user_id, change=UserChange(role=UserRole.SUPER_ADMIN), **scope
                )
            assert users.anonymise_user(session, clock, user_id=tenant.user_id, **scope).email == (
                f"{tenant.user_id}@{users.ANONYMOUS_HOST}"
            )


def test_an_export_holds_what_names_the_person_and_nobody_else(database: Database) -> None:
    """
    An export has the rows of the user from any table, but no other person's rows
    and no key hash; another workspace cannot export the user.
    """
    with factories.with_people(database) as (session, people):
        tenant = people.tenant
        colleague = factories.user(session, workspace_id=tenant.workspace_id, email="zanzibar@example.org")
        for user_id in (tenant.user_id, colleague.id):
            factories.queue_entry(session, agent_id=tenant.agent_id, user_id=user_id)
        scope = OfWorkspace(workspace_id=tenant.workspace_id)
        keys.create_key(
            session, ManualClock(NOW), name="own", scope=ApiKeyScope.READ, user_id=tenant.user_id, **scope
        )
        found = export.export_user(session, user_id=tenant.user_id, **scope)
        assert set(found.tables) == {"api_keys", "supervised_queue"}
        assert [row["user_id"] for rows in found.tables.values() for row in rows] == [tenant.user_id] * 2
        assert "key_hash" not in found.tables["api_keys"][0]
        assert found.cut == ()
        with pytest.raises(NotFoundError):
            export.export_user(session, workspace_id=people.stranger.workspace_id, user_id=tenant.user_id)


@given(
    overlap_s=st.sampled_from((0, 1, 3_600)),
    expires_in_s=st.none() | st.sampled_from((1, 1_800, 7_200)),
    later_s=st.sampled_from((0, 1, 1_799, 3_599, 3_600, 7_200)),
)
@example(overlap_s=3_600, expires_in_s=1_800, later_s=1_799)
@example(overlap_s=3_600, expires_in_s=None, later_s=3_600)
def test_a_rotated_key_overlaps_with_its_successor(
    database: Database, overlap_s: int, expires_in_s: int | None, later_s: int
) -> None:
    """
    A rotated key works for the overlap, but never past its own expiry;
    the new key has its name, scope, expiry and person.
    """
    clock = ManualClock(NOW)
    with database.session() as session:
        own, other = factories.workspace_ids(session, 2)
        person = factories.user(session, workspace_id=own).id if overlap_s else None
        expires_at = None if expires_in_s is None else NOW + timedelta(seconds=expires_in_s)
        old = keys.create_key(
            session,
            clock,
            workspace_id=own,
            name="nightly",
            scope=ApiKeyScope.WRITE,
            expires_at=expires_at,
            user_id=person,
        )
        overlap = timedelta(seconds=overlap_s)
        with pytest.raises(NotFoundError):
            keys.rotate_key(session, clock, workspace_id=other, key_id=old.key.id, overlap=overlap)
        new = keys.rotate_key(session, clock, workspace_id=own, key_id=old.key.id, overlap=overlap)
        assert (new.key.name, new.key.scope) == ("nightly", ApiKeyScope.WRITE)
        assert (new.key.expires_at, new.key.user_id) == (expires_at, person)
        clock.advance(timedelta(seconds=later_s))
        lives = expires_in_s is None or later_s < expires_in_s
        assert can_enter(session, clock, new.secret) is lives
        assert can_enter(session, clock, old.secret) is (lives and later_s < overlap_s)


def can_enter(session: Session, clock: ManualClock, secret: str) -> bool:
    try:
        keys.authenticate(session, clock, secret)
    except UnauthenticatedError:
        return False
    return True


@given(
    n_rows=st.integers(0, 4),
    n_said=st.integers(0, 3),
    limit=st.sampled_from((None, 1, 3)),
)
@example(n_rows=3, n_said=3, limit=3)
@example(n_rows=3, n_said=3, limit=None)
@example(n_rows=2, n_said=1, limit=1)
def test_an_export_holds_every_row_and_says_where_it_was_cut(
    database: Database, n_rows: int, n_said: int, limit: int | None
) -> None:
    """
    An export has the rows that name the person and the messages of their chats, up to the limit for each
    table, and names the tables that it cut.
    """
    clock = ManualClock(NOW)
    most = limit or 10_000
    patched = nullcontext() if limit is None else mock.patch.object(export, "MAX_ROWS", limit)
    with factories.with_people(database) as (session, people), patched:
        tenant = people.tenant
        scope = OfWorkspace(workspace_id=tenant.workspace_id)
        for _ in range(n_rows):
            factories.queue_entry(session, agent_id=tenant.agent_id, user_id=tenant.user_id)
        talk = chat.create_session(session, clock, user_id=tenant.user_id, **scope)
        for number in range(n_said):
            chat.append_message(
                session, clock, chat_id=talk.id, role=MessageRole.ASSISTANT, content=f"line {number}", **scope
            )
        found = export.export_user(session, user_id=tenant.user_id, **scope)
        counts = {"supervised_queue": n_rows, "chat_messages": n_said, "chat_sessions": 1}
        assert {name: len(rows) for name, rows in found.tables.items()} == {
            name: min(n, most) for name, n in counts.items() if n
        }
        assert set(found.cut) == {name for name, n in counts.items() if n > most}


@given(story=st.lists(st.sampled_from(("use a", "use b", "write", "forget")), max_size=8))
@example(story=["use a", "write", "use a", "forget", "write", "forget"])
def test_no_use_of_a_key_is_forgotten_before_it_is_written(database: Database, story: list[str]) -> None:
    """A use that is noted while another one is being written is stored by the next write."""
    clock = ManualClock(NOW)
    uses = KeyUses()
    with database.session() as session:
        (own,) = factories.workspace_ids(session, 1)
        made = {
            name: keys.create_key(session, clock, workspace_id=own, name=name, scope=ApiKeyScope.READ).key.id
            for name in "ab"
        }
        latest: dict[str, datetime] = {}
        written: dict[str, datetime] = {}
        for deed in story:
            if deed == "write":
                written = uses.write(session)
            elif deed == "forget":
                uses.forget(written)
            else:
                key_id = made[deed[-1]]
                latest[key_id] = clock.advance(timedelta(seconds=1))
                uses.note(key_id, latest[key_id])
        uses.write(session)
        session.expire_all()
        assert {id_: session.get_one(ApiKey, id_).last_used_at for id_ in made.values()} == {
            id_: latest.get(id_) for id_ in made.values()
        }


@given(owners=st.lists(st.sampled_from((0, 1, None)), max_size=4), asked=st.sampled_from((0, 1, None)))
@example(owners=[0, 1, None], asked=0)
def test_keys_are_listed_by_their_person(
    database: Database, owners: list[int | None], asked: int | None
) -> None:
    """
    Listed for a person, the keys are those of that person; otherwise they are all of the workspace's keys.
    """
    clock = ManualClock(NOW)
    with database.session() as session:
        (own,) = factories.workspace_ids(session, 1)
        people = [factories.user(session, workspace_id=own).id for _ in range(2)]
        wanted = set()
        for owner in owners:
            made = keys.create_key(
                session,
                clock,
                workspace_id=own,
                name="k",
                scope=ApiKeyScope.READ,
                user_id=None if owner is None else people[owner],
            )
            if asked in (None, owner):
                wanted.add(made.key.id)
        whose = None if asked is None else people[asked]
        page = keys.list_keys(session, workspace_id=own, user_id=whose)
        assert {key.id for key in page.items} == wanted


@given(uses=st.lists(st.tuples(st.integers(0, 1), st.integers(-2, 3)), max_size=6))
def test_the_last_use_of_a_key_is_the_latest(database: Database, uses: list[tuple[int, int]]) -> None:
    """Each key keeps its latest use, whatever the order in which its uses are written."""
    with database.session() as session:
        (own,) = factories.workspace_ids(session, 1)
        made = [
            keys.create_key(
                session, ManualClock(NOW), workspace_id=own, name="k", scope=ApiKeyScope.READ
            ).key.id
            for _ in range(2)
        ]
        latest: dict[str, int] = {}
        for which, hours in uses:
            keys.note_uses(session, {made[which]: NOW + timedelta(hours=hours)})
            latest[made[which]] = max(latest.get(made[which], hours), hours)
        session.expire_all()
        for key_id in made:
            wanted = NOW + timedelta(hours=latest[key_id]) if key_id in latest else None
            assert session.get_one(ApiKey, key_id).last_used_at == wanted


@pytest.mark.parametrize(("status", "has_ledger"), [*product(WorkspaceStatus, (False, True))])
def test_a_workspace_is_closed_opened_and_deleted(
    database: Database, status: WorkspaceStatus, has_ledger: bool
) -> None:
    """
    The keys of a suspended or expired workspace are refused; only a workspace without transactions can be
    deleted, and then nothing of it is left.
    """
    clock = ManualClock(NOW)
    with database.sessions() as sessions:
        with sessions.begin() as session:
            stranger = factories.tenant(session)
            workspaces.set_status(session, workspace_id=stranger.workspace_id, status=WorkspaceStatus.TRIAL)
        before = database.snapshot()
        with sessions.begin() as session:
            tenant = factories.tenant(session)
            own = tenant.workspace_id
            open_account(session, workspace_id=own, code="1", name="Cash", type_=AccountType.ASSET)
        if has_ledger:
            own = factories.books(sessions, 100).workspace_id
        with sessions.begin() as session:
            made = keys.create_key(session, clock, workspace_id=own, name="k", scope=ApiKeyScope.READ)
            workspaces.set_status(session, workspace_id=own, status=status)
        with sessions() as session:
            listed = workspaces.list_workspaces(session, status=status, limit=50).items
            assert own in [workspace.id for workspace in listed]
            assert {workspace.status for workspace in listed} == {status}
            if status in (WorkspaceStatus.SUSPENDED, WorkspaceStatus.EXPIRED):
                with pytest.raises(ForbiddenError):
                    keys.authenticate(session, clock, made.secret)
            else:
                assert can_enter(session, clock, made.secret)
        if has_ledger:
            with sessions() as session, pytest.raises(ConflictError, match="suspend it"):
                workspaces.delete_workspace(session, has_books, workspace_id=own)
            return
        with sessions.begin() as session:
            workspaces.delete_workspace(session, has_books, workspace_id=own)
        assert database.snapshot() == before
