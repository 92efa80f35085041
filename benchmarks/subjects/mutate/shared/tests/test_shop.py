import shop
import pytest


def test_the_table_is_there(table):
    assert table


def test_tea(table):
    assert table["tea"] == 3


def test_menu_is_there(menu):
    assert menu


def test_menu_is_sorted(menu):
    assert menu == ["cake", "tea"]


def test_a_price_is_positive():
    assert shop.price_of("tea") > 0


def test_the_price_of_tea():
    assert shop.price_of("tea") == 5


def test_a_rate_is_positive():
    assert shop.rate("tea") > 0


def test_the_rate_of_tea():
    assert shop.rate("tea") == 6


def test_a_total_is_positive():
    assert shop.SHOP.total > 0


def test_the_total():
    assert shop.SHOP.total == 8


class TestTill:
    @classmethod
    def setup_class(cls):
        cls.till = shop.make_till()

    def test_till_is_there(self):
        assert self.till

    def test_till(self):
        assert self.till == [1, 2]


@pytest.mark.parametrize("number", [1, 2, 3])
def test_describe(number):
    assert shop.describe(number) in {"many", "few"}
