"""The mutants of one module: what each is called, what it changes, and its code."""

from __future__ import annotations

import ast
import copy
import difflib
import hashlib
import warnings
from collections import Counter
from functools import cached_property, partial
from typing import TYPE_CHECKING, cast

import msgspec
from msgspec import Raw

from atom_testinfra.core.mutants import Mutant
from atom_testinfra.mutation.operators.imported import imported_names
from atom_testinfra.mutation.operators.sites import Block, Definition, Site, walk_blocks
from atom_testinfra.mutation.operators.statements import find_sites
from atom_testinfra.storage.known_files import UNKNOWN, KnownFile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import CodeType

COMPOUND = ast.If | ast.While | ast.For | ast.AsyncFor | ast.With | ast.AsyncWith | ast.ClassDef | Definition
BODIES = ("body", "orelse", "handlers", "finalbody")


class Module:
    """A module of the product, parsed at most once, with everything that an operator can change in it."""

    def __init__(self, path: str, text: str, known: KnownFile | None = None) -> None:
        """
        `path` names it from the project's root; `text` is its source. What is `known` is not found again.

        Raises:
            SyntaxError: It is not valid Python.
            ValueError: It contains a null byte.
        """
        self.path = path
        self.text = text
        self._known = known or KnownFile()
        if self._known.imports is None:
            self._known.imports = imported_names(path, self.tree)
        self._written: dict[int, str] = {}
        self._own_codes: dict[int, tuple[object, ...] | None] = {}

    @cached_property
    def tree(self) -> ast.Module:
        """The syntax tree of the source."""
        return ast.parse(self.text)

    @property
    def imports(self) -> list[str]:
        """What the import statements name, with dots."""
        return self._known.imports or []

    @cached_property
    def sites(self) -> list[Site]:
        """Every change, in the order of the source."""
        return list(find_sites(self.tree))

    def prepare(self) -> None:
        """Find every change, so that copies of this process need not."""
        _ = self.sites

    @cached_property
    def mutants(self) -> list[Mutant]:
        """A mutant for each change."""
        if self._known.mutants == UNKNOWN:
            self._known.mutants = Raw(msgspec.json.encode(self._find_mutants()))
        return msgspec.json.decode(self._known.mutants, type=list[Mutant])

    def _find_mutants(self) -> list[Mutant]:
        statements: dict[int, tuple[int, str]] = {}
        seen: Counter[tuple[str, str, str]] = Counter()
        found = []
        for index, site in enumerate(self.sites):
            node = site.statement
            if id(node) not in statements:
                statements[id(node)] = len(statements), _digest(_head_text(node))
            number, digest = statements[id(node)]
            name = site.block.function or ""
            seen[name, site.operator, digest] += 1
            ordinal = seen[name, site.operator, digest]
            found.append(
                Mutant(
                    id=_digest(f"{self.path}\n{name}\n{site.operator}\n{ordinal}\n{digest}"),
                    path=self.path,
                    function=site.block.function,
                    block=site.block.key,
                    line=node.lineno,
                    end_line=_head_end(node),
                    operator=site.operator,
                    is_hidden=site.is_hidden,
                    index=index,
                    statement=number,
                )
            )
        return found

    def add(self, site: Site, text: str) -> Mutant:
        """Add a change that a person wrote down; `text` is the whole source with it."""
        node, index = site.statement, len(self.sites)
        self.sites.append(site)
        self._written[index] = text
        return Mutant(
            id=_digest(f"{self.path}\n{site.operator}\n{text}"),
            path=self.path,
            function=site.block.function,
            block=site.block.key,
            line=node.lineno,
            end_line=_head_end(node),
            operator=site.operator,
            is_hidden=False,
            index=index,
            statement=-1 - len(self._written),
        )

    @property
    def functions(self) -> dict[str, str]:
        """Digest of the source of each function that is not inside of another one, and of all the rest."""
        if self._known.functions is None:
            self._known.functions = self._digest_functions()
        return self._known.functions

    def _digest_functions(self) -> dict[str, str]:
        whole = ast.parse(self.text)  # much quicker than a copy of the tree
        digests: dict[str, str] = {}
        for body, block in list(walk_blocks(whole)):
            if block.function is not None and block.ordinal == 0:
                digests[block.function] = _digest(digests.get(block.function, "") + _dump(body))
                body.clear()
        return digests | {"": _digest(ast.dump(whole))}

    def compile(self, mutant: Mutant | None, filename: str = "") -> CodeType:
        """Return the code of the module, changed or as it is, with the lines of its source."""
        with _Changed(self.sites[mutant.index] if mutant else None):
            return _compile(self.tree, filename or self.path)

    def compile_function(self, mutant: Mutant | None, block: Block, filename: str) -> CodeType | None:
        """Return the code of one function, changed or as it is, without compiling the rest of the module."""
        with _Changed(self.sites[mutant.index] if mutant else None):
            tree = ast.Module(
                body=[*_future_imports(self.tree), *_only(self.tree.body, block)], type_ignores=[]
            )
            code = _compile(tree, filename)
        assert block.function is not None
        codes = find_codes(code, block.function)
        return next((found for found in codes if found.co_firstlineno == block.line), None)

    def is_same(self, mutant: Mutant) -> bool:
        """Return whether a mutant compiles to the code that was there before."""
        if not self.is_known_same(mutant) and self._compiles_to_same(mutant):
            self.note_same(mutant)
        return self.is_known_same(mutant)

    def is_known_same(self, mutant: Mutant) -> bool:
        """Return whether `is_same` or a worker has found that out before; nothing is compiled."""
        return mutant.id in self._known.same

    def note_same(self, mutant: Mutant) -> None:
        """Keep that a mutant compiles to the code that was there before."""
        self._known.same.add(mutant.id)

    def _compiles_to_same(self, mutant: Mutant) -> bool:
        block = self.sites[mutant.index].block
        if block.function is None:
            return describe_code(self.compile(mutant)) == self._describe_own(block)
        changed = self.compile_function(mutant, block, self.path)
        return changed is not None and describe_code(changed) == self._describe_own(block)

    def _describe_own(self, block: Block) -> tuple[object, ...] | None:
        """Return what the unchanged code around a block does: of its function, else of the module."""
        if block.line not in self._own_codes:
            is_outside = block.function is None
            code = self.compile(None) if is_outside else self.compile_function(None, block, self.path)
            self._own_codes[block.line] = None if code is None else describe_code(code)
        return self._own_codes[block.line]

    def patched(self, mutant: Mutant) -> str:
        """Return the source of the module with the change, and every other line as it is."""
        if mutant.index in self._written:
            return self._written[mutant.index]
        site = self.sites[mutant.index]
        node = site.statement
        place, bodies = _place_of(self.tree, node), _bodies(node)
        with _Changed(site):
            after = place()
            is_head = after is node and _has_head(node) and _bodies(after) == bodies
            written = _head_text(after) if is_head else ast.unparse(after)
        lines = self.text.splitlines(keepends=True)
        first, last = _first_line(node), _head_end(node) if is_head else node.end_lineno or node.lineno
        indent = lines[node.lineno - 1][: node.col_offset]
        new = "".join(f"{indent}{line}\n" for line in written.splitlines())
        return "".join([*lines[: first - 1], new, *lines[last:]])

    def difference(self, mutant: Mutant) -> str:
        """Return the change as a unified diff without context."""
        before, after = self.text.splitlines(), self.patched(mutant).splitlines()
        lines = difflib.unified_diff(before, after, f"a/{self.path}", f"b/{self.path}", n=1, lineterm="")
        return "\n".join(lines)


