"""Which xdist worker runs which test, by the durations that are known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from xdist.report import report_collection_diff
from xdist.scheduler import LoadScheduling

from atom_testinfra.core.errors import InfraError
from atom_testinfra.core.scheduling.dispatch import Dispatcher
from atom_testinfra.core.scheduling.durations import expect
from atom_testinfra.core.scheduling.splitting import expect_shares
from atom_testinfra.machine.clocks import Clocks
from atom_testinfra.pytest_plugin.naming import Naming
from atom_testinfra.pytest_plugin.options import has_plan
from atom_testinfra.pytest_plugin.scheduling.durations import DurationsKeeper, KnownDurations, find_durations
from atom_testinfra.pytest_plugin.scheduling.split import PLUGIN as SPLITTING
from atom_testinfra.pytest_plugin.scheduling.split import SplitProperties, describe

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from xdist.remote import Producer
    from xdist.workermanage import WorkerController

REPLACED = ("load", "worksteal")
"""The values of `--dist` under which any worker may run any test."""


def make_scheduler(config: pytest.Config, log: Producer) -> DurationScheduling | None:
    """
    Return our scheduler, or `None` where xdist is to use its own; durations are kept either way.

    Raises:
        pytest.UsageError: It was asked for by name, and cannot be.
    """
    asked: str = config.option.testinfra_schedule
    flag = "--testinfra-schedule=on"
    if config.option.testinfra_split:
        if asked == "off":
            raise pytest.UsageError(
                "--testinfra-split needs the scheduler by duration; leave out --testinfra-schedule=off"
            )
        asked, flag = "on", "--testinfra-split"
    dist: str = config.getvalue("dist")
    if asked == "off":
        return None
    if dist not in REPLACED and asked == "on":
        raise pytest.UsageError(f"{flag} cannot keep what --dist={dist} promises; use --dist=load")
    if asked == "auto" and has_plan(config.option):
        return None  # a session's runs are compared: their order may not follow what it measures
    try:
        known = find_durations(config)
    except InfraError as exc:
        if asked == "on":
            raise pytest.UsageError(f"{exc}; {exc.hint}" if exc.hint else str(exc)) from exc
        _say(config, f"testinfra: tests are not scheduled by duration, because {exc}")
        return None
    if asked == "auto" and not known.seconds:
        for remark in known.remarks:
            _say(config, f"testinfra: {remark}; tests are not scheduled by duration")
        return None
    keeper = DurationsKeeper(config, known)
    config.pluginmanager.register(keeper, "atom_testinfra_durations")
    return DurationScheduling(config, log, known) if dist in REPLACED else None


class DurationScheduling(LoadScheduling):  # type: ignore[misc,unused-ignore]  # xdist has no types everywhere
    """
    Longest tests first, short tests of a module together, each worker with the look-ahead that fits it.

    What to do is decided by a `Dispatcher`; this class tells it what xdist sees, and xdist what it says.
    """

    def __init__(
        self,
        config: pytest.Config,
        log: Producer | None,
        known: KnownDurations,
        clock: Callable[[], float] = Clocks.wall,
    ) -> None:
        super().__init__(config, log)
        self.collection: list[str] | None = None
        self._known = known
        self._clock = clock
        self._dispatcher: Dispatcher[WorkerController] | None = None

    @property
    def tests_finished(self) -> bool:
        """Whether every test has been sent, and no worker waits for what comes after its last one."""
        if not self.collection_is_completed or self._is_undecided:
            return False
        return all(len(pending) < 2 for pending in self.node2pending.values())

    @property
    def has_pending(self) -> bool:
        """Whether tests are left to send, or to run."""
        is_left = self._dispatcher is not None and not self._dispatcher.is_empty
        return is_left or any(self.node2pending.values())

    def schedule(self) -> None:
        """Begin when every worker has collected; later, give tests to the workers that came in meanwhile."""
        assert self.collection_is_completed
        if self.collection is not None:
            for node in self.nodes:
                self.check_schedule(node)
            return
        if not self._check_nodes_have_same_collection():
            self.log("**Different tests collected, aborting run**")
            return
        self.collection = next(iter(self.node2collection.values()))
        if self.collection:
            self._begin(self.collection)

    def add_node_collection(self, node: WorkerController, collection: Sequence[str]) -> None:
        """Take what a worker has collected; one that came in later and collected other tests gets none."""
        super().add_node_collection(node, collection)
        if node in self.node2collection or self.collection is None:
            return
        first = next(iter(self.node2collection)).gateway.id
        message = report_collection_diff(self.collection, collection, first, node.gateway.id)
        report = pytest.CollectReport(node.gateway.id, "failed", message, [])
        self.config.hook.pytest_collectreport(report=report)
        node.shutdown()

    def mark_test_complete(self, node: WorkerController, item_index: int, duration: float = 0) -> None:
        """Note that a worker has finished a test, and send it what it needs."""
        if self._dispatcher is not None:
            self._dispatcher.finish(node, item_index, self._clock())
        super().mark_test_complete(node, item_index, duration)

    def mark_test_pending(self, item: str) -> None:
        """Let a test run again, as a plugin asks for after a crash."""
        assert self.collection is not None
        assert self._dispatcher is not None
        self._dispatcher.give_back(self.collection.index(item))
        for node in self.nodes:
            self.check_schedule(node)

    def check_schedule(self, node: WorkerController, duration: float = 0) -> None:  # noqa: ARG002
        """Send a worker what it needs to go on, or tell it to end after what it has."""
        dispatcher = self._dispatcher
        if dispatcher is None or node.shutting_down or node not in self.node2collection:
            return
        dispatcher.add(node)
        self._send(node, dispatcher.refill(node, self._clock()))
        if len(self.node2pending[node]) < 2:
            self._end(node)

    def remove_node(self, node: WorkerController) -> str | None:
        """Let a worker go; return the test during which it died, if it did, and give the others its tests."""
        pending = self.node2pending.pop(node)
        if self._dispatcher is None or not self._dispatcher.knows(node):
            return None
        crashed = self._dispatcher.lose(node)
        for other in self.nodes:
            self.check_schedule(other)
        assert self.collection is not None
        return self.collection[crashed] if pending and crashed is not None else None

    @property
    def _is_undecided(self) -> bool:
        return self._dispatcher is not None and not self._dispatcher.is_empty

    def _begin(self, nodeids: Sequence[str]) -> None:
        names = list(map(Naming(self.config, self._known.root), nodeids))
        expectation = expect(names, self._known.seconds, fixtures_s=self._known.fixtures_s)
        splitting: SplitProperties | None = self.config.pluginmanager.getplugin(SPLITTING)
        if isinstance(splitting, SplitProperties) and (plan := splitting.take_plan()) is not None:
            expectation = expect_shares(expectation, plan.positions)
            for line in describe(plan):
                _say(self.config, line)
        dispatcher = self._dispatcher = Dispatcher(expectation, len(self.nodes))
        for line in self._known.describe(expectation, dispatcher):
            _say(self.config, line)
        for node, indices in dispatcher.begin(self.nodes, self._clock()).items():
            self._send(node, indices)
        for node in self.nodes:
            if len(self.node2pending[node]) < 2:
                self._end(node)

    def _send(self, node: WorkerController, indices: list[int]) -> None:
        if indices:
            self.node2pending[node].extend(indices)
            node.send_runtest_some(indices)

    def _end(self, node: WorkerController) -> None:
        if self._dispatcher is not None:
            self._dispatcher.retire(node)
        node.shutdown()


def _say(config: pytest.Config, line: str) -> None:
    reporter: Any = config.pluginmanager.getplugin("terminalreporter")
    if reporter is not None and config.option.verbose >= 0:
        reporter.write_line(line)
