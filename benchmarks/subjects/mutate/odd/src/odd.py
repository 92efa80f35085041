"""Code that Python calls, not the tests, and code that nothing calls although it looks so."""
import atexit
import collections
import contextlib
import contextvars
import dataclasses
import functools
import pickle
import signal
import sys
import threading
import weakref

LEVEL = 2
NAMES = ("one", "two")
WEIGHTS = {"one": 1, "two": LEVEL * 2}
UNREAD = 7
UNREAD_NAMES = ["a" + "b", "c"]
seen = []


@dataclasses.dataclass
class Order:
    items: list = dataclasses.field(default_factory=lambda: [1 + 1])
    price: int = LEVEL + 1
    note: str = "none"

    def __post_init__(self):
        self.total = self.price * len(self.items)

    def __repr__(self):
        return f"Order {self.total + 1}"

    def unused(self):
        if self.price > 3:
            return self.total + 2
        return self.total - 1


class Field:
    def __set_name__(self, owner, name):
        self.name = name + "_"

    def __get__(self, instance, owner):
        if instance is None:
            return self
        return instance.__dict__.get(self.name, 0) + 1

    def __set__(self, instance, value):
        instance.__dict__[self.name] = value * 2

    def __delete__(self, instance):
        instance.__dict__.pop(self.name, None)
        instance.__dict__["deleted"] = 1


class Loose:
    field = Field()
    unread: int = LEVEL * 5

    def __init__(self, start):
        self.start = start

    def __getattr__(self, name):
        if name.startswith("made_"):
            return self.start + 4
        raise AttributeError(name)

    def __missing__(self, key):
        return key + 9

    def __class_getitem__(cls, item):
        return item * 2

    def __reduce__(self):
        return Loose, (self.start + 1,)

    def __copy__(self):
        return Loose(self.start + 2)

    def __deepcopy__(self, memo):
        return Loose(self.start + 6)

    def __del__(self):
        seen.append(self.start * 3)

    def __bool__(self):
        return self.start > 3

    def __len__(self):
        return self.start + 100


class Counts(collections.UserDict):
    def __missing__(self, key):
        self[key] = len(key) + 1
        return self[key]


class Base:
    registry = {}

    def __init_subclass__(cls, level=LEVEL, **words):
        super().__init_subclass__(**words)
        cls.registry[cls.__name__] = level + 1

    def template(self):
        return self.hook() + 1

    def hook(self):
        return 10 - 1

    def unused_hook(self):
        return self.hook() * 2 + 3


class Child(Base, level=4):
    def hook(self):
        return super().hook() * 2


@contextlib.contextmanager
def noted(name):
    seen.append(name)
    try:
        yield len(name) + 1
    except KeyError:
        seen.append("lost")
    finally:
        seen.append(name * 2)


def finalised(limit):
    try:
        for number in range(limit):
            yield number + 1
    finally:
        seen.append(limit + 1)


async def asked(limit):
    got = 0
    while got < limit:
        got += (yield got) or 1


def compare(one, other):
    return len(one) - len(other)


def ordered(words):
    return sorted(words, key=functools.cmp_to_key(compare))


def on_signal(number, frame):
    seen.append(number + 1)


def ring():
    before = signal.signal(signal.SIGUSR1, on_signal)
    signal.raise_signal(signal.SIGUSR1)
    signal.signal(signal.SIGUSR1, before)
    return seen[-1] - signal.SIGUSR1


def in_thread(number):
    made = []

    def work():
        made.append(number * 3)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    return made[0]


class Token:
    pass


def on_gone(reference):
    seen.append("gone" * 2)


def forget():
    token = Token()
    reference = weakref.ref(token, on_gone)
    del token
    return reference() is None


current = contextvars.ContextVar("current", default=LEVEL + 3)


def in_context(number):
    def inside():
        current.set(number + 1)
        return current.get() * 2

    return contextvars.copy_context().run(inside)


source = compile("number * 2 + LEVEL", "formula", "eval")


def evaluated(number):
    return eval(source, {"number": number, "LEVEL": LEVEL})


def traced(call):
    names = []

    def trace(frame, event, argument):
        if event == "call":
            names.append(frame.f_code.co_name * 1)
        return None

    sys.setprofile(None)
    sys.settrace(trace)
    try:
        call()
    finally:
        sys.settrace(None)
    return names


def at_end():
    seen.append(len(seen) + 1)


atexit.register(at_end)


def unused_helper(words, *, most=3):
    found = [word for word in words if len(word) > most]
    if not found:
        return None
    for word in found:
        seen.append(word.upper())
    return found[0] + found[-1]


def unused_total(prices, rate=2):
    total = 0
    for price in prices:
        if price < 0 or price > 100:
            continue
        total += price * rate
    return max(total, 1) - min(total, 9)


class Unused:
    limit = 5

    def __init__(self, size=1):
        self.size = size + 1
        self.items = [size, size * 2]

    def grow(self, by):
        if by <= 0:
            raise ValueError("by")
        self.size += by
        return self.size >= self.limit and not self.items

    def __iter__(self):
        return iter(self.items[1:])


def loose(words):
    total = 0
    for word in words:
        total += len(word) + 1
    if total > 5:
        seen.append(total)
    return total


def loose_pair(one, other):
    if one > other:
        one, other = other, one
    return {"one": one * 2, "other": other - 1}


def copied(order):
    return pickle.loads(pickle.dumps(order))
