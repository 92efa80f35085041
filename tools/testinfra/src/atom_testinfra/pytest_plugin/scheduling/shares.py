"""
Runs the shares of split properties in a worker, and reports each property once.

The share that ends last reports. Where a share has failed, it first runs the property on the examples that
the shares have saved, so that Hypothesis itself puts the failures together.
"""

from __future__ import annotations

import copy
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from _pytest.runner import runtestprotocol
from hypothesis import HealthCheck, Phase, core
from hypothesis import settings as Settings  # noqa: N812 (it is a class, whatever its name looks like)
from hypothesis.database import DirectoryBasedExampleDatabase
from hypothesis.statistics import collector

from atom_testinfra.core.scheduling.durations import expect
from atom_testinfra.core.scheduling.splitting import (
    ShareNumber,
    SplitPlan,
    count_shares,
    examples_of_share,
    seed_of_share,
)
from atom_testinfra.pytest_plugin.hooks import HooksOnly
from atom_testinfra.pytest_plugin.internals import Internals
from atom_testinfra.pytest_plugin.naming import Naming
from atom_testinfra.pytest_plugin.scheduling.share_files import ShareFiles
from atom_testinfra.pytest_plugin.scheduling.splittable import why_whole
from atom_testinfra.pytest_plugin.steering.subject import find_subject

if TYPE_CHECKING:
    from collections.abc import Generator

OWN_EXAMPLES = frozenset({"explicit", "reuse"})
"""Phases that run examples which every share would repeat."""
EXPLAIN = frozenset({"explain"})
"""The phase that says more of a failure: the property does so once, in its replay."""
EXECUTORS = "differing_executors"
"""The health check for one method that runs on several instances, as shares in one process do."""


class Part(Enum):
    """What of a property a run is to do."""

    SHARE = "share"
    SAVED = "saved"
    """The explicit and the saved examples, and nothing new."""
    WHOLE = "whole"
    """All of it, under its own settings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A share of a property that is in the list of tests."""

    group: int
    number: ShareNumber
    name: str


