"""How much slower a run is than predicted."""

from __future__ import annotations

PRIOR = 0.002
"""Weight of the first guess, as a share of the time asked: with ten times as much, the last tests starve."""
HALVING = 0.3
"""Share of the time asked after which what was seen counts half."""


class Drift:
    """The seconds that tests took for each predicted second; a busy machine, or wrong costs, move it."""

    def __init__(self, *, asked_s: float, guess: float = 1.0) -> None:
        self._prior_s = PRIOR * asked_s
        self._halving_s = HALVING * asked_s
        self._guess = guess
        self._predicted_s = 0.0
        self._spent_s = 0.0

    @property
    def factor(self) -> float:
        """How many times as long as predicted tests take, judged by those that have ended."""
        return (self._spent_s + self._prior_s * self._guess) / (self._predicted_s + self._prior_s)

    def learn(self, predicted_s: float, spent_s: float) -> None:
        """Learn from the predicted and the actual time of a test."""
        if predicted_s <= 0.0 or spent_s <= 0.0:
            return
        keep = 0.5 ** (spent_s / self._halving_s)
        self._predicted_s = self._predicted_s * keep + predicted_s
        self._spent_s = self._spent_s * keep + spent_s
