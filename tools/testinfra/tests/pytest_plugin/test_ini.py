"""The `hypothesis_*` options of pytest's configuration file are real: changing one changes the run."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from tests.versions import since_hypothesis

from atom_testinfra.pytest_plugin.internals import current_profile

if TYPE_CHECKING:
    from collections.abc import Iterator

PROBE = """
    import os
    from hypothesis import given, settings, strategies as st

    @given(st.integers())
    def test_property(x):
        pass

    def test_show():
        s = settings.default
        names = sorted(check.name for check in s.suppress_health_check)
        print("PROBE", settings._current_profile, s.max_examples, s.deadline, s.database, names)
        print("ENV", os.environ.get("HYPOTHESIS_MAX_EXAMPLES"), os.environ.get("HYPOTHESIS_MAX_EXAMPLES_CI"))
"""


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, few_plugins: None) -> None:
    for name in ("CI", "HYPOTHESIS_MAX_EXAMPLES", "HYPOTHESIS_MAX_EXAMPLES_CI"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def _default_profile() -> Iterator[None]:
    """A run in this process begins as one in a new process does, and leaves the profile of these tests."""
    before = current_profile()
    assert before is not None
    settings.load_profile("default")
    yield
    settings.load_profile(before)


def run(pytester: pytest.Pytester, ini: str, *arguments: str) -> pytest.RunResult:
    """Run the probe in this process under `ini`."""
    pytester.makeini("[pytest]\n" + ini)
    pytester.makepyfile(test_probe=PROBE)
    return pytester.runpytest_inprocess(
        "-p", "no:cacheprovider", "-s", "--hypothesis-show-statistics", *arguments
    )


def probe(result: pytest.RunResult, tag: str = "PROBE") -> str:
    """Return what the probe printed."""
    (line,) = [line for line in result.outlines if f"{tag} " in line]
    return line.partition(f"{tag} ")[2]


def test_max_examples_reaches_every_unpinned_property(pytester: pytest.Pytester) -> None:
    """The number in the file is the number of examples that Hypothesis says it ran."""
    result = run(pytester, "hypothesis_max_examples = 17")
    assert probe(result).startswith("ini 17 ")
    result.stdout.fnmatch_lines(["*settings.max_examples=17*"])


@pytest.mark.parametrize(
    ("ci", "expected"), [("true", "ini 9 "), ("1", "ini 9 "), ("false", "ini 17 "), ("0", "ini 17 ")]
)
def test_max_examples_ci_counts_where_ci_is_true(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, ci: str, expected: str
) -> None:
    """`CI=false` and `CI=0` are not CI."""
    monkeypatch.setenv("CI", ci)
    result = run(pytester, "hypothesis_max_examples = 17\nhypothesis_max_examples_ci = 9")
    assert probe(result).startswith(expected)


def test_the_ci_count_may_come_from_the_environment_alone(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The header shows the number that runs, also where no ini option names it."""
    monkeypatch.setenv("CI", "true")
    monkeypatch.setenv("HYPOTHESIS_MAX_EXAMPLES_CI", "9")  # as pytest-env does, before the profile is made
    result = run(pytester, "hypothesis_max_examples = 17", "-v")
    assert probe(result).startswith("ini 9 ")
    result.stdout.fnmatch_lines(["hypothesis profile 'ini' -> *max_examples=9*"])


@pytest.mark.parametrize(("ci", "is_told"), [("true", True), ("false", False)])
def test_a_number_that_is_not_in_force_is_named(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, ci: str, *, is_told: bool
) -> None:
    """`CI=true HYPOTHESIS_MAX_EXAMPLES=33` runs the number for CI, and the header says so."""
    monkeypatch.setenv("CI", ci)
    monkeypatch.setenv("HYPOTHESIS_MAX_EXAMPLES", "33")
    result = run(pytester, "hypothesis_max_examples = 17\nhypothesis_max_examples_ci = 9")
    line = "HYPOTHESIS_MAX_EXAMPLES=33 is not in force, because CI is true: HYPOTHESIS_MAX_EXAMPLES_CI=9 is"
    assert (line in result.outlines) is is_told
    assert probe(result).startswith("ini 9 " if is_told else "ini 33 ")


def test_without_an_option_the_profile_stays_hypothesis_own(pytester: pytest.Pytester) -> None:
    """A project that sets none of the options is left as it is."""
    assert probe(run(pytester, "")).startswith("default 100 ")


