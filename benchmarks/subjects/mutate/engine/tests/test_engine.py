import shop
from hypothesis import assume, example, given, note, event, settings, target, strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, precondition, rule

few = settings(max_examples=40)


@few
@given(st.builds(shop.make, st.integers(-5, 5)))
def test_builds(posting):
    assert posting.amount >= 0
    assert posting.status is shop.Status.NEW


@few
@given(st.data())
def test_data(data):
    status = data.draw(st.sampled_from(shop.statuses()))
    n = data.draw(st.integers(0, 3 if status is shop.Status.NEW else 6))
    items = []
    for _ in range(n):
        items = shop.insert(items, data.draw(st.integers(0, 9)))
    assert items == sorted(items)


@few
@given(st.integers(0, 40), st.integers(0, 40))
def test_assume(low, high):
    assume(low <= high)
    assume(shop.is_even(low) or high > 3)
    assert low <= shop.clamp(17, low, high) <= high


@few
@given(st.integers(1, 60))
def test_target(number):
    steps = shop.collatz(number)
    target(float(steps))
    assert steps < 150


@few
@example(" a  b")
@example("")
@given(st.text("ab ", max_size=8))
def test_explicit(text):
    assert shop.split(text) == text.split()


@few
@given(st.lists(st.integers(0, 9)).filter(lambda items: not items or shop.is_even(items[0])))
def test_filter(items):
    event("empty" if not items else "some")
    made = []
    for item in items:
        made = shop.insert(made, item)
    note(made)
    assert len(made) == len(items)


@few
@given(st.integers(0, 30).map(shop.collatz))
def test_map(steps):
    assert 0 <= steps <= 200


@st.composite
def clamped(draw):
    low = draw(st.integers(0, 9))
    return low, shop.clamp(draw(st.integers(-5, 20)), low, low + 5)


@few
@given(clamped())
def test_composite(pair):
    low, number = pair
    assert low <= number <= low + 5


@few
@given(st.integers(0, shop.LIMIT))
def test_limit(number):
    assert shop.clamp(number, 0, shop.LIMIT) == number


@few
@given(st.recursive(st.integers(0, 5).map(shop.make), lambda inner: st.lists(inner, max_size=3), max_leaves=5))
def test_recursive(tree):
    def total(node):
        return sum(map(total, node)) if isinstance(node, list) else node.amount

    assert total(tree) >= 0


class Machine(RuleBasedStateMachine):
    amounts = Bundle("amounts")

    def __init__(self):
        super().__init__()
        self.account = shop.Account()
        self.model = 0

    @rule(target=amounts, amount=st.integers(1, 9))
    def deposit(self, amount):
        self.account.deposit(amount)
        self.model += amount
        return amount

    @precondition(lambda self: shop.is_even(self.model))
    @rule(amount=amounts)
    def withdraw(self, amount):
        if self.account.withdraw(amount):
            self.model -= amount

    @invariant()
    def agrees(self):
        assert self.account.balance == self.model >= 0
        assert sum(self.account.history) == self.model


TestMachine = Machine.TestCase
TestMachine.settings = settings(max_examples=15, stateful_step_count=8)


@few
@given(st.integers(0, 9).flatmap(lambda low: st.integers(low, shop.clamp(low + 5, low, 12))))
def test_flatmap(number):
    assert 0 <= number <= 14
    assert shop.clamp(number, 0, 12) == min(number, 12)


@few
@given(st.lists(st.sampled_from("ab "), max_size=8).map("".join), st.data())
def test_words_and_data(text, data):
    words = shop.split(text)
    assume(words)
    word = data.draw(st.sampled_from(words))
    assert word in text
    assert " " not in word


@few
@given(st.lists(st.integers(-9, 9), max_size=6))
def test_two_targets(numbers):
    made = []
    for number in numbers:
        made = shop.insert(made, number)
    target(float(len(made)), label="items")
    target(float(max(made, default=0)), label="largest")
    assert made == sorted(numbers)


@few
@example(0, 3)
@given(st.integers(-5, 30), st.integers(0, 9))
def test_explicit_and_assume(number, low):
    assume(not shop.is_even(number + low))
    assert low <= shop.clamp(number, low, low + 3) <= low + 3


@few
@given(st.fixed_dictionaries({"first": st.integers(1, 20).filter(shop.is_even), "second": st.booleans()}))
def test_dictionary(found):
    steps = shop.collatz(found["first"] + found["second"])
    assert steps > 0 or found["first"] == 1


@few
@given(st.one_of(st.builds(shop.make, st.integers(1, 4)), st.none()), st.integers(1, 60))
def test_one_of(posting, number):
    if posting is not None:
        assert posting.amount in {1, 2, 3, 4}
    assert shop.collatz(number) <= shop.collatz(2 * number)


@few
@given(st.lists(st.tuples(st.booleans(), st.integers(1, 9)), max_size=8))
def test_account(steps):
    account = shop.Account()
    for is_deposit, amount in steps:
        if is_deposit:
            account.deposit(amount)
        else:
            account.withdraw(amount)
    assert account.balance == sum(account.history)
    assert account.balance >= 0


@few
@given(st.integers(-3, 3))
def test_refused(amount):
    account = shop.Account()
    try:
        account.deposit(amount)
    except ValueError:
        assert amount <= 0
    else:
        assert account.balance == amount


class Lists(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.items = []

    @rule(item=st.integers(0, 9))
    def insert(self, item):
        self.items = shop.insert(self.items, item)

    @precondition(lambda self: self.items)
    @rule(data=st.data())
    def remove(self, data):
        self.items.remove(data.draw(st.sampled_from(self.items)))

    @rule(low=st.integers(0, 5))
    def clamp(self, low):
        self.items = sorted(shop.clamp(item, low, low + 5) for item in self.items)

    @invariant()
    def sorted(self):
        assert self.items == sorted(self.items)


TestLists = Lists.TestCase
TestLists.settings = settings(max_examples=10, stateful_step_count=8)
