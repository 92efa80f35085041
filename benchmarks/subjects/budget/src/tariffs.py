"""Rules as a small service has them: shares of an amount, a fee by steps, spans of days, words of a line."""

from __future__ import annotations


def share_out(amount: int, weights: list[int]) -> list[int]:
    """Split an amount by weights, so that nothing is lost; the first shares get what is left over."""
    total = sum(weights)
    shares = [amount * weight // total for weight in weights]
    left = amount - sum(shares)
    for place in range(left):
        shares[place] += 1
    return shares


def fee(amount: int) -> int:
    """Return 3 % up to 1,000, 2 % of what is above, 1 % above 50,000; at least 5 and at most 2,000."""
    total = min(amount, 1_000) * 3
    if amount > 1_000:
        total += (min(amount, 50_000) - 1_000) * 2
    if amount > 50_000:
        total += amount - 50_000
    return max(5, min(total // 100, 2_000))


def merge(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return spans of days, both ends included, as few as possible; adjacent ones become one."""
    merged: list[tuple[int, int]] = []
    for first, last in sorted(spans):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(merged[-1][1], last))
        else:
            merged.append((first, last))
    return merged


def overlap(one: tuple[int, int], two: tuple[int, int]) -> int:
    """Return how many days two spans share."""
    return max(0, min(one[1], two[1]) - max(one[0], two[0]) + 1)


def wrap(words: list[str], width: int) -> list[str]:
    """Put words on lines of a width; a word that is longer stands on a line of its own."""
    lines: list[str] = []
    for word in words:
        if lines and len(lines[-1]) + 1 + len(word) <= width:
            lines[-1] += " " + word
        else:
            lines.append(word)
    return lines


def rank(scores: dict[str, int]) -> list[tuple[int, str]]:
    """Return places and names, the best first; equal scores share a place and the next one is left out."""
    ordered = sorted(scores.items(), key=lambda item: (-item[1], item[0]))
    found: list[tuple[int, str]] = []
    for number, (name, score) in enumerate(ordered, start=1):
        is_equal = number > 1 and ordered[number - 2][1] == score
        found.append((found[-1][0] if is_equal else number, name))
    return found