class _Changed:
    """The tree with a change for as long as the context lasts."""

    def __init__(self, site: Site | None) -> None:
        self._site = site

    def __enter__(self) -> None:
        self._undo = self._site.change() if self._site else lambda: None

    def __exit__(self, *_: object) -> None:
        self._undo()


def find_codes(code: CodeType, name: str) -> Iterator[CodeType]:
    """Yield the code objects of a qualified name, at any depth."""
    for constant in code.co_consts:
        if isinstance(constant, type(code)):
            if constant.co_qualname == name:
                yield constant
            yield from find_codes(constant, name)


def describe_code(code: CodeType) -> tuple[object, ...]:
    """Return what a code object does, without where it stands in its file."""
    constants = tuple(
        describe_code(constant) if isinstance(constant, type(code)) else (type(constant), repr(constant))
        for constant in code.co_consts
    )
    return (
        code.co_code,
        constants,
        code.co_names,
        code.co_varnames,
        code.co_freevars,
        code.co_cellvars,
        code.co_flags,
        code.co_exceptiontable,
    )


def _future_imports(tree: ast.Module) -> list[ast.stmt]:
    return [node for node in tree.body if isinstance(node, ast.ImportFrom) and node.module == "__future__"]


def _only(body: list[ast.stmt], block: Block) -> list[ast.stmt]:
    """Return the statement of a body that holds the function, and of classes around it nothing else."""
    for node in body:
        if _first_line(node) <= block.line <= (node.end_lineno or node.lineno):
            if isinstance(node, Definition):
                return [node]
            if isinstance(node, ast.ClassDef):
                inner = copy.copy(node)
                inner.body, inner.decorator_list = _only(node.body, block) or [ast.Pass()], []
                return [ast.fix_missing_locations(inner)]
            return [node]
    return []


def _place_of(tree: ast.Module, statement: ast.stmt) -> Callable[[], ast.stmt]:
    """Return what says which statement stands at this one's place."""
    for body, _ in walk_blocks(tree):
        for index, node in enumerate(body):
            if node is statement:
                return partial(body.__getitem__, index)
    raise LookupError(f"no statement at line {statement.lineno}")


def _bodies(node: ast.stmt) -> list[list[int]]:
    """Return the identities of the statements in a compound statement's bodies."""
    return [list(map(id, getattr(node, name, ()))) for name in BODIES]


def _has_head(node: ast.stmt) -> bool:
    """Return whether a statement has a body that begins on a line of its own."""
    return isinstance(node, COMPOUND) and _first_line(node.body[0]) > node.lineno


def _first_line(node: ast.stmt) -> int:
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return min([node.lineno, *(decorator.lineno for decorator in decorators)])


def _head_end(node: ast.stmt) -> int:
    """Return the last line of what a compound statement says before its body; of others, their last line."""
    if _has_head(node):
        return _first_line(cast("ast.If", node).body[0]) - 1
    return node.end_lineno or node.lineno


def _head_text(node: ast.stmt) -> str:
    """Return the source of a statement without the bodies of a compound one."""
    if not isinstance(node, COMPOUND):
        return ast.unparse(node)
    head = copy.copy(node)
    for name in BODIES:
        if hasattr(head, name):
            setattr(head, name, [ast.Pass()] if name == "body" else [])
    return "\n".join(ast.unparse(head).splitlines()[:-1])


def _dump(body: list[ast.stmt]) -> str:
    return "\n".join(map(ast.dump, body))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _compile(tree: ast.Module, filename: str) -> CodeType:
    """Return the code without a warning about it (`1[0]`), which a project may make an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)
        return compile(tree, filename, "exec", dont_inherit=True)
