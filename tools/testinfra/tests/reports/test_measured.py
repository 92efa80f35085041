"""What `testinfra measure` prints at its end."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.made_runs import make_record, make_run

from atom_testinfra.core.config import Targets
from atom_testinfra.core.costs.overview import overview
from atom_testinfra.core.costs.summary import summarise_session
from atom_testinfra.core.records.measurement import Cost, Measurement, Pin
from atom_testinfra.core.vocabulary import Outcome
from atom_testinfra.reports.columns import output_width, tell_apart
from atom_testinfra.reports.measured import render_session


def render(*profiles: tuple[str, list[Measurement]], width: int | None = 80, n_shown: int = 20) -> list[str]:
    """Return what is printed of a session with one run of each profile."""
    runs = [make_run(records, profile=profile) for profile, records in profiles]
    overviews = [overview(runs, profile)[0] for profile, _ in profiles]
    targets = Targets()
    summary = summarise_session(runs, targets)
    shown = render_session(
        summary, overviews, width=width, local_profile=targets.local_profile, n_shown=n_shown
    )
    return [*shown]


def test_a_test_that_fails_alike_under_two_profiles_is_listed_once() -> None:
    """The reason stands once, with the profiles it holds for; markup in a node id stays text."""
    nodeid = "t.py::test_a[[bold]x]"
    failed = [replace(make_record(nodeid, outcome=Outcome.FAILED), reason="why")]
    lines = render(("local", failed), ("ci", failed))
    assert f"  {nodeid} (local, ci): failed: why" in lines
    assert sum(nodeid in line for line in lines) == 1


def test_tests_with_one_reason_are_one_line_and_some_names() -> None:
    """Two hundred lines with the same reason would hide the others."""
    records = [
        replace(make_record(f"t.py::test_{i}", outcome=Outcome.SKIPPED), reason="no server")
        for i in range(40)
    ]
    lines = render(("p", records))
    assert "  40 tests (p): skipped: no server" in lines
    assert "    and 35 more" in lines
    assert len([line for line in lines if "::test_" in line]) == 5


def test_modes_are_named_with_how_many_ran_in_them() -> None:
    """What ran with the collector off is not what others measure with it on."""
    records = [replace(make_record(f"t.py::test_{i}"), modes=["garbage collector off"]) for i in range(2)]
    lines = render(("p", [*records, replace(make_record("t.py::test_2"), modes=["-O"])]))
    told = "figures without that cannot be compared with these"
    assert f"note: 2 properties ran with garbage collector off; {told}" in lines
    assert f"note: 1 property ran with -O; {told}" in lines


def test_node_ids_do_nothing_to_a_terminal() -> None:
    """Control characters are shown as escapes, in the table, in the remarks and in the lists."""
    hostile = "t.py::test_a[\x1b[31m\u202e]"
    records = [make_record(hostile, problems=["odd"]), make_record(f"{hostile}b", outcome=Outcome.FAILED)]
    shown = "\n".join(render(("local", records)))
    assert shown.count(r"test_a[\x1b[31m\u202e]") >= 3
    assert "\x1b" not in shown
    assert "\u202e" not in shown


def test_files_of_one_name_are_told_apart() -> None:
    """A row names the whole test where there is room, so that it can be pasted into pytest."""
    nodeids = ["pkg_a/tests/test_same.py::test_sorted", "pkg_b/tests/test_same.py::test_sorted"]
    for width in (None, 300):
        lines = render(("p", [make_record(nodeid) for nodeid in nodeids]), width=width)
        assert {line.split()[-1] for line in lines if "::test_sorted" in line} >= {*nodeids}


def test_a_pipe_has_no_width(monkeypatch: pytest.MonkeyPatch) -> None:
    """`COLUMNS` is respected; without it and without a terminal nothing is cut, however long it is."""
    monkeypatch.delenv("COLUMNS", raising=False)
    assert output_width() is None
    monkeypatch.setenv("COLUMNS", "132")
    assert output_width() == 132
    monkeypatch.setenv("COLUMNS", "wide")
    assert output_width() is None
    long = f"t.py::test_a[{'x' * 5000}]"
    assert any(line.endswith(long) for line in render(("p", [make_record(long)]), width=None))
    rows = [line for line in render(("p", [make_record(long)]), width=120) if "x]" in line and " ms" in line]
    assert rows
    assert all(len(line) <= 120 for line in rows[:1])


@given(
    st.lists(st.text("ab/:[]", min_size=1, max_size=60), unique=True, max_size=12),
    st.integers(24, 60),
)
def test_labels_are_short_and_different(names: list[str], room: int) -> None:
    """What differs stays different, also where only the middle of a long name says so; what fits is kept."""
    labels = tell_apart(names, room)
    assert len({*labels}) == len(names)
    assert all(len(label) <= room for label in labels)
    assert all(label == name for label, name in zip(labels, names, strict=True) if len(name) <= room)


def test_variants_that_differ_in_the_middle_are_told_apart() -> None:
    """Neither the beginning nor the end of these says which is which."""
    names = [f"tests/a.py::test_{'x' * 80}[{i}-{'y' * 80}]" for i in range(3)]
    assert len({*tell_apart(names, 40)}) == 3


def test_the_table_adds_up() -> None:
    """Totals are those of all rows, also of those that are not shown."""
    records = [make_record(f"t.py::test_{i}") for i in range(4)]
    lines = render(("p", records), n_shown=1, width=None)
    assert lines[0] == "p: 4 properties, slowest first; wall time of one run, teardown included"
    rows = [line.split() for line in lines[2:5]]
    one, others, all_of_them = (float(row[0]) for row in rows)
    assert others == pytest.approx(3 * one, rel=0.01)
    assert all_of_them == pytest.approx(4 * one, rel=0.01)
    assert "3 quicker ones (--top 4 shows all)" in lines[3]


def test_one_of_many_alike_is_not_worth_a_look() -> None:
    """Of 30 properties that cost the same none stands out; twice the average does, and so does a tenth."""
    alike = [make_record(f"t.py::test_{i}") for i in range(30)]
    assert render(("p", alike))[-1].endswith("testinfra measure --baseline")
    slow = replace(make_record("t.py::test_slow"), call=Cost(wall_s=4.0, cpu_s=2.0))
    assert render(("p", [*alike, slow]))[-1].endswith("--explain t.py::test_slow")
    assert "--explain" in render(("p", alike[:10]))[-1]


def test_the_next_step_is_one_command() -> None:
    """What dominates is explained first; a failure goes before it; where nothing stands out, a baseline."""
    records = [make_record(f"t.py::test_{i}") for i in range(3)]
    assert render(("p", records))[-1].startswith(
        "Next: 33 % of the time is one property; see where it goes: "
    )
    assert render(("p", records))[-1].endswith("testinfra measure --explain t.py::test_0")
    failed = make_record("t.py::test_wrong[a b]", outcome=Outcome.FAILED)
    why, quoted = "Next: see why it fails: ", "'t.py::test_wrong[a b]'"
    for profile in ("as-is", "custom", "local"):
        assert render((profile, [*records, failed]))[-1] == f"{why}pytest {quoted}"
    only_in_ci = (
        f"{why}testinfra measure --profile ci -- {quoted}"  # plain pytest does not have its environment
    )
    assert render(("local", records), ("ci", [*records, failed]))[-1] == only_in_ci


@pytest.mark.parametrize(
    ("n_ran", "own", "said"),
    [
        (500, 500, "500 examples take 2.00 s, 600 ms less (t.py:7)"),
        (200, 500, "200 examples, not its own 500, take 2.00 s (t.py:7)"),
        (200, 200, "200 examples take 2.00 s (t.py:7)"),
        (1, 1, "1 example takes 2.00 s (t.py:7)"),
    ],
)
def test_a_pin_is_told_with_what_ran_and_its_cost(n_ran: int, own: int, said: str) -> None:
    """The examples that ran, which a policy may have changed; what the usual number saves, if anything."""
    pinned = make_record("t.py::test_pinned", n_valid=n_ran)
    assert pinned.hypothesis is not None
    cost = replace(
        pinned.hypothesis, effective=n_ran, configured=n_ran, pin=Pin(max_examples=own, path="t.py", line=7)
    )
    pinned = replace(pinned, hypothesis=cost)
    lines = render(("p", [pinned, make_record("t.py::test_free")]), width=None)
    assert f"    t.py::test_pinned: {said}" in lines
    saved = "; with 200 examples, like the others, 600 ms less" if n_ran == 500 else ""
    assert f"  2.00 s in 1 pinned property{saved}" in lines


def test_how_many_examples_fit_is_told_only_where_it_is_known() -> None:
    """A suite in which no cost follows the examples fits any time, with any number of them."""
    found, suite = overview([make_run([make_record("t.py::test_a", n_valid=7)], profile="p")], "p")
    summary = summarise_session([make_run([], profile="p")], Targets())
    lines = [*render_session(summary, [found], width=None, local_profile="local", fit=(suite, 30.0))]
    why = "the cost model holds for none of the properties"
    assert f"  how many examples fit into 30.0 s cannot be said: {why}" in lines