def test_without_an_option_hypothesis_is_not_imported(pytester: pytest.Pytester) -> None:
    """The plugin costs a suite without properties no import."""
    pytester.makepyfile("import sys\ndef test_x():\n    assert 'hypothesis' not in sys.modules")
    pytester.runpytest_subprocess().assert_outcomes(passed=1)


@pytest.mark.parametrize(("text", "expected"), [("None", "None"), ("1500", "0:00:01.500000")])
def test_deadline_is_none_or_milliseconds(pytester: pytest.Pytester, text: str, expected: str) -> None:
    """The deadline of the file is the deadline of the settings."""
    assert f" {expected} " in probe(run(pytester, f"hypothesis_deadline = {text}"))


def test_a_short_deadline_fails_a_slow_example(pytester: pytest.Pytester) -> None:
    """The option is enforced by Hypothesis, not only shown."""
    pytester.makeini("[pytest]\nhypothesis_deadline = 5")
    pytester.makepyfile(
        """
        import time
        from hypothesis import given, strategies as st

        @given(st.just(0))
        def test_slow(x):
            time.sleep(0.05)
        """
    )
    result = pytester.runpytest_inprocess()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*DeadlineExceeded*"])


def test_database_is_a_folder_below_the_rootdir(pytester: pytest.Pytester) -> None:
    """A failing example is saved in the folder that the file names."""
    pytester.makeini("[pytest]\nhypothesis_database = kept/examples")
    pytester.makepyfile(
        """
        from hypothesis import given, strategies as st

        @given(st.integers())
        def test_fails(x):
            assert x < 10
        """
    )
    pytester.runpytest_inprocess().assert_outcomes(failed=1)
    assert list((pytester.path / "kept/examples").rglob("*"))


def test_database_none_keeps_nothing(pytester: pytest.Pytester) -> None:
    """`None` turns the example database off."""
    assert " None [" in probe(run(pytester, "hypothesis_database = None"))


@pytest.mark.parametrize(
    "text",
    [
        "[too_slow, data_too_large]",
        "['too_slow', 'data_too_large']",
        "too_slow data_too_large",
        "\n    too_slow\n    HealthCheck.data_too_large",
    ],
)
def test_health_checks_are_suppressed_by_name(pytester: pytest.Pytester, text: str) -> None:
    """Every spelling of the list means the same."""
    result = run(pytester, f"hypothesis_suppress_health_check = {text}")
    assert probe(result).endswith("['data_too_large', 'too_slow']")


def test_all_suppresses_every_health_check(pytester: pytest.Pytester) -> None:
    """`all` includes a check that would stop the run: a function-scoped fixture."""
    pytester.makeini("[pytest]\nhypothesis_suppress_health_check = all")
    pytester.makepyfile(
        """
        from hypothesis import given, strategies as st

        @given(st.integers())
        def test_property(tmp_path, x):
            pass
        """
    )
    pytester.runpytest_inprocess().assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("hypothesis_max_examples = many", "hypothesis_max_examples: 'many' is not a whole number*"),
        ("hypothesis_max_examples = 0", "hypothesis_max_examples: '0' is not a whole number*"),
        ("hypothesis_max_examples =", "hypothesis_max_examples: '' is not a whole number*"),
        ("hypothesis_max_examples_ci = -5", "hypothesis_max_examples_ci: '-5' is not a whole number*"),
        ("hypothesis_deadline = soon", "hypothesis_deadline: 'soon' is not None or a number*"),
        ("hypothesis_deadline = nan", "hypothesis_deadline: 'nan' is not None or a number*"),
        ("hypothesis_database = test_probe.py", "hypothesis_database: 'test_probe.py' is not None*"),
        (
            "hypothesis_suppress_health_check = [to_slow]",
            "hypothesis_suppress_health_check: 'to_slow' is not*too_slow*",
        ),
    ],
)
def test_a_wrong_value_is_a_usage_error(pytester: pytest.Pytester, line: str, message: str) -> None:
    """The message names the option, the value and what would be right; there is no traceback."""
    result = run(pytester, line)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {message}"])
    result.stderr.no_fnmatch_line("*Traceback*")


