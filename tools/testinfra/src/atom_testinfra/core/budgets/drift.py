"""How much dearer a run is than foretold."""

from __future__ import annotations

PRIOR = 0.002
"""Weight of the first guess, as a share of the time asked: with ten times as much, the last tests starve."""
HALVING = 0.3
"""Share of the time asked after which what was seen counts half."""


class Drift:
    """The seconds that tests took for each second foretold; a busy machine, or wrong costs, move it."""

    def __init__(self, *, asked_s: float, guess: float = 1.0) -> None:
        self._prior_s = PRIOR * asked_s
        self._halving_s = HALVING * asked_s
        self._guess = guess
        self._foretold_s = 0.0
        self._spent_s = 0.0

    @property
    def factor(self) -> float:
        """By how much to multiply what is foretold."""
        return (self._spent_s + self._prior_s * self._guess) / (self._foretold_s + self._prior_s)

    def learn(self, foretold_s: float, spent_s: float) -> None:
        """Take in what a test was foretold to take, and took."""
        if foretold_s <= 0.0 or spent_s <= 0.0:
            return
        keep = 0.5 ** (spent_s / self._halving_s)
        self._foretold_s = self._foretold_s * keep + foretold_s
        self._spent_s = self._spent_s * keep + spent_s
