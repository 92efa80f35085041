"""Reads a list to its end, page by page, and never further than its rows can fill pages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from atom.kit.pagination import KeyPage, Page, PageRequest

Item = TypeVar("Item")


def follow(read: Callable[[PageRequest], Page[Item]], *, limit: int, most: int) -> list[Item]:
    """Return the items of every page of a list by time; fail after `most` items."""
    return _follow(lambda after: read(PageRequest(limit=limit, after=after)), limit=limit, most=most)


def follow_keys(read: Callable[[str | None], KeyPage[Item]], *, limit: int, most: int) -> list[Item]:
    """Return the items of every page of a list by key; fail after `most` items."""
    return _follow(read, limit=limit, most=most)


def _follow(read: Callable[[Any], Any], *, limit: int, most: int) -> list[Any]:
    items: list[Any] = []
    after = None
    for _ in range(most + 1):
        page = read(after)
        assert len(page.items) <= limit
        assert page.items or after is None, "a page that was announced is empty"
        items += page.items
        assert len(items) <= most, "the pages hold more items than there are rows"
        if page.next is None:
            return items
        after = page.next
    raise AssertionError("the list does not end")
