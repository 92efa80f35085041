"""Use cases of graduation: how an agent stands, its exam, and its promotion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from atom.agents.maturity import BAND_FLOORS, AgentStatus, known_confidence, next_rung
from atom.agents.service import AgentWatcher, get_agent, hold_agent, set_standing
from atom.graduation import repository
from atom.graduation.exam import CaseResult, ExamResult
from atom.graduation.models import Promotion
from atom.graduation.readiness import CRITERIA, Readiness, assess
from atom.graduation.supervision import SupervisionRecord, assess_supervision, combined_score
from atom.identity.users import require_user
from atom.kit.errors import ConflictError, InvalidError, NotFoundError
from atom.kit.ids import new_id
from atom.kit.pagination import Page, PageRequest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

    from atom.agents.models import Agent
    from atom.agents.rows import AgentProfile
    from atom.kit.clock import Clock


class Sandbox(Protocol):
    """Replays episodes without effects on anything else."""

    def replay(self, episode_id: str) -> CaseResult:
        """Let the agent live through the episode again, and return how it went."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SupervisedReadiness:
    """How an agent stands by its episodes and by its supervised sessions."""

    readiness: Readiness
    supervision: SupervisionRecord
    score: float

    @property
    def is_ready(self) -> bool:
        """Whether no criterion and no gate is missed."""
        return self.readiness.is_ready and not self.supervision.missed_gates


def assess_agent(
    session: Session, *, workspace_id: str, agent_id: str, target: AgentStatus | None = None
) -> Readiness:
    """Return how an agent stands against a rung, the next one unless another is named."""
    agent = get_agent(session, workspace_id=workspace_id, agent_id=agent_id)
    return _assess(session, agent, _target(agent, target))


def assess_agent_with_supervision(
    session: Session, *, workspace_id: str, agent_id: str, target: AgentStatus | None = None
) -> SupervisedReadiness:
    """Return how an agent stands against a rung, its supervised sessions included."""
    agent = get_agent(session, workspace_id=workspace_id, agent_id=agent_id)
    wanted = _target(agent, target)
    readiness = _assess(session, agent, wanted)
    sessions = repository.completed_supervisions(session, agent_id=agent.id)
    supervision = assess_supervision(sessions, wanted)
    score = combined_score(episode_score=readiness.score, supervision_score=supervision.score)
    return SupervisedReadiness(readiness=readiness, supervision=supervision, score=score)


def hold_exam(
    session: Session, sandbox: Sandbox, *, workspace_id: str, agent_id: str, episode_ids: Sequence[str]
) -> ExamResult:
    """Let the agent live through episodes of its own again, and grade it."""
    get_agent(session, workspace_id=workspace_id, agent_id=agent_id)
    own = repository.episodes_of(session, agent_id=agent_id, episode_ids=episode_ids)
    for episode_id in episode_ids:
        if episode_id not in own:
            raise NotFoundError("episode", episode_id)
    return ExamResult(cases=tuple(sandbox.replay(episode_id) for episode_id in episode_ids))


def promote(
    session: Session,
    clock: Clock,
    watcher: AgentWatcher,
    *,
    workspace_id: str,
    agent_id: str,
    target: AgentStatus,
    promoted_by: str,
) -> Promotion:
    """
    Move an agent that is ready to the next rung, and return the record of it.

    Its confidence is raised to the floor of the rung: one more success must not send it back down.
    """
    require_user(session, workspace_id=workspace_id, user_id=promoted_by)
    agent = hold_agent(session, workspace_id=workspace_id, agent_id=agent_id)
    if target is not next_rung(agent.status):
        raise ConflictError(
            f"agent {agent_id!r} is {agent.status.value!r}; {target.value!r} is not its next rung"
        )
    readiness = _assess(session, agent, target)
    if not readiness.is_ready:
        missed = ", ".join(gap.criterion.value for gap in readiness.gaps)
        raise ConflictError(f"agent {agent_id!r} is not ready for {target.value!r}: {missed}")
    promotion = _promotion(agent, readiness, clock, promoted_by)
    session.add(promotion)
    session.flush()
    set_standing(session, watcher, agent, status=target, confidence=promotion.confidence_after)
    return promotion


def list_promotions(
    session: Session, *, workspace_id: str, agent_id: str, page: PageRequest | None = None
) -> Page[Promotion]:
    """Return the agent's promotions, newest first."""
    get_agent(session, workspace_id=workspace_id, agent_id=agent_id)
    return repository.promotions_page(session, agent_id=agent_id, page=page or PageRequest())


def _target(agent: AgentProfile, target: AgentStatus | None) -> AgentStatus:
    wanted = target or next_rung(agent.status)
    if wanted is None:
        raise ConflictError(f"agent {agent.id!r} is {agent.status.value!r}: there is no next rung")
    if wanted not in CRITERIA:
        raise InvalidError(
            f"target is {wanted.value!r}, expected one of {', '.join(CRITERIA)}", field="target"
        )
    return wanted


def _assess(session: Session, agent: Agent | AgentProfile, target: AgentStatus) -> Readiness:
    record = repository.episode_record(session, agent_id=agent.id, maturity=agent.status)
    return assess(record, target)


def _promotion(agent: Agent, readiness: Readiness, clock: Clock, promoted_by: str) -> Promotion:
    confidence = known_confidence(agent.confidence)
    return Promotion(
        id=new_id(),
        agent_id=agent.id,
        promoted_by=promoted_by,
        from_status=agent.status,
        to_status=readiness.target,
        score=readiness.score,
        n_episodes=readiness.record.n_episodes,
        intervention_rate=readiness.record.intervention_rate,
        constitutional_score=readiness.record.constitutional_score,
        confidence_before=confidence,
        confidence_after=max(confidence, BAND_FLOORS[readiness.target]),
        promoted_at=clock.now(),
    )
