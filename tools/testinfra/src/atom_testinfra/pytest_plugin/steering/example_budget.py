"""`testinfra_budget`: gives each property the number of examples of a file, and checks that it ran it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest

from atom_testinfra.core.errors import BudgetError
from atom_testinfra.pytest_plugin.hooks import HooksOnly
from atom_testinfra.pytest_plugin.naming import Naming, find_root
from atom_testinfra.pytest_plugin.options import is_recording, time_asked
from atom_testinfra.storage.example_budget import BudgetFile, Freshness, load_budget

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from pathlib import Path

    from atom_testinfra.pytest_plugin.costs import EngineRun
    from atom_testinfra.pytest_plugin.steering.subject import Subject
    from atom_testinfra.storage.example_budget import AnyFile, CorpusEntry, CorpusFile

ATTRIBUTE = "testinfra_budget"
"""Of a report of a property's call: what became of its number, as it goes from a worker to the controller."""
PREFIX = "testinfra: budget: "
NAMED = 3
RAN = "ran"
MISSING = "the file does not name it"
NO_RUN = "Hypothesis reported no run of its engine"
NO_SETTINGS = "Hypothesis offers no settings for it"
UNCOUNTED = "how many failures Hypothesis has saved for it cannot be told"
NOT_GENERATED = "it generates no examples"


def start_budget(config: pytest.Config, text: str, source: str) -> None:
    """
    Apply the budget of a file to this run.

    Raises:
        pytest.UsageError: The file is missing or broken.
    """
    other = None
    if is_recording(config):
        other = "a run that is recorded has numbers of its own"
    elif time_asked(config)[0] or "testinfra_time" in getattr(config, "workerinput", {}):
        other = "the run has a time, which decides the numbers"
    elif config.option.testinfra_split:
        other = "the run splits properties, each share with a number of its own"
    if other is not None:
        config.pluginmanager.register(_NotInForce(source, other), "atom_testinfra_budget")
        return
    paths = [_folder(config, source) / name for name in text.split()]
    try:
        files = [(path, load_budget(path)) for path in paths]
    except BudgetError as exc:
        hint = f" ({exc.hint})" if exc.hint else ""
        raise pytest.UsageError(f"{source}: {exc}{hint}") from exc
    kinds = [type(file) for _, file in files]
    if len(set(kinds)) < len(kinds):
        raise pytest.UsageError(f"{source}: {text!r} names two files of one kind; there may be one of each")
    runner = BudgetRunner(files, Naming(config, find_root(config)))
    config.pluginmanager.register(runner, "atom_testinfra_budget")


def _folder(config: pytest.Config, source: str) -> Path:
    """Return the folder of relative paths: the configuration file's, or where pytest was called."""
    is_ini = not source.startswith("$") and config.inipath is not None
    return config.inipath.parent if is_ini and config.inipath is not None else config.invocation_params.dir


class _NotInForce(HooksOnly):
    def __init__(self, source: str, reason: str) -> None:
        self._text = f"testinfra: {source} is not in force, because {reason}"

    def pytest_report_header(self) -> str:
        return self._text


