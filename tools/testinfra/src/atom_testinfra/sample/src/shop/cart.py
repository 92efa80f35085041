"""A shopping cart. All amounts are whole cents."""

from __future__ import annotations


class Cart:
    """What somebody is about to buy: a price for each article."""

    def __init__(self) -> None:
        self._prices: dict[str, int] = {}

    def add(self, article: str, price: int) -> None:
        """Put an article into the cart."""
        self._prices[article] = price

    def remove(self, article: str) -> None:
        """Take an article out again."""
        del self._prices[article]

    def total(self) -> int:
        """Return what all articles cost together."""
        return sum(self._prices.values())

    def to_pay(self, percent: int = 0) -> int:
        """Return the total less a discount, rounded down; from 50 euros on, 5 % more is taken off."""
        if self.total() >= 5000:
            percent += 5
        return self.total() * (100 - min(percent, 100)) // 100
