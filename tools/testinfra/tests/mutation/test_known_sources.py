"""What is found in source files is kept, and found again where a file changed."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

from atom_testinfra.mutation import operators
from atom_testinfra.mutation.imports import ImportGraph
from atom_testinfra.mutation.operators.mutants import Module
from atom_testinfra.mutation.product import Product
from atom_testinfra.mutation.states import States


def find_all(root: Path) -> tuple[dict[str, Any], list[str]]:
    """Return what is found in the sources of a project, and the files that were parsed for it."""
    product = Product(root, [root / "src"], root / "sources.json")
    parsed: list[str] = []
    real = ast.parse

    def parse(source: Any, *arguments: Any, **options: Any) -> Any:
        parsed.append(source if isinstance(source, str) else source.decode())
        return real(source, *arguments, **options)

    ast.parse = parse
    try:
        modules = {module.path: module for module in map(product.read, product.files)}
        states = States(product, modules, root)
        graph = ImportGraph(modules, states.files)
        found: dict[str, Any] = {"failing": states.of_failing("tests/test_a.py::test_a")}
        for path, module in modules.items():
            found[path] = module.mutants, module.functions, graph.files_importing(path)
    finally:
        ast.parse = real
    product.known.save()
    return found, parsed


def test_a_file_that_is_as_it_was_is_not_parsed_again(tmp_path: Path) -> None:
    """Kept results equal those of parsing, and a file that changed is parsed again."""
    package = Path(operators.__file__).parent
    (tmp_path / "src/shop").mkdir(parents=True)
    (tmp_path / "tests").mkdir()
    (tmp_path / "src/shop/__init__.py").write_text("", encoding="utf-8")
    for name in ("sites.py", "written.py"):
        text = (
            (package / name).read_text(encoding="utf-8").replace("atom_testinfra.mutation.operators", "shop")
        )
        (tmp_path / "src/shop" / name).write_text(text, encoding="utf-8")
    test = tmp_path / "tests/test_a.py"
    test.write_text("from shop.written import put_back\n", encoding="utf-8")
    (tmp_path / "tests/test_broken.py").write_text("def (:\n", encoding="utf-8")
    first, parsed = find_all(tmp_path)
    assert len(parsed) >= 5
    assert first["src/shop/sites.py"][2] == {"tests/test_a.py"}
    again, parsed = find_all(tmp_path)
    assert again == first
    assert parsed == []

    test.write_text("import json\n", encoding="utf-8")
    changed = tmp_path / "src/shop/sites.py"
    changed.write_text(
        changed.read_text(encoding="utf-8").replace("return False", "return 0"), encoding="utf-8"
    )
    other, parsed = find_all(tmp_path)
    assert "import json\n" in parsed
    assert other["src/shop/sites.py"][2] == frozenset()
    assert other["src/shop/sites.py"][1]["is_inert"] != first["src/shop/sites.py"][1]["is_inert"]
    assert other["src/shop/written.py"][:2] == first["src/shop/written.py"][:2]
    assert other["failing"] != first["failing"]


def test_a_mutant_that_changes_no_code_is_compiled_once(tmp_path: Path) -> None:
    """Its id is kept, and the next session does not compile it."""
    (tmp_path / "shop.py").write_text("def price():\n    return 1 if True else 2\n", encoding="utf-8")

    def read() -> tuple[Product, Module]:
        product = Product(tmp_path, [tmp_path / "shop.py"], tmp_path / "sources.json")
        return product, product.read(tmp_path / "shop.py")

    product, module = read()
    same = [mutant.id for mutant in module.mutants if module.is_same(mutant)]
    assert 0 < len(same) < len(module.mutants)
    product.known.save()
    _, again = read()
    again.text = "return"  # compiling it would fail
    assert [again.is_same(mutant) for mutant in again.mutants if mutant.id in same] == [True] * len(same)
