"""Decisions remembered between transactions, none older than the last committed change of its agent."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlalchemy import Connection, event

if TYPE_CHECKING:
    from sqlalchemy.orm import Session, SessionTransaction, sessionmaker

    from atom.governance.cache import GovernanceCache
    from atom.governance.policy import Decision


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """A decision and the workspace whose agent it is about."""

    workspace_id: str
    decision: Decision


@dataclass(frozen=True, slots=True, kw_only=True)
class _Snapshot:
    """What a running transaction may do with the cache."""

    generation: int
    changed_agents: set[str] = field(default_factory=set)


class DecisionCache:
    """
    The governance cache as sessions see it; only sessions it is attached to write to it.

    A session that changed an agent neither reads nor writes that agent's entries until its transaction is
    over, and then they are dropped: nobody sees what was not committed. A transaction that began before the
    last invalidation writes nothing, as it may still see the rows of before. Other processes have caches of
    their own: an answer there is at most the time to live old, so `enforce` asks the row instead.
    """

    def __init__(self, cache: GovernanceCache[Remembered]) -> None:
        self.cache = cache

    def attach(self, target: Session | sessionmaker[Session]) -> None:
        """Serve a session, or every session of a maker, from its next transaction on."""
        event.listen(target, "after_begin", self._began)
        event.listen(target, "after_transaction_end", self._ended)

    def find(self, session: Session, *, workspace_id: str, agent_id: str, action: str) -> Decision | None:
        """Return what is remembered; None for nothing, and for an agent of another workspace."""
        snapshot = self._snapshot(session)
        if snapshot is not None and agent_id in snapshot.changed_agents:
            return None
        found = self.cache.get(agent_id, action)
        return found.decision if found is not None and found.workspace_id == workspace_id else None

    def keep(
        self, session: Session, *, workspace_id: str, agent_id: str, action: str, decision: Decision
    ) -> None:
        """Remember a decision that the running transaction read."""
        snapshot = self._snapshot(session)
        if snapshot is not None and agent_id not in snapshot.changed_agents:
            value = Remembered(workspace_id=workspace_id, decision=decision)
            self.cache.set(agent_id, action, value, generation=snapshot.generation)

    def agent_changed(self, session: Session, agent_id: str) -> None:
        """Note that the running transaction changed an agent's status or confidence."""
        if self._snapshot(session) is None:
            self.attach(session)
            session.info[self] = _Snapshot(generation=self.cache.generation)
        session.info[self].changed_agents.add(agent_id)

    def _snapshot(self, session: Session) -> _Snapshot | None:
        found: _Snapshot | None = session.info.get(self)
        return found

    def _began(self, session: Session, _transaction: SessionTransaction, _connection: Connection) -> None:
        if self not in session.info:
            session.info[self] = _Snapshot(generation=self.cache.generation)

    def _ended(self, session: Session, transaction: SessionTransaction) -> None:
        if transaction.parent is None:
            snapshot = session.info.pop(self, None)
            for agent_id in snapshot.changed_agents if snapshot is not None else ():
                self.cache.invalidate(agent_id)
