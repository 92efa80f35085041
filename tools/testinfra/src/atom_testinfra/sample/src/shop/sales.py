"""What sells best."""

from __future__ import annotations


def best_sellers(orders: list[str], n: int) -> list[str]:
    """Return the n articles that were ordered most often; of two that sell alike, the first by name."""
    articles = {article for article in orders}
    return sorted(articles, key=lambda article: (-orders.count(article), article))[:n]
