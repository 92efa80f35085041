from hypothesis import given
from hypothesis import strategies as st
from shop.sales import best_sellers

ORDERS = st.integers(0, 1000).map(lambda n: [f"article-{i % 211}" for i in range(n)])


@given(ORDERS, st.integers(1, 10))
def test_best_sellers_are_in_the_order_of_their_sales(orders, n):
    best = best_sellers(orders, n)
    sales = [orders.count(article) for article in best]
    assert sales == sorted(sales, reverse=True)


@given(ORDERS)
def test_all_articles_sell_at_least_once(orders):
    assert set(best_sellers(orders, len(orders))) == set(orders)
