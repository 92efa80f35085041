"""What two machines must have in common, so that their tests give a mutant the same verdict."""

from __future__ import annotations

import os
import sys
from importlib.metadata import distributions
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from atom_testinfra.core.figures import plural
from atom_testinfra.core.mutants import combine_digests
from atom_testinfra.mutation.product import Product, digest_file
from atom_testinfra.mutation.states import States
from atom_testinfra.storage.sources import SETTINGS

if TYPE_CHECKING:
    from collections.abc import Sequence

OWN_NAME = "atom-testinfra"


class Checkout(Struct, frozen=True, kw_only=True):
    """The files and the versions that verdicts depend on."""

    files: dict[str, str]
    """Digest of each file of the product, of the tests, and of pytest's settings, by its path."""
    versions: dict[str, str]
    """Of Python and of each installed distribution."""


def describe_checkout(root: Path, rootdir: Path, product: Sequence[str]) -> Checkout:
    """
    Return what a checkout on this machine has.

    Args:
        root: the project's root, to which all paths are relative.
        rootdir: where pytest runs.
        product: the paths of the product's files.
    """
    places = [root / path for path in product if (root / path).is_file()]
    states = States(Product(root, places), {}, rootdir)
    found = [*places, *(other.path for other in states.files.values())]
    found += [rootdir / name for name in SETTINGS if (rootdir / name).is_file()]
    versions = {one.name.lower().replace("_", "-"): one.version for one in distributions()}
    own = [digest_file(path) for path in sorted(Path(__file__).parents[2].rglob("*.py"))]
    versions[OWN_NAME] = f"{versions.get(OWN_NAME)} (digest {combine_digests(own)})"
    return Checkout(
        files={os.path.relpath(path, root).replace(os.sep, "/"): digest_file(path) for path in found},
        versions=versions | {"Python": ".".join(map(str, sys.version_info[:2]))},
    )


def find_difference(here: Checkout, there: Checkout) -> str | None:
    """Return in what way another machine differs; `None` where verdicts are the same on both."""
    for what in ("Python", OWN_NAME, *sorted(here.versions | there.versions)):
        own, other = here.versions.get(what), there.versions.get(what)
        if own != other:
            return f"it has {_version(what, other)}, and this machine has {_version(what, own)}"
    names = sorted(here.files | there.files)
    different = [name for name in names if here.files.get(name) != there.files.get(name)]
    if not different:
        return None
    more = f" and {plural(len(different) - 1, 'other file')}" if len(different) > 1 else ""
    return f"its checkout differs in {different[0]!r}{more}"


def _version(name: str, version: str | None) -> str:
    return f"no {name}" if version is None else f"{name} {version}"
