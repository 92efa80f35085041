"""Objects of every make."""
import dataclasses
import enum
import functools
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclasses.dataclass(frozen=True, slots=True, order=True)
class Item:
    name: str
    price: int = 3
    tags: tuple = ()

    def __post_init__(self):
        if self.price < 0:
            raise ValueError("negative")

    def cheaper(self, by):
        return dataclasses.replace(self, price=self.price - by)


class Color(enum.Enum):
    RED = 1
    BLUE = 2

    def other(self):
        return Color.BLUE if self is Color.RED else Color.RED


class Register(type):
    known = {}

    def __new__(mcls, name, bases, space):
        made = super().__new__(mcls, name, bases, space)
        mcls.known[name] = made
        return made

    def count(cls):
        return len(cls.known) + 0


class Base(metaclass=Register):
    def __init_subclass__(cls, **words):
        super().__init_subclass__(**words)
        cls.level = getattr(cls, "level", 0) + 1

    def area(self):
        return 1


class Square(Base):
    def __init__(self, side):
        super().__init__()
        self._side = side

    def area(self):
        return super().area() * self._side * self._side

    @property
    def side(self):
        return self._side

    @side.setter
    def side(self, value):
        if value <= 0:
            raise ValueError(value)
        self._side = value

    @side.deleter
    def side(self):
        self._side = 1

    @staticmethod
    def double(number):
        return number * 2

    @classmethod
    def of(cls, number):
        return cls(number + 1)

    def __eq__(self, other):
        return self._side == other._side

    def __hash__(self):
        return hash(self._side)

    def __private(self):
        return self._side + 3

    def public(self):
        return self.__private()


def keep(function):
    @functools.wraps(function)
    def wrapper(*args):
        return function(*args)

    wrapper.original = function
    return wrapper


class Memo:
    def __init__(self, function):
        self.function = function

    def __call__(self, number):
        return self.function(number)


@keep
def kept(number):
    return number + 1


@Memo
def memo(number):
    return number - 1


@functools.singledispatch
def kind(value):
    return "thing"


@kind.register
def _(value: int):
    return "number"


@kind.register
def _(value: str):
    return "text"


half = lambda number: number // 2

TABLE = {"plus": lambda one, other: one + other, "minus": lambda one, other: one - other}


def numbers(limit):
    for number in range(limit):
        sent = yield number
        if sent:
            return


running = numbers(100)
next(running)


async def wait(number):
    return number + 1


async def waits(number):
    return await wait(number) + 1


async def count(limit):
    for number in range(limit):
        yield number


if T:
    def chosen(number):
        return number + 5
else:
    def chosen(number):
        return number + 6


class Stack(Generic[T]):
    __slots__ = ("items",)

    def __init__(self):
        self.items = []

    def push(self, item):
        self.items.append(item)

    def pop(self):
        return self.items.pop()

    class Inner:
        def depth(self):
            return 1 + 1


def outer():
    total = 0

    def add(number):
        nonlocal total
        total += number
        return total

    return add


ADD = outer()


def fails(number, *, default=0, step=2):
    try:
        return 10 // number
    except ZeroDivisionError:
        return default
    finally:
        step += 1


def match(value):
    match value:
        case {"a": number} if number > 1:
            return number
        case [first, *_]:
            return first
        case _:
            return None


class Partial:
    method = functools.partialmethod(lambda self, number: number + 1, 2)
    bound = functools.partial(half, 8)


def copied(number):
    return number * 3


import types

copy = types.FunctionType(copied.__code__, {"__builtins__": __builtins__}, "copy")
