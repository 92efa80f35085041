"""The last use of a key is kept, whatever it was used for, also when the database fails for a while."""

from __future__ import annotations

from datetime import datetime, timedelta
from unittest import mock

from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from atom.identity import access
from atom.identity.access import Gateway
from atom.identity.keys import hash_secret
from atom.identity.models import ApiKey, ApiKeyScope
from tests.factories import NOW
from tests.http import Api
from tests.property_tests.conftest import scaled

DEEDS = ("read", "administer", "write uses", "write uses in vain")
LOCKED = OperationalError("", None, Exception("locked"))


@settings(scaled(0.3))
@given(story=st.lists(st.tuples(st.sampled_from(DEEDS), st.sampled_from(ApiKeyScope)), max_size=6))
@example(story=[("administer", ApiKeyScope.READ)])
@example(story=[("read", ApiKeyScope.READ), ("write uses in vain", ApiKeyScope.READ)])
@example(story=[("read", ApiKeyScope.READ), ("write uses", ApiKeyScope.READ), ("read", ApiKeyScope.READ)])
def test_the_last_use_of_each_key_is_written(running_api: Api, story: list[tuple[str, ApiKeyScope]]) -> None:
    """
    A request is a use of its key, also one that the key is not enough for; uses are written once, and those
    that could not be written are written the next time.
    """
    gateway: Gateway = running_api.app.state.gateway
    clock = running_api.clock
    clock.set(NOW)
    with running_api.database.sessions() as sessions:
        workspace = running_api.workspace()
        gateway.write_uses()
        used: dict[ApiKeyScope, datetime] = {}
        for deed, scope in story:
            clock.advance(timedelta(seconds=1))
            if deed == "write uses":
                gateway.write_uses()
            elif deed == "write uses in vain":
                with mock.patch.object(access, "unit_of_work", side_effect=LOCKED):
                    gateway.write_uses()
            else:
                path = "/v1/agents" if deed == "read" else "/v1/keys"
                status = running_api.caller(workspace, scope)("GET", path).status_code
                is_enough = deed == "read" or scope is ApiKeyScope.ADMIN
                assert status == (200 if is_enough else 403)
                used[scope] = clock.now()
        gateway.write_uses()
        with sessions() as session:
            for scope, secret in workspace.secrets.items():
                key = session.scalars(select(ApiKey).where(ApiKey.key_hash == hash_secret(secret))).one()
                assert key.last_used_at == used.get(scope)
            assert gateway.uses.write(session) == {}
