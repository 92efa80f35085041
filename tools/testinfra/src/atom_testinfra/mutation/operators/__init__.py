"""The mutants of a module: what can go wrong at each place, and the code with it."""
