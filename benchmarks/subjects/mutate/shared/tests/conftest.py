import pytest
import shop


@pytest.fixture(scope="session")
def table():
    return shop.make_table()


@pytest.fixture(scope="module")
def menu():
    return shop.make_menu()
