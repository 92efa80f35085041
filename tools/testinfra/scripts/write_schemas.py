"""Write the JSON Schemas that are shipped with the package, from the types in its code."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
from typing import Any

import msgspec

from atom_testinfra.core.costs.baseline import SCHEMA, SCHEMA_VERSION, Baseline
from atom_testinfra.core.records.measurement import RunLine
from atom_testinfra.core.vocabulary import RUN_SCHEMA_VERSION
from atom_testinfra.storage.baseline import SCHEMA_FILE
from atom_testinfra.storage.runs import RUN_SCHEMA_FILE

FOLDER = Path(str(resources.files("atom_testinfra.storage"))) / "schemas"


def make_schema(kind: Any, *, schema_id: str, title: str) -> dict[str, Any]:
    """Return the schema of one JSON value of this type."""
    (root,), components = msgspec.json.schema_components([kind], ref_template="#/$defs/{name}")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": schema_id,
        "title": title,
        **root,
        "$defs": components,
    }


def main() -> None:
    """Write all of them."""
    FOLDER.mkdir(exist_ok=True)
    baseline = make_schema(
        Baseline,
        schema_id=f"urn:{SCHEMA.replace('/', ':')}:{SCHEMA_VERSION}",
        title="performance_baseline.json of atom-testinfra",
    )
    line = make_schema(
        RunLine,
        schema_id=f"urn:atom-testinfra:run:{RUN_SCHEMA_VERSION}",
        title="One line of a run file of atom-testinfra",
    )
    for name, schema in {SCHEMA_FILE: baseline, RUN_SCHEMA_FILE: line}.items():
        (FOLDER / name).write_text(json.dumps(schema, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
