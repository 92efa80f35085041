"""How a property is run: how many examples, from which seed, and what says so."""