class ShareRunner(HooksOnly):
    """Puts shares in the place of long properties, and runs them."""

    def __init__(self, config: pytest.Config, workerinput: dict[str, Any]) -> None:
        self._config = config
        self._name = Naming(config, workerinput["root"])
        self._files = ShareFiles(Path(workerinput["folder"]))
        self._seconds: dict[str, float] = workerinput["seconds"]
        self._n_workers: int = workerinput["n_workers"]
        self._base: str = workerinput["base"]
        self._shares: dict[int, Share] = {}
        self._part = Part.WHOLE
        self._has_targets = False

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Split, after everybody else has selected and ordered the tests."""
        names = [self._name.name(item) for item in items]
        expectation = expect(names, self._seconds)
        equal_s = sum(expectation.seconds) / self._n_workers
        whole: dict[str, str] = {}
        split: dict[str, int] = {}
        positions: dict[int, int] = {}
        placed: list[pytest.Item] = []
        internals: Internals | None = None
        for index, (item, name) in enumerate(zip(items, names, strict=True)):
            n_shares = 1
            if index not in expectation.unknown and expectation.seconds[index] > equal_s:
                internals = internals or Internals()
                reason, n_examples = why_whole(item, internals)
                if reason is not None:
                    whole[name] = reason
                else:
                    n_shares = count_shares(expectation.seconds[index], equal_s, n_examples, self._n_workers)
            if n_shares > 1:
                split[name] = n_shares
                positions |= dict.fromkeys(range(len(placed), len(placed) + n_shares), n_shares)
            placed += self._make_shares(item, name, index, n_shares)
        items[:] = placed
        self._files.save_plan(SplitPlan(split=split, whole=whole, positions=positions))

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> object:
        """Run a share without a report; the last one of its property reports."""
        share = self._shares.get(id(item))
        if share is None:
            return None
        reports = self._run(item, nextitem, Part.SHARE)
        result = {"reports": [self._dump(report) for report in reports], "targets": self._has_targets}
        self._files.save(share.group, share.number.number, result)
        results = self._files.load(share.group)
        if len(results) == share.number.n_shares and self._files.claim(share.group):
            item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
            for report in self._merge(item, nextitem, share, results):
                item.ihook.pytest_runtest_logreport(report=report)
            item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True

    # Innermost: for a parametrised test Hypothesis's own plugin makes a plain copy of the settings.
    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        """Give the property the settings of what it is to run."""
        share = self._shares.get(id(item))
        subject = None if share is None or self._part is Part.WHOLE else find_subject(item)
        if share is None or subject is None or subject.settings is None:
            return (yield)
        own, seed = subject.settings, None
        if self._part is Part.SHARE:
            fixed = (subject.own_seed, own.derandomize, core.global_force_seed)
            base = repr(fixed) if any(one not in {None, False} for one in fixed) else self._base
            seed = seed_of_share(base, share.name, share.number)
            changed = share_settings(own, share.number, self._files.examples)
        else:
            changed = saved_settings(own, self._files.examples)
        subject.install(changed, seed)
        try:
            with self._watching():
                return (yield)
        finally:
            subject.restore()

    def _make_shares(self, item: pytest.Item, name: str, group: int, n_shares: int) -> list[pytest.Item]:
        """Return the item and its copies: they have one node id, and differ in what they run."""
        if n_shares == 1:
            return [item]
        made = [item, *(_copy_item(item) for _ in range(n_shares - 1))]
        for number, one in enumerate(made, start=1):
            self._shares[id(one)] = Share(group=group, number=ShareNumber(number, n_shares), name=name)
        return made

    def _run(self, item: Any, nextitem: pytest.Item | None, part: Part) -> list[pytest.TestReport]:
        self._part, self._has_targets = part, False
        item._report_sections.clear()
        try:
            return runtestprotocol(item, log=False, nextitem=nextitem)
        finally:
            self._part = Part.WHOLE

    @contextmanager
    def _watching(self) -> Generator[None]:
        """Notice whether the property guides its search, which the look at its code has missed."""
        previous: Any = collector.value

        def note(statistics: Any) -> None:
            self._has_targets |= bool(statistics.get("targets"))
            if previous is not None:
                previous(statistics)

        listener: Any = note
        with collector.with_value(listener):
            yield

    def _merge(
        self,
        item: pytest.Item,
        nextitem: pytest.Item | None,
        share: Share,
        results: dict[int, dict[str, Any]],
    ) -> list[pytest.TestReport]:
        """Return the reports of the property, each step as long as that of all shares together."""
        by_number = {number: self._load(result["reports"]) for number, result in results.items()}
        n_shares = share.number.n_shares
        if any(result["targets"] for result in results.values()):
            chosen = self._run(item, nextitem, Part.WHOLE)
            note = "it calls target(), which splitting would leave without effect, so it ran whole as well"
            return _add_up(chosen, [*by_number.values(), chosen], note)
        number = choose_share(by_number)
        chosen = by_number[number]
        if not _has_failed_call(chosen):
            return _add_up(chosen, list(by_number.values()), None)
        failed = [str(number) for number, reports in by_number.items() if _has_failed_call(reports)]
        note = f"found by share {', '.join(failed)} of {n_shares}"
        replayed = self._run(item, nextitem, Part.SAVED)
        everything = [*by_number.values(), replayed]
        if any(report.failed for report in replayed):
            return _add_up(replayed, everything, f"{note}; this is the replay of what they have saved")
        return _add_up(chosen, everything, f"{note}; the replay of what they have saved did not fail")

    def _dump(self, report: pytest.TestReport) -> dict[str, Any]:
        dumped: dict[str, Any] = self._config.hook.pytest_report_to_serializable(
            config=self._config, report=report
        )
        return dumped

    def _load(self, reports: list[dict[str, Any]]) -> list[pytest.TestReport]:
        return load_reports(self._config, reports)


def load_reports(config: pytest.Config, reports: list[dict[str, Any]]) -> list[pytest.TestReport]:
    """Return reports from what a share has left."""
    return [config.hook.pytest_report_from_serializable(config=config, data=data) for data in reports]


def choose_share(reports: dict[int, list[pytest.TestReport]]) -> int:
    """
    Return the number of the share whose outcome is the property's.

    One failing example fails a property, also where that is expected; one that skips skips it.
    """
    return min(reports, key=lambda number: (_rank(reports[number]), number))


def share_settings(own: Settings, number: ShareNumber, examples: Path) -> Settings:
    """Return the settings of one share: its number of examples, and only the phases that are its own."""
    dropped = EXPLAIN if number.number == 1 else EXPLAIN | OWN_EXAMPLES
    return _change(own, dropped, examples, max_examples=examples_of_share(own.max_examples, number))


def saved_settings(own: Settings, examples: Path) -> Settings:
    """Return the settings that run what is explicit and what the shares have saved, shrunk."""
    return _change(own, frozenset({"generate", "target"}), examples, print_blob=True)


def _change(own: Settings, dropped: frozenset[str], examples: Path, **changes: Any) -> Settings:
    phases = {*own.phases} | ({Phase.reuse} if Phase.generate.name in dropped else set())
    checks = {check for check in HealthCheck if check.name == EXECUTORS}
    if own.database is None:
        changes["database"] = DirectoryBasedExampleDatabase(examples)
    return Settings(
        own,
        derandomize=False,  # the seed is set, and without it there may be a database
        phases=[phase for phase in Phase if phase in phases and phase.name not in dropped],
        suppress_health_check=list(checks.union(own.suppress_health_check)),
        **changes,
    )


def _copy_item(item: pytest.Item) -> pytest.Item:
    """Return another item of the same node id; pytest makes its request when it is run."""
    made: Any = copy.copy(item)
    made._report_sections = []
    made._request = None
    if getattr(made, "_instance", None) is not None:  # each item of a class has an instance of its own
        del made._instance
        made._obj = None
    return made  # type: ignore[no-any-return]


def _rank(reports: list[pytest.TestReport]) -> int:
    if any(hasattr(report, "wasxfail") and report.skipped for report in reports):
        return 0
    if any(report.failed for report in reports):
        return 1
    return 2 if any(report.skipped for report in reports) else 3


def _has_failed_call(reports: list[pytest.TestReport]) -> bool:
    return any(report.failed and report.when == "call" for report in reports)


def _add_up(
    chosen: list[pytest.TestReport], everything: list[list[pytest.TestReport]], note: str | None
) -> list[pytest.TestReport]:
    for report in chosen:
        same = [other.duration for reports in everything for other in reports if other.when == report.when]
        report.duration = sum(same)
        if note is not None and report.when == "call":
            report.sections.append(("testinfra: split", note))
    return chosen
