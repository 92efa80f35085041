import asyncio

import pytest
import shop


def test_item():
    item = shop.Item("a")
    assert item.price == 3
    assert item.cheaper(1).price == 2
    with pytest.raises(ValueError):
        shop.Item("a", -1)


def test_color():
    assert shop.Color.RED.other() is shop.Color.BLUE
    assert shop.Color.BLUE.other() is shop.Color.RED


def test_register():
    assert shop.Base.count() == len(shop.Register.known)
    assert shop.Square.level == 1


def test_square():
    square = shop.Square(3)
    assert square.area() == 9
    square.side = 4
    assert square.side == 4
    with pytest.raises(ValueError):
        square.side = 0
    del square.side
    assert square.side == 1
    assert shop.Square.double(4) == 8
    assert shop.Square.of(4).side == 5
    assert shop.Square(3) == shop.Square(3)
    assert len({shop.Square(3), shop.Square(3)}) == 1
    assert square.public() == 4


def test_kept():
    assert shop.kept(1) == 2
    assert shop.kept.original(1) == 2
    assert shop.memo(3) == 2


def test_kind():
    assert [shop.kind(1.5), shop.kind(1), shop.kind("")] == ["thing", "number", "text"]


def test_lambdas():
    assert shop.half(9) == 4
    assert shop.TABLE["plus"](5, 2) == 7
    assert shop.TABLE["minus"](5, 2) == 3


def test_generators():
    assert list(shop.numbers(3)) == [0, 1, 2]
    assert next(shop.running) == 1


def test_async():
    assert asyncio.run(shop.waits(1)) == 3

    async def all_of():
        return [number async for number in shop.count(3)]

    assert asyncio.run(all_of()) == [0, 1, 2]


def test_chosen():
    assert shop.chosen(1) == 6


def test_stack():
    stack = shop.Stack()
    stack.push(1)
    stack.push(2)
    assert stack.pop() == 2
    assert shop.Stack.Inner().depth() == 2


def test_closure():
    assert shop.ADD(2) == 2
    assert shop.outer()(3) == 3


def test_fails():
    assert shop.fails(2) == 5
    assert shop.fails(0) == 0
    assert shop.fails(0, default=4) == 4


def test_match():
    assert shop.match({"a": 2}) == 2
    assert shop.match([3, 4]) == 3
    assert shop.match(None) is None


def test_partial():
    assert shop.Partial().method() == 3
    assert shop.Partial.bound() == 4


def test_copied():
    assert shop.copied(2) == 6
    assert shop.copy(2) == 6