class BudgetRunner(HooksOnly):
    """Sets the number of each property and what it replays, and says at the end what was in force."""

    def __init__(self, files: Sequence[tuple[Path, AnyFile]], naming: Naming) -> None:
        import hypothesis

        self._files = files
        self._name = naming
        self._numbers: BudgetFile | None = None
        self._corpus: CorpusFile | None = None
        self._fresh: dict[type, Freshness] = {}
        for path, file in files:
            self._fresh[type(file)] = Freshness(file, path.parent, hypothesis.__version__)
            if isinstance(file, BudgetFile):
                self._numbers = file
            else:
                self._corpus = file
        self._running: dict[str, Any] | None = None
        self._account = BudgetAccount(
            has_numbers=self._numbers is not None, has_corpus=self._corpus is not None
        )

    def pytest_report_header(self) -> list[str]:
        """Say which files decide."""
        return [f"{PREFIX}{len(file.properties):,} properties in {path.name}" for path, file in self._files]

    # Innermost: for a parametrised test Hypothesis's own plugin makes a plain copy of the settings.
    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        """Give a property its number, and what it replays, for this call."""
        self._running = None
        if "hypothesis" not in sys.modules:
            return (yield)
        from atom_testinfra.pytest_plugin.steering.subject import find_subject

        subject = find_subject(item)
        if subject is None:
            return (yield)
        self._running = running = {"number": None, "corpus": None, "n_entries": 0, "n_unfit": 0}
        if not self._steer(item, subject, running):
            return (yield)
        try:
            return (yield from self._watch(running))
        finally:
            subject.restore()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Let the report carry what was in force."""
        report = yield
        if call.when == "call" and self._running is not None:
            setattr(report, ATTRIBUTE, self._running)
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take in what was in force for a property."""
        outcome = getattr(report, ATTRIBUTE, None)
        if outcome is not None:
            self._account.note(report.nodeid, outcome)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say for which properties the files were in force, and why they were not for the others."""
        for line in self._account.lines():
            terminalreporter.write_line(f"{PREFIX}{line}")

    def _steer(self, item: pytest.Item, subject: Subject, running: dict[str, Any]) -> bool:
        """Install what the files say of a property; return whether they say anything that holds."""
        from hypothesis import settings

        from atom_testinfra.pytest_plugin.steering.planned_tests import count_saved, saved_key

        own = subject.settings
        if own is None:
            running["number"] = running["corpus"] = NO_SETTINGS
            return False
        nodeid = self._name.name(item)
        running["number"] = None if self._numbers is None else self._refusal(self._numbers, nodeid, own)
        wanted = own.max_examples
        if self._numbers is not None and running["number"] is None:
            wanted = self._numbers.properties[nodeid].max_examples
        key = saved_key(item)
        entries, running["corpus"] = self._entries(nodeid, own, key)
        saved = count_saved(item, own)
        if saved is None:
            running["number"] = running["corpus"] = UNCOUNTED
            return False
        if running["number"] is not None and not entries:
            return False
        seed = None
        if entries and key is not None:
            from atom_testinfra.pytest_plugin.steering.replayed_cases import with_cases

            own, seed = with_cases(subject, own, key, entries)
        # What is replayed comes first and counts: without room for all of it, a known failure could pass.
        n = wanted + saved + len(entries)
        running |= {"n_entries": len(entries), "wanted": wanted, "n": n, "saved": saved}
        subject.install(settings(own, max_examples=n), seed)
        return True

    def _entries(self, nodeid: str, own: Any, key: bytes | None) -> tuple[list[CorpusEntry], str | None]:
        """Return what a property replays first, or nothing and why."""
        if self._corpus is None or nodeid not in self._corpus.properties:
            return [], None
        from atom_testinfra.pytest_plugin.steering.replayed_cases import refuse_replay

        reason = self._refusal(self._corpus, nodeid, own) or refuse_replay(own, key)
        return ([], reason) if reason else (self._corpus.properties[nodeid].entries, None)

    def _refusal(self, file: AnyFile, nodeid: str, own: Any) -> str | None:
        """Return why a file says nothing of a property that holds, or `None`."""
        from hypothesis import Phase

        if nodeid not in file.properties:
            return MISSING
        if Phase.generate not in own.phases:
            return NOT_GENERATED
        problem = self._fresh[type(file)].problem(nodeid)
        return None if problem is None else f"stale, because {problem}"

    def _watch(self, running: dict[str, Any]) -> Generator[None, object, object]:
        """Read in Hypothesis's own words whether the number was in force."""
        from hypothesis.statistics import collector

        from atom_testinfra.pytest_plugin.costs import EngineRun

        previous: Any = collector.value
        running["ended"] = NO_RUN

        def note(statistics: Any) -> None:
            run = EngineRun(statistics)
            running["ended"] = _describe_end(run, running["n"], running["wanted"])
            reused = run.phases.get("reuse", {})
            if not running["saved"]:
                running["n_unfit"] = reused.get("n_invalid", 0) + reused.get("n_overrun", 0)
            if previous is not None:
                previous(statistics)

        listener: Any = note
        with collector.with_value(listener):
            return (yield)


class BudgetAccount:
    """What was in force for each property, in words; in the process that a person looks at."""

    def __init__(self, *, has_numbers: bool, has_corpus: bool) -> None:
        self._has_numbers = has_numbers
        self._has_corpus = has_corpus
        self._outcomes: dict[str, dict[str, Any]] = {}

    def note(self, nodeid: str, outcome: dict[str, Any]) -> None:
        """Take in what became of a property."""
        self._outcomes[nodeid] = outcome

    def lines(self) -> list[str]:
        """Return the lines that a person reads at the end."""
        lines = []
        if self._has_numbers:
            words = {
                nodeid: one["number"] or one.get("ended") or NO_RUN for nodeid, one in self._outcomes.items()
            }
            n_ran = sum(word == RAN for word in words.values())
            lines.append(f"{n_ran:,} of {len(words):,} properties ran the number of examples that it gives")
            lines += _not_in_force("the number", {name: word for name, word in words.items() if word != RAN})
        if self._has_corpus:
            used = [one for one in self._outcomes.values() if one["n_entries"]]
            n_entries, n_unfit = (sum(one[key] for one in used) for key in ("n_entries", "n_unfit"))
            unfit = f"; {n_unfit:,} of them no longer fit and were dropped" if n_unfit else ""
            lines.append(
                f"{n_entries:,} recorded test cases of {len(used):,} properties were replayed first{unfit}"
            )
            words = {name: one["corpus"] for name, one in self._outcomes.items() if one["corpus"]}
            lines += _not_in_force("the corpus", words)
        return lines


def _not_in_force(what: str, words: dict[str, str]) -> list[str]:
    by_reason: dict[str, list[str]] = {}
    for nodeid, reason in words.items():
        by_reason.setdefault(reason, []).append(nodeid)
    lines = []
    for reason, nodeids in by_reason.items():
        more = f" and {len(nodeids) - NAMED:,} more" if len(nodeids) > NAMED else ""
        lines.append(f"{what} is not in force for {', '.join(nodeids[:NAMED])}{more}: {reason}")
    return lines


def _describe_end(run: EngineRun, n: int, wanted: int) -> str:
    """Return `RAN`, or how the engine ended instead."""
    if run.effective == n or run.is_exhausted:
        return RAN
    if "interesting" in run.statuses:
        return "it failed"
    return f"Hypothesis ended it by itself, and not after {wanted:,} examples: {run.stopped_because}"
