"""Loops that a fault can keep from ending."""


def greatest_divisor(one, other):
    while other:
        one, other = other, one % other
    return one


def n_digits(number):
    n = 1
    while number >= 10:
        number //= 10
        n += 1
    return n


def find(items, wanted):
    low, high = 0, len(items)
    while low < high:
        middle = (low + high) // 2
        if items[middle] < wanted:
            low = middle + 1
        else:
            high = middle
    return low


def root(number):
    guess = number
    while guess * guess > number:
        guess = (guess + number // guess) // 2
    return guess


def binary(number):
    signs = ""
    while number:
        signs = str(number % 2) + signs
        number //= 2
    return signs or "0"


def power(base, exponent):
    made = 1
    while exponent > 0:
        if exponent % 2:
            made *= base
        base *= base
        exponent //= 2
    return made % 1_000_003


def runs(text):
    found = []
    start = 0
    while start < len(text):
        end = start
        while end < len(text) and text[end] == text[start]:
            end += 1
        found.append((text[start], end - start))
        start = end
    return found


def reachable(edges, start):
    seen, waiting = set(), [start]
    while waiting:
        node = waiting.pop()
        if node not in seen:
            seen.add(node)
            waiting.extend(edges.get(node, ()))
    return seen


def primes(limit):
    found = []
    number = 2
    while number <= limit:
        if all(number % prime for prime in found):
            found.append(number)
        number += 1
    return found


def factors(number):
    found = []
    divisor = 2
    while number > 1:
        while number % divisor == 0:
            found.append(divisor)
            number //= divisor
        divisor += 1
    return found


def bubble(items):
    items = list(items)
    is_done = False
    while not is_done:
        is_done = True
        for place in range(len(items) - 1):
            if items[place] > items[place + 1]:
                items[place], items[place + 1] = items[place + 1], items[place]
                is_done = False
    return items


def pages(n_items, size):
    first, found = 0, []
    while first < n_items:
        last = min(first + size, n_items)
        found.append((first, last))
        first = last
    return found


def retry(action, most=3):
    n = 0
    while True:
        n += 1
        if action(n):
            return n
        if n >= most:
            return None


def never_called(number):
    while number > 0:
        number -= 1
    return number + 2


def nor_this(items):
    total = 0
    for item in items:
        if item > 3:
            total += item * 2
        else:
            total -= item
    return total
