"""
How many faults written by hand an operator of `testinfra mutate` makes: `make bench-mutate-operators`.

A fault counts when a mutant is the same code as the fault, but for statements that do nothing: `pass`, and a
branch that is empty or that a constant decides.
"""

from __future__ import annotations

import argparse
import ast
import copy
import sys
from collections import Counter
from pathlib import Path

from evidence import ROOT, save, table

from atom_testinfra.mutation.operators.mutants import Module
from atom_testinfra.mutation.operators.written import WrittenFault, apply_written, load_written
from atom_testinfra.mutation.product import Product

BY_HAND = Path("benchmarks/subjects/faults/by_hand.toml")
ASKED_PERCENT = 75.0


def main() -> int:
    """Compare, report; 1 if operators make too few of the faults."""
    parser = argparse.ArgumentParser(description="Faults written by hand that an operator makes.")
    parser.add_argument("--keep", action="store_true", help="write benchmarks/results/")
    parser.add_argument("--missing", action="store_true", help="print the faults that no operator makes")
    arguments = parser.parse_args()
    faults = load_written(ROOT / BY_HAND)
    product = Product(ROOT, [ROOT / "backend/src/atom"])
    modules = {module.path: module for module in map(product.read, product.files)}
    apply_written(faults, {path: Module(path, module.text) for path, module in modules.items()})
    operators: Counter[str] = Counter()
    missing = []
    for fault in faults:
        operator = find_operator(modules[fault.path], fault)
        if operator is None:
            missing.append(fault)
        else:
            operators[operator] += 1
    n_made = sum(operators.values())
    percent = 100.0 * n_made / len(faults)
    if arguments.missing:
        for fault in missing:
            sys.stdout.write(f"{fault.path}: {fault.says}\n- {fault.before}\n+ {fault.after}\n\n")
    rows = [[operator, str(n)] for operator, n in operators.most_common()]
    text = f"{n_made} of {len(faults)} ({percent:.1f} %).\n\n{table(['operator', 'faults'], rows)}"
    figures = {"n_faults": len(faults), "n_made": n_made, "by_operator": dict(operators)}
    if arguments.keep:
        save("mutate_operators", "make bench-mutate-operators KEEP=--keep", figures, text)
    else:
        sys.stdout.write(f"{text}\n")
    return int(percent < ASKED_PERCENT)


def find_operator(module: Module, fault: WrittenFault) -> str | None:
    """Return the operator that makes a fault, `None` where there is none."""
    wanted = write(ast.parse(module.text.replace(fault.before, fault.after)))
    first = module.text[: module.text.index(fault.before)].count("\n") + 1
    last = first + fault.before.count("\n")
    for mutant in module.mutants:
        site = module.sites[mutant.index]
        if mutant.line <= last and first <= (site.statement.end_lineno or mutant.line):
            undo = site.change()
            made = write(module.tree)
            undo()
            if made == wanted:
                return mutant.operator
    return None


def write(tree: ast.Module) -> str:
    """Return what a module does, without statements that do nothing."""
    plain = ast.Module(body=_plain(tree.body), type_ignores=[])
    return ast.unparse(plain)


def _plain(body: list[ast.stmt]) -> list[ast.stmt]:
    found: list[ast.stmt] = []
    for node in body:
        copied = copy.copy(node)
        for name in ("body", "orelse", "finalbody"):
            if isinstance(getattr(copied, name, None), list):
                setattr(copied, name, _plain(getattr(copied, name)))
        if isinstance(copied, ast.Pass):
            continue
        if isinstance(copied, ast.If):
            if isinstance(copied.test, ast.Constant):
                found += copied.body if copied.test.value else copied.orelse
                continue
            if not copied.body and not copied.orelse:
                continue
        found.append(copied)
    return found


if __name__ == "__main__":
    sys.exit(main())
