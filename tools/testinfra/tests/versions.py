"""Which tests need a newer Hypothesis than the oldest one that the tool works with."""

from __future__ import annotations

from importlib.metadata import version
from inspect import signature

import pytest
from hypothesis import strategies as st

from atom_testinfra.core.advice.losses import release

HYPOTHESIS = release(version("hypothesis"))


def since_hypothesis(first: str) -> pytest.MarkDecorator:
    """Return the mark that skips a test of something that is not there in an older Hypothesis."""
    return pytest.mark.skipif(release(first) > HYPOTHESIS, reason=f"not before Hypothesis {first}")


def encodable() -> st.SearchStrategy[str]:
    """Return characters without surrogates; in old versions the argument has another name."""
    name = "exclude_categories"
    if name not in signature(st.characters).parameters:
        name = "blacklist_categories"
    return st.characters(**{name: ["Cs"]})  # type: ignore[arg-type]
