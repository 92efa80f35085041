"""Texts as vectors: what an embedder promises, a small local one, and the similarity of two vectors."""

from __future__ import annotations

import math
import re
from functools import lru_cache
from importlib import import_module
from operator import mul
from typing import TYPE_CHECKING, Protocol
from zlib import crc32

from atom.kit.errors import InvalidError

if TYPE_CHECKING:
    from collections.abc import Sequence

Vector = tuple[float, ...]

WORD = re.compile(r"\w+")
DIMENSIONS = 128


class Embedder(Protocol):
    """Turns texts into vectors; only vectors of embedders with the same name are comparable."""

    @property
    def name(self) -> str:
        """The model and its version, stored beside each vector."""

    def embed(self, texts: Sequence[str]) -> list[Vector | None]:
        """Return one vector for each text; None for a text that says nothing to the model."""


WORD_OVERLAP = "word-overlap"
"""What the setting `ATOM_EMBEDDER` calls the embedder of this module."""


def load_embedder(place: str) -> Embedder:
    """Return the embedder of a setting: `word-overlap`, or what `package.module:function` returns."""
    if place == WORD_OVERLAP:
        return WordOverlapEmbedder()
    module_name, _, name = place.partition(":")
    if not module_name or not name:
        raise _unfit(place, "it is not `package.module:function`")
    try:
        embedder: Embedder = getattr(import_module(module_name), name)()
        vectors = embedder.embed(["a word"])
        has_name = bool(embedder.name)
    except Exception as exc:
        raise _unfit(place, f"{type(exc).__name__}: {exc}") from exc
    if not has_name or len(vectors) != 1 or not isinstance(vectors[0], tuple):
        raise _unfit(place, "an embedder has a `name`, and returns one tuple of numbers for each text")
    return embedder


def _unfit(place: str, reason: str) -> InvalidError:
    return InvalidError(
        f"ATOM_EMBEDDER is {place!r}: {reason}; {WORD_OVERLAP!r} is the embedder that needs no model",
        field="ATOM_EMBEDDER",
    )


class WordOverlapEmbedder:
    """
    Counts a text's words in hashed slots: deterministic, local, no model to download.

    It knows words, not meanings: two texts are similar as far as they use the same words.
    """

    name = f"hashed-words-{DIMENSIONS}"

    def embed(self, texts: Sequence[str]) -> list[Vector | None]:
        """Return a unit vector for each text, None for a text without a word."""
        return [_counts(text) for text in texts]


def cosine(a: Vector, b: Vector) -> float:
    """Return the cosine similarity; 0.0 when a vector has no direction."""
    return cosine_of_norms(a, b, norm(a) * norm(b))


def cosine_of_norms(a: Vector, b: Vector, norms: float) -> float:
    """Return the same, given the product of the norms, so that each norm is computed once."""
    if len(a) != len(b):
        msg = f"vectors of {len(a)} and {len(b)} dimensions are not comparable"
        raise ValueError(msg)
    return max(-1.0, min(1.0, _dot(a, b) / norms)) if norms else 0.0


def norm(vector: Vector) -> float:
    """Return the Euclidean length."""
    return math.sqrt(math.fsum([number * number for number in vector if number]))


def _dot(a: Vector, b: Vector) -> float:
    return math.fsum(map(mul, a, b))


def _counts(text: str) -> Vector | None:
    words = WORD.findall(text.lower())
    if not words:
        return None
    counts: dict[int, float] = {}
    for word in words:
        slot = _slot(word)
        counts[slot] = counts.get(slot, 0.0) + 1.0
    length = norm(tuple(counts.values()))
    vector = [0.0] * DIMENSIONS
    for slot, count in counts.items():
        vector[slot] = count / length
    return tuple(vector)


@lru_cache(maxsize=65_536)
def _slot(word: str) -> int:
    return crc32(word.encode("utf-8", "surrogatepass")) % DIMENSIONS
