"""Which embedder compares texts is a setting; one that does not keep its promise is refused at the start."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from atom.episodes.embedding import Vector, WordOverlapEmbedder, load_embedder
from atom.kit.errors import InvalidError


class Own:
    """An embedder of somebody else."""

    def __init__(self, *, name: str = "own-1", vectors: Sequence[Vector | None] = ((1.0, 0.0),)) -> None:
        self.name = name
        self.vectors = vectors

    def embed(self, texts: Sequence[str]) -> list[Vector | None]:
        return list(self.vectors) * len(texts)


def nameless() -> Own:
    return Own(name="")


def wordless() -> Own:
    return Own(vectors=[None])


def too_many() -> Own:
    return Own(vectors=[(1.0,), (2.0,)])


def broken() -> Own:
    raise OSError("no model")


def test_the_default_is_word_overlap() -> None:
    """It finds what has words in common, and nothing that only means the same."""
    embedder = load_embedder("word-overlap")
    assert isinstance(embedder, WordOverlapEmbedder)
    invoice, bill = embedder.embed(["the invoice", "a bill"])
    assert invoice is not None
    assert bill is not None
    assert sum(a * b for a, b in zip(invoice, bill, strict=True)) == 0


def test_an_embedder_is_found_by_its_place() -> None:
    """What the function returns is used, under its own name."""
    assert load_embedder(f"{__name__}:Own").name == "own-1"


@pytest.mark.parametrize(
    "place",
    ["", "json", ":dumps", "no_such_module:x", "json:nothing", "json:dumps"]
    + [f"{__name__}:{name}" for name in ("nameless", "wordless", "too_many", "broken")],
)
def test_an_embedder_that_does_not_keep_its_promise_is_refused(place: str) -> None:
    """The message names the setting, the value and what is wrong with it."""
    with pytest.raises(InvalidError) as caught:
        load_embedder(place)
    assert caught.value.field == "ATOM_EMBEDDER"
    assert repr(place) in caught.value.message
