import asyncio
import copy
import gc
import pickle
import signal

import odd
import pytest


def test_order():
    order = odd.Order()
    assert (order.items, order.price, order.total) == ([2], 3, 3)
    assert repr(order) == "Order 4"
    assert odd.copied(order) == order


def test_field():
    loose = odd.Loose(1)
    assert loose.field == 1
    loose.field = 3
    assert loose.field == 7
    assert odd.Loose.field.name == "field_"
    del loose.field
    assert loose.field == 1
    assert loose.deleted == 1


def test_attributes():
    assert odd.Loose(2).made_up == 6
    with pytest.raises(AttributeError):
        _ = odd.Loose(2).other
    assert odd.Loose[4] == 8
    assert not odd.Loose(3)
    assert odd.Loose(4)


def test_copies():
    assert pickle.loads(pickle.dumps(odd.Loose(1))).start == 2
    assert copy.copy(odd.Loose(1)).start == 3
    assert copy.deepcopy(odd.Loose(1)).start == 7


def test_end_of_an_object():
    odd.seen.clear()
    loose = odd.Loose(5)
    del loose
    gc.collect()
    assert odd.seen == [15]


def test_counts():
    assert odd.Counts()["abc"] == 4


def test_subclasses():
    assert odd.Base.registry == {"Child": 5}
    assert odd.Child().template() == 19


def test_noted():
    odd.seen.clear()
    with odd.noted("ab") as n:
        assert n == 3
    assert odd.seen == ["ab", "abab"]
    with odd.noted("c"):
        raise KeyError
    assert "lost" in odd.seen


def test_finalised():
    odd.seen.clear()
    numbers = odd.finalised(5)
    assert next(numbers) == 1
    del numbers
    gc.collect()
    assert odd.seen == [6]


def test_asked():
    async def ask():
        agen = odd.asked(9)
        assert await agen.asend(None) == 0
        assert await agen.asend(4) == 4
        assert await agen.asend(None) == 5
        await agen.aclose()

    asyncio.run(ask())


def test_ordered():
    assert odd.ordered(["aaa", "b", "cc"]) == ["b", "cc", "aaa"]


def test_ring():
    assert odd.ring() == 1


def test_in_thread():
    assert odd.in_thread(2) == 6


def test_forget():
    odd.seen.clear()
    assert odd.forget()
    assert odd.seen == ["gonegone"]


def test_context():
    assert odd.in_context(3) == 8
    assert odd.current.get() == 5


def test_evaluated():
    assert odd.evaluated(4) == 10


def test_traced():
    assert odd.traced(lambda: odd.compare("a", "")) == ["<lambda>", "compare"]


def test_loose():
    odd.loose(["abc", "d"])
    odd.loose_pair(2, 1)


def test_weights():
    assert odd.WEIGHTS["two"] == 4
    assert signal.SIGUSR1
