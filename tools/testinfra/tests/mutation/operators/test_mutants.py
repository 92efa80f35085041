"""Mutants of a module: their names, their code, and the patch that a person reads."""

from __future__ import annotations

import ast
import random
import warnings
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import atom_testinfra
from atom_testinfra.mutation.operators.mutants import Module, describe_code

SOURCES = sorted(Path(atom_testinfra.__file__).parent.rglob("*.py"))

BEFORE = """
LIMIT = 10

class Cart:
    @property
    def size(self):
        return self._size

    @size.setter
    def size(self, value):
        if value > LIMIT:
            raise ValueError("too many")
        self._size = value
"""


def operators_of(source: str, line: int) -> set[str]:
    """Return the operators that change a line of a source."""
    return {mutant.operator for mutant in Module("m.py", source).mutants if mutant.line == line}


@given(path=st.sampled_from(SOURCES), seed=st.integers(0, 1000))
def test_a_patch_is_the_code_that_is_asked_about(path: Path, seed: int) -> None:
    """The patched source that a person can try compiles to what the worker runs; other lines stay."""
    module = Module("m.py", path.read_text(encoding="utf-8"))
    if not module.mutants:
        return
    mutant = random.Random(seed).choice(module.mutants)
    patched = module.patched(mutant)
    assert ast.dump(ast.parse(patched)) != ast.dump(ast.parse(module.text)) or module.is_same(mutant)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)  # as when a person runs it: Python warns, no more
        written = describe_code(compile(patched, "m.py", "exec", dont_inherit=True, optimize=0))
    asked = describe_code(module.compile(mutant))
    # A long statement that is written on one line has fewer places to stop at; nothing else may differ.
    assert written[2:5] == asked[2:5]
    kept = module.text.splitlines()
    assert patched.splitlines()[: mutant.line - 1] == kept[: mutant.line - 1] or "@" in module.text


def test_a_mutant_that_python_warns_about_compiles_where_warnings_are_errors() -> None:
    """`1[0]` is a mutant like any other, and fails when it runs."""
    module = Module("m.py", "def first(counts):\n    return counts.most_common(1)[0]\n")
    (mutant,) = [one for one in module.mutants if "1[0]" in module.patched(one)]
    with pytest.warns(SyntaxWarning, match="not subscriptable"):
        compile(module.patched(mutant), "m.py", "exec")
    block = module.sites[mutant.index].block
    assert module.compile_function(mutant, block, "m.py") is not None
    module.compile(mutant)


@given(path=st.sampled_from(SOURCES))
def test_no_two_mutants_of_a_module_share_an_id(path: Path) -> None:
    """An id names one mutant."""
    ids = [mutant.id for mutant in Module("m.py", path.read_text(encoding="utf-8")).mutants]
    assert len(ids) == len(set(ids))


@given(n_lines=st.integers(1, 5), name=st.sampled_from(["Cart", "Other"]))
def test_an_edit_elsewhere_changes_no_id(n_lines: int, name: str) -> None:
    """Lines in front of a function, and other functions, leave the names of its mutants alone."""
    edited = "# more\n" * n_lines + "def another(x):\n    return x + 1\n" + BEFORE
    ids = {mutant.id for mutant in Module("m.py", BEFORE).mutants if mutant.function}
    assert ids <= {mutant.id for mutant in Module("m.py", edited).mutants}
    renamed = BEFORE.replace("Cart", name)
    are_same = {mutant.id for mutant in Module("m.py", renamed).mutants if mutant.function} == ids
    assert are_same == (name == "Cart")


def test_a_getter_and_its_setter_are_told_apart() -> None:
    """Two functions of one qualified name have code of their own."""
    module = Module("m.py", BEFORE)
    lines: dict[int, int] = {}
    for mutant in module.mutants:
        block = module.sites[mutant.index].block
        if block.function is not None:
            code = module.compile_function(mutant, block, "m.py")
            assert code is not None
            lines.setdefault(block.line, code.co_argcount)
    assert sorted(lines.values()) == [1, 2]