def test_strict_config_accepts_the_options(pytester: pytest.Pytester) -> None:
    """The options are declared."""
    ini = "hypothesis_max_examples = 5\nhypothesis_deadline = None\nhypothesis_database = .hypothesis/"
    assert run(pytester, ini, "--strict-config", "--strict-markers").ret == pytest.ExitCode.OK


def test_pytest_env_expands_the_exported_counts(pytester: pytest.Pytester) -> None:
    """The `env` section may name the counts: they are in the environment before it is read."""
    ini = "hypothesis_max_examples = 17\nenv =\n    SHOWN={HYPOTHESIS_MAX_EXAMPLES}"
    pytester.makepyfile("import os\ndef test_x():\n    assert os.environ['SHOWN'] == '17'")
    pytester.makeini("[pytest]\n" + ini)
    pytester.runpytest_subprocess("-p", "env").assert_outcomes(passed=1)


def test_environment_beats_the_file_and_a_flag_beats_both(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Precedence: file < environment < command line."""
    assert probe(run(pytester, "hypothesis_max_examples = 17"), "ENV") == "17 None"
    monkeypatch.setenv("HYPOTHESIS_MAX_EXAMPLES", "13")
    result = run(pytester, "hypothesis_max_examples = 17")
    assert (probe(result, "ENV"), probe(result)[:7]) == ("13 None", "ini 13 ")
    result = run(pytester, "hypothesis_max_examples = 17", "-o", "hypothesis_max_examples=11")
    assert (probe(result, "ENV"), probe(result)[:7]) == ("11 None", "ini 11 ")


@since_hypothesis("6.131")  # which has a profile `ci` of its own
def test_a_chosen_profile_beats_the_file(pytester: pytest.Pytester) -> None:
    """`--hypothesis-profile` and a conftest that loads a profile are later, more specific choices."""
    result = run(pytester, "hypothesis_max_examples = 17", "--hypothesis-profile", "ci")
    assert probe(result).startswith("ci 100 ")
    pytester.makeconftest(
        """
        from hypothesis import settings
        settings.register_profile("own", max_examples=21)
        settings.load_profile("own")
        """
    )
    assert probe(run(pytester, "hypothesis_max_examples = 17")).startswith("own 21 ")


@pytest.mark.integration
def test_the_profile_reaches_workers(pytester: pytest.Pytester) -> None:
    """Under xdist the workers run with the options too, `-o` included."""
    pytester.makeini("[pytest]\nhypothesis_max_examples = 17")
    pytester.makepyfile(
        """
        from hypothesis import settings

        def test_show():
            assert settings.default.max_examples == 6
        """
    )
    result = pytester.runpytest_subprocess("-n1", "-o", "hypothesis_max_examples=6")
    result.assert_outcomes(passed=1)


def test_a_session_leaves_the_process_as_it_was(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A nested session inside a test neither keeps its profile loaded nor its variables set."""
    before = current_profile()
    pytester.makeini("[pytest]\nhypothesis_max_examples = 17")
    pytester.makepyfile("def test_x(): pass")
    pytester.runpytest_inprocess().assert_outcomes(passed=1)
    assert current_profile() == before
    assert "HYPOTHESIS_MAX_EXAMPLES" not in os.environ


@pytest.mark.parametrize("table", ["pytest", "pytest.ini_options"])
@pytest.mark.parametrize("quote", ["", '"'])
def test_a_number_of_toml_is_a_number(pytester: pytest.Pytester, table: str, quote: str) -> None:
    """In pytest's own table, which is new in pytest 9, and in the older one; as a number or as text."""
    if table == "pytest" and pytest.version_tuple < (9,):
        pytest.skip("pytest 9 reads [tool.pytest]")
    pytester.makepyprojecttoml(
        f"[tool.{table}]\n"
        f"hypothesis_max_examples = {quote}17{quote}\n"
        f"hypothesis_deadline = {quote}250.5{quote}\n"
    )
    pytester.makepyfile(test_probe=PROBE)
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider", "-s", "-W", "error")
    assert probe(result).startswith("ini 17 0:00:00.250500 ")


def test_true_is_not_a_number_of_toml(pytester: pytest.Pytester) -> None:
    """Python takes it for 1."""
    pytester.makepyprojecttoml("[tool.pytest]\nhypothesis_max_examples = true\n")
    pytester.makepyfile(test_probe=PROBE)
    if pytest.version_tuple >= (9,):
        assert pytester.runpytest_inprocess("-p", "no:cacheprovider").ret != 0
