from hypothesis import assume, given
from hypothesis import strategies as st
from shop.cart import Cart

ARTICLES = st.sampled_from(["apple", "bread", "cheese", "dates", "eggs", "figs", "grapes", "honey"])
LINES = st.lists(st.tuples(ARTICLES, st.integers(1, 3000)), max_size=8)


def fill(lines):
    cart = Cart()
    for article, price in lines:
        cart.add(article, price)
    return cart


@given(LINES)
def test_total_is_the_sum_of_the_prices(lines):
    assume(len({article for article, _ in lines}) == len(lines))
    assert fill(lines).total() == sum(price for _, price in lines)


@given(LINES, ARTICLES)
def test_what_is_added_and_removed_costs_nothing(lines, article):
    assume(article not in dict(lines))
    cart = fill(lines)
    before = cart.total()
    cart.add(article, 100)
    cart.remove(article)
    assert cart.total() == before


@given(LINES, st.integers(0, 100))
def test_a_discount_is_never_a_surcharge(lines, percent):
    cart = fill(lines)
    assert 0 <= cart.to_pay(percent) <= cart.total()