def test_blocks_of_functions_with_one_name_have_names_of_their_own() -> None:
    """What enters one of them has not entered the other; other functions change nothing."""
    source = BEFORE + "\nif LIMIT:\n    def more(): return 1\nelse:\n    def more(): return 2\n"
    blocks = {mutant.line: mutant.block for mutant in Module("m.py", source).mutants if mutant.function}
    assert blocks == {7: "Cart.size#0", 11: "Cart.size#1:0", 12: "Cart.size#1:1", 13: "Cart.size#1:0"} | {
        16: "more#0",
        18: "more#1:0",
    }
    edited = "def another(x):\n    return x + 1\n" + source
    assert set(blocks.values()) <= {mutant.block for mutant in Module("m.py", edited).mutants}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            "if a < b: raise ValueError('no')",
            {"check", "negation", "comparison", "text", "raise", "exception"},
        ),
        ("return min(a, b)", {"return", "other function", "operand"}),
        ("return deepcopy(a)", {"return", "call"}),
        ("queue.popleft()", {"statement", "other function"}),
        ("total += a", {"statement", "assignment"}),
        ("return query.where(a == b, a > 1)", {"return", "clause", "comparison", "constant"}),
        ("return {'a': a, 'b': b}", {"return", "item", "text"}),
        ("return a[1:b]", {"return", "slice", "constant"}),
        ("return post(a, day=b)", {"return", "argument"}),
        ("return Side.DEBIT if a else Side.CREDIT", {"return", "branch", "other name"}),
        ("return execute('SELECT a FROM t WHERE a AND b FOR UPDATE')", {"return", "call", "sql"}),
        ("return not a", {"return", "negation"}),
        ("return a and b", {"return", "and or", "operand"}),
        ("return [a, *b] + [query]", {"return", "order", "operand"}),
        ("return [one for one in a]", {"return", "empty"}),
        ("return query.order_by(a)", {"return", "order", "clause"}),
        ("return post(a, is_open=a > b)", {"return", "argument", "comparison"}),
        ("return post(a, lines=dict(b))", {"return", "argument", "empty", "call"}),
        ("return post(low=a.low, high=a.high)", {"return", "argument", "other name"}),
        ("return a.side.opposite", {"return", "attribute"}),
        ("query = query.where(a)", {"statement", "clause"}),
    ],
)
def test_operators_resemble_mistakes(line: str, expected: set[str]) -> None:
    """Each line of code can go wrong in the ways in which people get it wrong."""
    source = f"def f(a, b, queue, query, total):\n    {line}\n"
    found = operators_of(source, 2) | operators_of(source, 3)
    assert expected <= found


def test_an_argument_can_be_taken_for_another_of_its_type() -> None:
    """Two arguments with one annotation may be mixed up; one with another annotation may not."""
    source = "def f(rating: float, boost: float, name: str) -> float:\n    return rating * 2\n"
    module = Module("m.py", source)
    changes = {
        module.patched(mutant).splitlines()[1] for mutant in module.mutants if mutant.operator == "other name"
    }
    assert changes == {"    return boost * 2"}


def test_a_member_can_be_compared_with_another_one() -> None:
    """`is not POSTED` becomes `is DRAFT`, where the module names both members."""
    source = "def f(a):\n    if a is not State.POSTED:\n        return State.DRAFT\n"
    module = Module("m.py", source)
    changes = [
        module.patched(one).splitlines()[1] for one in module.mutants if one.operator == "other member"
    ]
    assert changes == ["    if a is State.DRAFT:"]


def test_a_handler_may_ask_for_another_permission() -> None:
    """Annotations are exchanged where a call registers the function, and only among those of one name."""
    source = (
        "@router.get('/')\ndef show(unit: Reading): ...\n\n"
        "@router.post('/')\ndef change(unit: Writing): ...\n\n"
        "def plain(unit: Reading): ...\n"
    )
    module = Module("m.py", source)
    found = {(one.line, module.patched(one)) for one in module.mutants if one.operator == "annotation"}
    assert {line for line, _ in found} == {2, 5}
    assert all(("show(unit: Writing)" in text) != ("change(unit: Reading)" in text) for _, text in found)


def test_handlers_can_swallow_or_pass_on() -> None:
    """An exception is no longer handled, or one that was raised again is lost."""
    source = (
        "def f():\n    try:\n        g()\n    except ValueError:\n        return 1\n"
        "    except TypeError as exc:\n        log()\n        raise KeyError from exc\n"
        "    finally:\n        close()\n"
    )
    module = Module("m.py", source)
    changed = {
        ast.unparse(ast.parse(module.patched(one))) for one in module.mutants if one.operator == "handler"
    }
    assert any("except ValueError:\n        raise" in text for text in changed)
    assert any("except TypeError as exc:\n        pass" in text for text in changed)
    assert any("finally:\n        pass" in text for text in changed)


def test_a_change_that_compiles_to_the_same_code_is_known() -> None:
    """What Python's compiler makes equal cannot be noticed by any test."""
    module = Module("m.py", "def f(a):\n    while a:\n        a = g(a)\n        continue\n    return a\n")
    by_operator = {mutant.operator: module.is_same(mutant) for mutant in module.mutants}
    assert by_operator["return"] is False
    assert by_operator["negation"] is False


def test_decorators_that_a_module_lives_by_stay() -> None:
    """Without `property` a class hardly works; without a cache it does, and that may go unnoticed."""
    source = "class A:\n    @property\n    def a(self): return 1\n    @cached\n    def b(self): return 2\n"
    module = Module("m.py", source)
    removed = [module.patched(one) for one in module.mutants if one.operator == "decorator"]
    assert len(removed) == 1
    assert "@cached" not in removed[0]
    assert "@property" in removed[0]


def test_what_only_a_person_reads_comes_last() -> None:
    """Texts are changed too, and marked: no test has to hold the words of a message."""
    module = Module("m.py", "def f(a):\n    if a: raise ValueError(f'no {a}', 'why')\n    return 1\n")
    assert {one.operator for one in module.mutants if one.is_hidden} == {"text"}
