"""The keywords with which a service finds what it is asked about, typed, so that `**scope` is checked."""

from __future__ import annotations

from typing import TypedDict


class OfWorkspace(TypedDict):
    """A workspace."""

    workspace_id: str


class OfUser(OfWorkspace):
    """A user of a workspace."""

    user_id: str


class OfAgent(OfWorkspace):
    """An agent of a workspace."""

    agent_id: str


class OfChat(OfWorkspace):
    """A session of a workspace's chat."""

    chat_id: str


class OfProject(OfWorkspace):
    """A project of a workspace."""

    project_id: str


class OfAccount(OfWorkspace):
    """An account of a workspace's books."""

    account_id: str


class OfTransaction(OfWorkspace):
    """A transaction of a workspace's books."""

    transaction_id: str


class OfWorkflow(OfWorkspace):
    """A workflow of a workspace, in any version."""

    workflow_id: str


class OfExecution(OfWorkspace):
    """An execution of a workspace's workflow."""

    execution_id: str


class OfProposal(OfWorkspace):
    """What an agent of a workspace proposed."""

    proposal_id: str


class OfTraining(OfWorkspace):
    """A training of an agent of a workspace."""

    training_id: str
