"""Runs an execution from where it stands until it ends or pauses, its steps side by side on an executor."""

from __future__ import annotations

from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from atom.db.session import unit_of_work
from atom.kit.errors import ConflictError, InvalidError, StaleVersionError
from atom.workflows import service
from atom.workflows.rows import Execution
from atom.workflows.scheduling import Assignment, Plan

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from sqlalchemy.orm import Session, sessionmaker

    from atom.kit.clock import Clock

MAX_CONFLICTS: Final = 10
"""How often somebody else may change the execution between our reading and our writing it."""

Result = TypeVar("Result")


class StepHandler(Protocol):
    """Does the work of a step; whatever it raises counts as a failure of the step."""

    def __call__(self, assignment: Assignment, /) -> Mapping[str, Any]:
        """Return the output of the step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Runner:
    """
    What running needs: a database, a handler of steps, an executor to run them on, a clock, a way to wait.

    Each plan and each report is a transaction of its own: a runner that dies loses what its steps did not
    report. They stay running and keep their places among the concurrent ones, and the execution does not end:
    nothing written tells a dead runner from a slow one, so no other runner takes its steps. Who knows that it
    is dead fails those steps with `service.fail_step`, which has them tried again, and runs the execution
    anew; or cancels it.
    """

    sessions: sessionmaker[Session]
    clock: Clock
    handler: StepHandler
    executor: Executor
    sleep_until: Callable[[datetime], None]

    def run(self, *, workspace_id: str, execution_id: str) -> Execution:
        """
        Run an execution, begun or not, and return it as it is when none of its steps is left to run here.

        It is then still running if another runner has started steps that have not reported.
        """
        self._write(lambda session: self._begin(session, workspace_id, execution_id))
        running: dict[Future[Mapping[str, Any]], str] = {}
        while True:
            found = self._write(
                lambda session: self._advance(session, workspace_id, execution_id, is_idle=not running)
            )
            if isinstance(found, Execution):
                return found
            for assignment in found.start:
                running[self.executor.submit(self.handler, assignment)] = assignment.step_id
            if running:
                done, _ = wait(running, timeout=self._patience(found), return_when=FIRST_COMPLETED)
                for future in done:
                    self._report(workspace_id, execution_id, running.pop(future), future)
            elif found.wait_until is not None:
                self.sleep_until(found.wait_until)

    def _begin(self, session: Session, workspace_id: str, execution_id: str) -> None:
        try:
            service.begin(session, self.clock, workspace_id=workspace_id, execution_id=execution_id)
        except StaleVersionError:
            raise
        except ConflictError:
            return  # it has begun before

    def _advance(
        self, session: Session, workspace_id: str, execution_id: str, *, is_idle: bool
    ) -> Plan | Execution:
        """Return what to do next or, with nothing to do and nothing under way, the execution as it is."""
        try:
            found = service.advance(session, self.clock, workspace_id=workspace_id, execution_id=execution_id)
        except StaleVersionError:
            raise
        except ConflictError:
            found = Plan()  # it has ended, or somebody paused it
        if is_idle and not found.start and found.wait_until is None:
            return service.get_execution(session, workspace_id=workspace_id, execution_id=execution_id)
        return found

    def _patience(self, found: Plan) -> float | None:
        """How many seconds to wait for a running step before another one can be tried again."""
        if found.wait_until is None:
            return None
        return max(0.0, (found.wait_until - self.clock.now()).total_seconds())

    def _report(
        self, workspace_id: str, execution_id: str, step_id: str, future: Future[Mapping[str, Any]]
    ) -> None:
        scope = {"workspace_id": workspace_id, "execution_id": execution_id, "step_id": step_id}
        failure = future.exception()

        def complete(session: Session) -> None:
            service.complete_step(session, self.clock, **scope, output=future.result())

        def fail(session: Session) -> None:
            service.fail_step(session, self.clock, **scope, error=describe(failure))

        try:
            if failure is None:
                try:
                    self._write(complete)
                except InvalidError as exc:  # what the step returned cannot be stored
                    failure = exc
            if failure is not None:
                self._write(fail)
        except StaleVersionError:
            raise
        except ConflictError:
            return  # the execution was cancelled while the step ran: nobody waits for its result

    def _write(self, action: Callable[[Session], Result]) -> Result:
        """Do something in a transaction, again if somebody else changed the execution meanwhile."""
        for _ in range(MAX_CONFLICTS):
            try:
                with unit_of_work(self.sessions) as session:
                    return action(session)
            except StaleVersionError:
                continue
        with unit_of_work(self.sessions) as session:
            return action(session)


def describe(failure: BaseException | None) -> str:
    """Return an error message that can be stored: the type, what it says, cut to length."""
    text = f"{type(failure).__name__}: {failure}"[: service.ERROR_LENGTH]
    return text.replace("\0", "?").encode(errors="replace").decode()
