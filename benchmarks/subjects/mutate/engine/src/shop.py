"""Code that strategies and bodies call."""
import dataclasses
import enum

LIMIT = 20


class Status(enum.Enum):
    NEW = "new"
    OLD = "old"


@dataclasses.dataclass
class Posting:
    amount: int
    status: Status = Status.NEW


def make(amount):
    return Posting(max(0, amount))


def statuses():
    return [Status.NEW, Status.OLD]


def is_even(number):
    return number % 2 == 0


def collatz(number):
    steps = 0
    while number > 1 and steps < 200:
        number = number // 2 if is_even(number) else 3 * number + 1
        steps += 1
    return steps


def clamp(number, low, high):
    if number < low:
        return low
    if number > high:
        return high
    return number


def split(text):
    words = []
    word = ""
    for sign in text:
        if sign == " ":
            if word:
                words.append(word)
            word = ""
        else:
            word += sign
    if word:
        words.append(word)
    return words


def insert(items, item):
    for index, other in enumerate(items):
        if other > item:
            return [*items[:index], item, *items[index:]]
    return [*items, item]


class Account:
    def __init__(self):
        self.balance = 0
        self.history = []

    def deposit(self, amount):
        if amount <= 0:
            raise ValueError(amount)
        self.balance += amount
        self.history.append(amount)

    def withdraw(self, amount):
        if amount > self.balance:
            return False
        self.balance -= amount
        self.history.append(-amount)
        return True
