"""Every query on the agent registry, the frequent ones built once; each names the workspace it stays in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import bindparam, select, tuple_, update

from atom.agents.models import Agent, AgentExecution
from atom.agents.rows import AgentProfile
from atom.db.direct import change, fetch
from atom.db.rows import RowsOf
from atom.db.statements import table_of, upsert
from atom.kit.pagination import Cursor, Page

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Row, Table
    from sqlalchemy.orm import Session

    from atom.agents.maturity import AgentStatus
    from atom.kit.pagination import PageRequest

Agents = table_of(Agent)

PROFILE: Final = RowsOf(AgentProfile, Agents)

FIND_AGENT: Final = select(*PROFILE.columns).where(
    Agents.c.id == bindparam("agent"), Agents.c.workspace_id == bindparam("workspace")
)
FIND_AGENT_FOR_UPDATE: Final = (
    select(Agent)
    .where(Agent.id == bindparam("agent"), Agent.workspace_id == bindparam("workspace"))
    .with_for_update()
    .execution_options(populate_existing=True)
)
GET_AGENT_BY_CLASS: Final = (
    select(Agent)
    .where(
        Agent.workspace_id == bindparam("workspace"),
        Agent.module_path == bindparam("module"),
        Agent.class_name == bindparam("class"),
    )
    .execution_options(populate_existing=True)
)
FIND_CATEGORY: Final = (
    select(Agents.c.category)
    .where(
        Agents.c.workspace_id == bindparam("workspace"),
        Agents.c.module_path == bindparam("module"),
        Agents.c.class_name == bindparam("class"),
    )
    .with_for_update()
)
FIND_STANDING: Final = select(Agents.c.status, Agents.c.confidence).where(
    Agents.c.id == bindparam("agent"), Agents.c.workspace_id == bindparam("workspace")
)
UPDATE_STANDING: Final = update(Agents).where(Agents.c.id == bindparam("agent"))
FIND_EXECUTION: Final = select(AgentExecution).where(
    AgentExecution.id == bindparam("execution"), AgentExecution.agent_id == bindparam("agent")
)
FIND_EXECUTION_OF_WORKSPACE: Final = (
    select(AgentExecution)
    .join(Agent, Agent.id == AgentExecution.agent_id)
    .where(AgentExecution.id == bindparam("execution"), Agent.workspace_id == bindparam("workspace"))
    .execution_options(populate_existing=True)
)
HOLD_EXECUTION: Final = FIND_EXECUTION_OF_WORKSPACE.with_for_update(of=AgentExecution)


def find_agent(session: Session, *, workspace_id: str, agent_id: str) -> AgentProfile | None:
    """Return the agent as the transaction sees it now; None for another workspace's."""
    session.flush()
    sought = {"workspace": workspace_id, "agent": agent_id}
    return PROFILE.one(fetch(session.connection(), FIND_AGENT, sought))


def find_agent_for_update(session: Session, *, workspace_id: str, agent_id: str) -> Agent | None:
    """Return the agent as it is committed now, locked for other writers until the transaction ends."""
    return session.scalar(FIND_AGENT_FOR_UPDATE, {"workspace": workspace_id, "agent": agent_id})


def find_standing(
    session: Session, *, workspace_id: str, agent_id: str
) -> Row[AgentStatus, float | None] | None:
    """Return an agent's status and confidence as they are now; None for another workspace's."""
    session.flush()
    found = session.connection().execute(FIND_STANDING, {"workspace": workspace_id, "agent": agent_id})
    return found.one_or_none()


def update_standing(
    session: Session, agent_id: str, *, status: AgentStatus, confidence: float | None
) -> None:
    """Change an agent's status and confidence."""
    values = {"agent": agent_id, "status": status, "confidence": confidence}
    change(session.connection(), UPDATE_STANDING, values)


def get_agent_by_class(session: Session, *, workspace_id: str, module_path: str, class_name: str) -> Agent:
    """Return the agent registered for a class, as the transaction sees it now; there has to be one."""
    identity = {"workspace": workspace_id, "module": module_path, "class": class_name}
    return session.scalars(GET_AGENT_BY_CLASS, identity).one()


def find_category(session: Session, *, workspace_id: str, module_path: str, class_name: str) -> str | None:
    """Return the category of the agent registered for a class, None if there is none."""
    identity = {"workspace": workspace_id, "module": module_path, "class": class_name}
    return session.scalar(FIND_CATEGORY, identity)


def put_agent(session: Session, values: dict[str, Any]) -> None:
    """Write an agent or, if its class is registered, also at this moment, what it says about itself."""
    session.flush()
    session.connection().execute(_put_agent(session), values)


def list_agents(session: Session, *, workspace_id: str, limit: int, after: str | None) -> Sequence[Agent]:
    """Return the workspace's agents after one in the order of their ids."""
    query = select(Agent).where(Agent.workspace_id == workspace_id).order_by(Agent.id).limit(limit)
    if after is not None:
        query = query.where(Agent.id > after)
    return session.scalars(query).all()


def find_execution(session: Session, *, agent_id: str, execution_id: str) -> AgentExecution | None:
    """Return a run of the agent; None for another agent's."""
    return session.scalar(FIND_EXECUTION, {"agent": agent_id, "execution": execution_id})


def find_execution_of_workspace(
    session: Session, *, workspace_id: str, execution_id: str, for_update: bool = False
) -> AgentExecution | None:
    """Return a run of an agent of the workspace, locked for other writers if it is to be changed."""
    query = HOLD_EXECUTION if for_update else FIND_EXECUTION_OF_WORKSPACE
    return session.scalar(query, {"execution": execution_id, "workspace": workspace_id})


def newest_executions(
    session: Session, *, workspace_id: str, page: PageRequest, **where: object
) -> Page[AgentExecution]:
    """Return the runs of a workspace whose columns have these values, None for any, newest first."""
    query = (
        select(AgentExecution)
        .join(Agent, Agent.id == AgentExecution.agent_id)
        .where(Agent.workspace_id == workspace_id)
        .order_by(AgentExecution.started_at.desc(), AgentExecution.id.desc())
    )
    for column, value in where.items():
        if value is not None:
            query = query.where(getattr(AgentExecution, column) == value)
    if page.after is not None:
        place = tuple_(AgentExecution.started_at, AgentExecution.id)
        query = query.where(place < tuple_(page.after.at, page.after.id))
    rows = session.scalars(query.limit(page.limit + 1)).all()
    return Page.cut(rows, limit=page.limit, place=lambda row: Cursor(at=row.started_at, id=row.id))


@upsert
def _put_agent(insert: Callable[[Table], Any]) -> Any:
    statement = insert(Agents)
    description = ("name", "category", "version", "configuration")
    return statement.on_conflict_do_update(
        index_elements=[Agents.c.workspace_id, Agents.c.module_path, Agents.c.class_name],
        set_={name: statement.excluded[name] for name in description},
    )
